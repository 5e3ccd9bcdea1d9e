"""A trace as named columns and numbered rows, whatever file it stands in."""

from __future__ import annotations

import gzip
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TextIO, cast

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.simulate.traces.columns import Columns
from jupyterhub_mesos.simulate.traces.faults import RowFault

Cells = Mapping[str, object]
NO_COLUMNS: Final[Columns] = {}


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its line (where there are no lines, its number from 1), and its cells or why it has none."""

    number: int
    cells: Cells | RowFault


class Table(Protocol):
    """What each format gives; `rows` may be asked for again and again, and reads from the beginning."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        ...

    @property
    def known(self) -> Columns:
        """Where the format itself says what stands where."""
        ...

    @property
    def noun(self) -> str:
        """What a row's number counts: `line` or `row`."""
        ...

    def rows(self) -> Iterator[Row]:
        """Yield every row, in the file's order, a few in memory at a time."""
        ...


@contextmanager
def opened(path: Path) -> Generator[TextIO]:
    """Open a text file, also a gzipped one; raises `InvalidInput` where it cannot be read as UTF-8."""
    try:
        with _open(path) as file:
            yield file
    except UnicodeDecodeError as error:
        raise InvalidInput(
            "this is no UTF-8 text: save it as UTF-8, or name its format, --format parquet", where=str(path)
        ) from error
    except EOFError as error:  # a gzip file that was cut off
        raise InvalidInput(f"it is not whole ({error}): copy it again", where=str(path)) from error
    except OSError as error:
        raise InvalidInput(
            f"cannot read it ({error.strerror or error}): name a file that you can read", where=str(path)
        ) from error


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return cast("TextIO", gzip.open(path, "rt", encoding="utf-8-sig", newline=""))
    return path.open(encoding="utf-8-sig", newline="")
