"""First rows of tables: text with delimiters, JSON lines, Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import IO, Any, Final, cast

from jupyterhub_mesos.lab.lake_looks import MAX_COLUMNS, MAX_ROWS, Look, cell, counted, nothing
from jupyterhub_mesos.lab.lake_messages import LakeColumn, LakeTable

DELIMITERS: Final = ",;\t|"
SNIFFED: Final = 16 * 1024
"""Characters by which the delimiter is found."""
MAX_ROW_GROUP: Final = 256 * 1024 * 1024
"""Bytes of a Parquet file's first row group; of a larger one only the columns are shown."""
NO_PYARROW: Final = (
    "A Parquet file; to look inside, this notebook server's environment needs the package pyarrow: "
    "pip install pyarrow, then start the server again."
)


def delimited(text: str, *, is_cut: bool) -> Look | None:
    """Look at CSV and its kin, whose first line names the columns; None where it is no table."""
    lines = text.splitlines()
    if is_cut and len(lines) > 1:
        text = text[: text.rindex(lines[-1])]  # the last line is not whole
    try:
        dialect: Any = csv.Sniffer().sniff(text[:SNIFFED], DELIMITERS)
    except csv.Error:
        dialect = csv.excel
    try:
        found = [row for row in islice(csv.reader(io.StringIO(text), dialect), MAX_ROWS + 2) if row]
    except csv.Error:
        return None
    if not found:
        return None
    names, rows = found[0], found[1:]
    has_more = is_cut or len(rows) > MAX_ROWS
    return _table(names, [list(row) for row in rows], None if has_more else len(rows), is_cut=has_more)


def json_lines(text: str, *, is_cut: bool) -> Look | None:
    """Look at one JSON object per line; None where the first lines are none."""
    lines = [line for line in text.splitlines() if line.strip()]
    if is_cut and len(lines) > 1:
        lines.pop()
    objects: list[dict[str, object]] = []
    for line in lines[:MAX_ROWS]:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return None
        if not isinstance(value, dict):
            return None
        objects.append(cast("dict[str, object]", value))
    names = list(dict.fromkeys(name for found in objects for name in found))
    rows = [[_plain(found.get(name)) for name in names] for found in objects]
    has_more = is_cut or len(lines) > MAX_ROWS
    return _table(names, rows, None if has_more else len(rows), is_cut=has_more) if names else None


def parquet(file: IO[bytes]) -> Look:
    """Look at a Parquet file: its columns from its end, its first rows from its first row group."""
    try:
        import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415 - heavy, and may be missing
        import pyarrow.parquet as pq  # type: ignore[import-untyped]  # noqa: PLC0415 - as above
    except ImportError:
        return nothing(NO_PYARROW)
    refusals: tuple[type[Exception], ...] = (cast("Any", pa).ArrowException, OSError)
    try:
        opened: Any = pq.ParquetFile(file)
        names = list(opened.schema_arrow.names)[:MAX_COLUMNS]
        types = [str(found) for found in opened.schema_arrow.types][:MAX_COLUMNS]
        rows = _parquet_rows(opened, names)
    except refusals as error:
        return nothing(f"This is no Parquet file that can be read: {error}")
    total = int(opened.metadata.num_rows)
    columns = tuple(LakeColumn(name=name, type=kind) for name, kind in zip(names, types, strict=True))
    content = LakeTable(columns=columns, rows=tuple(rows), total_rows=total)
    all_columns = len(opened.schema_arrow.names)
    summary = f"Parquet, {counted(total, 'row')}, {counted(all_columns, 'column')}"
    return Look(content, summary, total > len(rows) or all_columns > len(names))


def _parquet_rows(opened: Any, names: Sequence[str]) -> list[tuple[str | None, ...]]:
    if not opened.metadata.num_row_groups or opened.metadata.row_group(0).total_byte_size > MAX_ROW_GROUP:
        return []
    batches = opened.iter_batches(batch_size=MAX_ROWS, row_groups=[0], columns=list(names))
    first = next(iter(batches), None)
    return [] if first is None else [tuple(cell(row[name]) for name in names) for row in first.to_pylist()]


# ---- tables of text ----------------------------------------------------------------------------------


def _table(names: Sequence[str], rows: list[list[object]], total: int | None, *, is_cut: bool) -> Look:
    shown = rows[:MAX_ROWS]
    width = min(max([len(names), *(len(row) for row in shown)]), MAX_COLUMNS)
    padded = [[*row, *[None] * width][:width] for row in shown]
    titles = [*names, *(f"column {number}" for number in range(len(names) + 1, width + 1))][:width]
    columns = tuple(
        LakeColumn(name=cell(title) or "", type=_kind(row[index] for row in padded))
        for index, title in enumerate(titles)
    )
    content = LakeTable(
        columns=columns, rows=tuple(tuple(cell(value) for value in row) for row in padded), total_rows=total
    )
    count = f"the first {counted(len(shown), 'row')}" if total is None else counted(total, "row")
    return Look(content, f"{count}, {counted(width, 'column')}", is_cut)


def _plain(value: object) -> object:
    return json.dumps(value) if isinstance(value, dict | list) else value


def _kind(values: Iterable[object]) -> str:
    """Say what a column's first values look like."""
    kinds = {_kind_of(value) for value in values} - {"empty"}
    if kinds == {"whole", "number"}:
        return "number"
    return kinds.pop() if len(kinds) == 1 else "text" if kinds else "empty"


def _kind_of(value: object) -> str:
    if value is None or value == "":
        return "empty"
    text = str(value).strip()
    if text.lower() in {"true", "false"}:
        return "truth"
    for kind, read in (("whole", int), ("number", float)):
        try:
            read(text)
        except ValueError:
            continue
        return kind
    return "text"
