"""The cells of a notebook that travel with a job: read, chosen by tag, stripped of magics, parsed.

Tags: `train` cells make up the job's program; `parameters` cells stand before
them and may be overridden; `skip` cells never travel. In a pipeline `model`
cells build the model from the job's checkpoint, and `test` cells check it. A notebook file is JSON
(nbformat 4); it is read with the standard library, so that a broken one is
answered with our sentence.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from jupyterhub_mesos.errors import WorkloadError

PARAMETERS: Final = "parameters"
TRAIN: Final = "train"
MODEL: Final = "model"
TEST: Final = "test"
SKIP: Final = "skip"

_CELL_MAGIC: Final = re.compile(r"\s*%%")
_LINE_MAGIC: Final = re.compile(r"\s*[%!]|\s*\?|.*[^?\s]\?\??\s*$")
_ASSIGNED_MAGIC: Final = re.compile(r"\s*[\w.,\s\[\]'\"]+=\s*[!%]\s*\w")


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell; `number` counts all of the notebook's cells from 1, as people do."""

    number: int
    source: str
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Dropped:
    """A line that only IPython understands and that did not travel; `line` counts from 1 in its cell."""

    cell: int
    line: int
    text: str

    def __str__(self) -> str:
        return f"cell {self.cell}, line {self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class PlainCell:
    """A cell as plain Python that parses; dropped lines are comments, so that line numbers stay."""

    cell: Cell
    code: str
    tree: ast.Module
    dropped: tuple[Dropped, ...]


METADATA: Final = "jupyterhub_mesos"
"""The key of a notebook's own metadata under which it says what it takes along."""


@dataclass(frozen=True, slots=True)
class TakenAlong:
    """What a notebook's metadata names: files beside it that travel, data of the lake that it reads."""

    files: tuple[str, ...] = ()
    data: tuple[str, ...] = ()


def taken_along(path: Path) -> TakenAlong:
    """Read `{"jupyterhub_mesos": {"files": [...], "data": [...]}}` of a notebook's metadata.

    Raises `WorkloadError` where it is anything else than lists of texts under these two keys.
    """
    said = _mapping(_document(path).get("metadata")).get(METADATA, {})
    entries = cast("dict[str, object]", said) if isinstance(said, dict) else {"": said}
    for key, value in entries.items():
        is_list = isinstance(value, list) and all(isinstance(one, str) for one in cast("list[object]", value))
        if key not in {"files", "data"} or not is_list:
            raise WorkloadError(
                f"{path.name} has {{{key!r}: {value!r}}} under {METADATA!r} in its metadata; possible are "
                "'files' and 'data', each a list of texts: correct it in the property inspector (the gears)"
            )
    return TakenAlong(**{key: tuple(cast("list[str]", value)) for key, value in entries.items()})


def code_cells(path: Path) -> list[Cell]:
    """Read the code cells of a notebook file.

    Raises `WorkloadError` when the file is missing, is no notebook or is not in Python.
    """
    document = _document(path)
    cells = document.get("cells")
    if not isinstance(cells, list):
        raise WorkloadError(f"{path} is no notebook of format 4: it has no list of cells; save it again")
    language = _mapping(_mapping(document.get("metadata")).get("kernelspec")).get("language", "python")
    if language != "python":
        raise WorkloadError(f"{path} is written in {language}; a job can be made of Python notebooks only")
    numbered = enumerate(cast("list[object]", cells), start=1)
    return [cell for number, raw in numbered if (cell := _code_cell(number, raw))]


def chosen(cells: Sequence[Cell], path: Path) -> list[Cell]:
    """Return the `parameters` and `train` cells, in the order of the notebook.

    Raises `WorkloadError` when no cell is tagged `train`.
    """
    live = alive(cells)
    if not any(TRAIN in cell.tags for cell in live):
        raise WorkloadError(
            f"no cell of {path.name} is tagged {TRAIN!r}, so there is nothing to run: select the cells "
            f"that train, and add the tag {TRAIN!r} in JupyterLab's property inspector (the gears at right)"
        )
    return [cell for cell in live if cell.tags & {PARAMETERS, TRAIN}]


def alive(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells that may travel."""
    return [cell for cell in cells if SKIP not in cell.tags]


def plain(cell: Cell) -> PlainCell:
    """Turn a cell into plain Python: magics and shell lines become comments and are reported.

    Raises `WorkloadError` with the cell and line when the rest is no Python.
    """
    code, dropped = _without_magics(cell)
    try:
        tree = ast.parse(code, filename=f"cell {cell.number}")
    except SyntaxError as error:
        line = error.lineno or 1
        raise WorkloadError(
            f"cell {cell.number}, line {line} is not Python: {error.msg}", cell=cell.number, line=line
        ) from error
    except ValueError as error:  # a null byte
        raise WorkloadError(f"cell {cell.number} is not Python: {error}", cell=cell.number, line=1) from error
    return PlainCell(cell, code, tree, tuple(dropped))


# ---- the file ----------------------------------------------------------------------------------


def _document(path: Path) -> Mapping[str, object]:
    try:
        document: object = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WorkloadError(f"there is no notebook {path}: save it, or name its path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise WorkloadError(f"{path} cannot be read: {error}") from error
    except ValueError as error:
        raise WorkloadError(f"{path} is no notebook: it is not JSON ({error})") from error
    if not isinstance(document, dict):
        raise WorkloadError(f"{path} is no notebook: it holds no JSON object")
    return cast("dict[str, object]", document)


def _mapping(value: object) -> Mapping[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _code_cell(number: int, raw: object) -> Cell | None:
    cell = _mapping(raw)
    if cell.get("cell_type") != "code":
        return None
    source = cell.get("source", "")
    text = "".join(str(line) for line in cast("list[object]", source)) if isinstance(source, list) else source
    tags = _mapping(cell.get("metadata")).get("tags", [])
    names = (
        frozenset(str(tag) for tag in cast("list[object]", tags))
        if isinstance(tags, list)
        else frozenset[str]()
    )
    return Cell(number, str(text), names)


# ---- magics --------------------------------------------------------------------------------------


def _without_magics(cell: Cell) -> tuple[str, list[Dropped]]:
    """Comment out what only IPython understands.

    A `%%` cell magic at the top takes the whole cell; inside strings nothing is a magic.
    """
    lines = cell.source.split("\n")
    first = next((line for line in lines if line.strip()), "")
    if _CELL_MAGIC.match(first):
        dropped = [Dropped(cell.number, at, line) for at, line in enumerate(lines, start=1) if line.strip()]
        return "\n".join(f"# {line}" for line in lines), dropped
    if _parses(cell.source):
        return cell.source, []
    return _commented(cell.number, lines)


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True


def _commented(number: int, lines: Sequence[str]) -> tuple[str, list[Dropped]]:
    kept: list[str] = []
    dropped: list[Dropped] = []
    continues = False  # the line before was dropped and ended in a backslash
    for at, line in enumerate(lines, start=1):
        if continues or (_is_magic(line) and not _inside_statement(kept)):
            dropped.append(Dropped(number, at, line))
            kept.append(_comment(line) if continues else _stand_in(line))
            continues = line.rstrip().endswith("\\")
        else:
            kept.append(line)
    return "\n".join(kept), dropped


def _is_magic(line: str) -> bool:
    code = line.split("#", 1)[0]
    return bool(code.strip()) and bool(_LINE_MAGIC.match(code) or _ASSIGNED_MAGIC.match(code))


def _stand_in(line: str) -> str:
    """Keep an indented block whole: `if x:` followed by nothing but a magic still needs a statement."""
    indent = line[: len(line) - len(line.lstrip())]
    return f"{indent}pass  {_comment(line)}" if indent else _comment(line)


def _comment(line: str) -> str:
    return "# " + line.strip().rstrip("\\")


def _inside_statement(kept: Sequence[str]) -> bool:
    """Say whether the next line goes on inside brackets, a string or after a backslash."""
    if not kept:
        return False
    text = "\n".join(kept) + "\n"
    try:
        for _ in tokenize.generate_tokens(io.StringIO(text).readline):
            pass
    except tokenize.TokenError:
        return True
    except (SyntaxError, ValueError):
        return False
    return kept[-1].rstrip().endswith("\\")
