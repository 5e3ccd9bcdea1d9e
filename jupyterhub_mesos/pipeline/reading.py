"""A notebook as a pipeline: its cells by tag as `train.py` and `test.py`, and what both import."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.training.cells import (
    MODEL,
    TEST,
    Cell,
    PlainCell,
    TakenAlong,
    alive,
    chosen,
    code_cells,
    plain,
)
from jupyterhub_mesos.training.modules import is_installed_here
from jupyterhub_mesos.training.notebook import (
    NOTHING,
    PROGRAM,
    NotebookSource,
    Parameter,
    read_programs,
    travelling_cells,
)

TEST_PROGRAM: Final = "test.py"


@dataclass(frozen=True, slots=True)
class NotebookProject:
    """What of a notebook goes into a project.

    `names` are what the cells assign that train and make the model, or None where an `import *` hides it;
    `tested` is how many cells are tagged `test`.
    """

    path: Path
    read: NotebookSource
    notebook: str
    names: frozenset[str] | None
    tested: int


def read_project(
    path: Path,
    parameters: Mapping[str, Parameter],
    *,
    along: TakenAlong = NOTHING,
    is_installed: Callable[[str], bool] = is_installed_here,
) -> NotebookProject:
    """Read a notebook; raises `WorkloadError` with the cell and line for one that makes no pipeline."""
    path = path.expanduser().absolute()
    trained = travelling_cells(path)
    after = [plain(cell) for cell in _model_and_test(alive(code_cells(path)), path)]
    programs = {PROGRAM: trained, TEST_PROGRAM: [*trained, *after]}
    return NotebookProject(
        path=path,
        read=read_programs(path, programs, parameters, along=along, is_installed=is_installed),
        notebook=_without_outputs(path),
        names=_names([*trained, *(cell for cell in after if MODEL in cell.cell.tags)]),
        tested=sum(TEST in cell.cell.tags for cell in after),
    )


def _model_and_test(cells: Sequence[Cell], path: Path) -> list[Cell]:
    """Return the `model` cells and then the `test` cells, but for those that train as well."""
    later = [cell for cell in cells if cell not in chosen(cells, path)]
    model = [cell for cell in later if MODEL in cell.tags]
    if not model and not any(MODEL in cell.tags for cell in cells):
        raise WorkloadError(
            f"no cell of {path.name} is tagged {MODEL!r}, so nobody would know which object to test "
            f"and store: tag the cells that make the model from the job's checkpoint "
            f"(Checkpoint.from_environment()) with {MODEL!r} in JupyterLab's property inspector "
            "(the gears at right)"
        )
    return [*model, *(cell for cell in later if TEST in cell.tags and MODEL not in cell.tags)]


def _without_outputs(path: Path) -> str:
    """Return the notebook without what its cells printed: results may be large, or not for everybody."""
    document = cast("dict[str, object]", json.loads(path.read_text(encoding="utf-8")))
    for raw in cast("list[object]", document["cells"]):
        if isinstance(raw, dict):
            cell = cast("dict[str, object]", raw)
            if cell.get("cell_type") == "code":
                cell.update(outputs=[], execution_count=None)
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


# ---- names ---------------------------------------------------------------------------------------


def _names(cells: Sequence[PlainCell]) -> frozenset[str] | None:
    found: set[str] = set()
    for cell in cells:
        for name in _assigned(cell.tree):
            if name == "*":
                return None
            found.add(name)
    return frozenset(found)


_SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_OWN: Final = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
"""What has names of its own, which nobody outside sees."""


def _assigned(node: ast.AST) -> Iterator[str]:
    """Yield the names that code sets in the scope it stands in; `*` for what nobody can know."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Name(id=name, ctx=ast.Store()):
            yield name
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in aliases)
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case _:
            pass
    if not isinstance(node, (*_SCOPES, *_OWN)):
        for child in ast.iter_child_nodes(node):
            yield from _assigned(child)
