"""Traces in Parquet, read in batches; needs pyarrow, which the extra `simulate` brings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.simulate.extra import missing
from jupyterhub_mesos.simulate.traces.columns import Columns
from jupyterhub_mesos.simulate.traces.table import NO_COLUMNS, Row

BATCH_ROWS: Final = 10_000
"""Rows in memory at a time: some MiB."""


class ParquetTable:
    """A Parquet file."""

    noun = "row"
    known: Columns = NO_COLUMNS

    def __init__(self, path: Path) -> None:
        self._path = path
        self.names = tuple(str(name) for name in self._opened().schema_arrow.names)

    def rows(self) -> Iterator[Row]:
        """Yield every row."""
        number = 0
        try:
            for batch in self._opened().iter_batches(BATCH_ROWS):
                for cells in cast("list[dict[str, object]]", batch.to_pylist()):
                    number += 1
                    yield Row(number, cells)
        except OSError as error:  # pyarrow's words for pages that cannot be unpacked
            raise InvalidInput(f"it is damaged after row {number}: {error}", where=str(self._path)) from error

    def _opened(self) -> Any:
        try:
            import pyarrow.parquet as pq  # type: ignore[import-untyped]  # noqa: PLC0415 - heavy, may be missing
        except ImportError as error:
            raise missing("pyarrow", "a Parquet trace is read", "or give the trace as CSV") from error
        try:
            return pq.ParquetFile(self._path)
        except OSError as error:
            raise InvalidInput(
                f"cannot read it ({error.strerror or error}): name a file that you can read",
                where=str(self._path),
            ) from error
        except ValueError as error:  # pyarrow's ArrowInvalid is one
            raise InvalidInput(f"this is no Parquet file: {error}", where=str(self._path)) from error
