"""Traces in text: CSV with a line of names (any of the usual separators), and JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final, cast

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.simulate.traces.columns import Columns
from jupyterhub_mesos.simulate.traces.faults import Fault, RowFault
from jupyterhub_mesos.simulate.traces.table import NO_COLUMNS, Row, opened

SEPARATORS: Final = ",;\t|"
LOOKED_AT: Final = 100
"""How many lines of JSON are looked at for the names of their keys."""


class Separated:
    """A CSV file; the separator is the one that its first line has most of."""

    noun = "line"
    known: Columns = NO_COLUMNS

    def __init__(self, path: Path) -> None:
        self._path = path
        with opened(path) as file:
            head = file.readline()
        self._separator = max(SEPARATORS, key=head.count)
        self.names = tuple(
            name.strip() for names in csv.reader([head], delimiter=self._separator) for name in names
        )
        _check_names(path, self.names)

    def rows(self) -> Iterator[Row]:
        """Yield every line after the first; a quoted cell may go over several."""
        with opened(self._path) as file:
            reader = csv.reader(file, delimiter=self._separator)
            next(reader, None)
            try:
                for cells in reader:
                    if cells:
                        yield Row(reader.line_num, self._cells(cells))
            except csv.Error as error:
                raise InvalidInput(
                    f"this is no CSV: {error}", where=f"{self._path}:{reader.line_num}"
                ) from error

    def _cells(self, cells: list[str]) -> dict[str, object] | RowFault:
        if len(cells) != len(self.names):
            return RowFault(
                Fault.UNREADABLE, f"{len(cells)} cells; the first line names {len(self.names)} columns"
            )
        return dict(zip(self.names, cells, strict=True))


class JsonLines:
    """A JSON object in each line."""

    noun = "line"
    known: Columns = NO_COLUMNS

    def __init__(self, path: Path) -> None:
        self._path = path
        names: dict[str, None] = {}
        for row in islice(self.rows(), LOOKED_AT):
            if not isinstance(row.cells, RowFault):
                names |= dict.fromkeys(row.cells)
        self.names = tuple(names)
        _check_names(path, self.names)

    def rows(self) -> Iterator[Row]:
        """Yield every line that is not empty."""
        with opened(self._path) as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield Row(number, _object(line))


def _object(line: str) -> dict[str, object] | RowFault:
    try:
        found: object = json.loads(line)
    except (ValueError, RecursionError) as error:
        return RowFault(Fault.UNREADABLE, f"this is no JSON: {error}")
    if not isinstance(found, dict):
        return RowFault(Fault.UNREADABLE, "this is no JSON object: {...} in each line is due")
    return cast("dict[str, object]", found)


def _check_names(path: Path, names: tuple[str, ...]) -> None:
    if not any(names):
        raise InvalidInput("it is empty: a trace has a row for each job", where=str(path))
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(f"two columns are named {twice[0]!r}: name one of them otherwise", where=str(path))
