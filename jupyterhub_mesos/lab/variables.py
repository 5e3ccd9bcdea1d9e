"""The names that a pipeline's cells set, found without running them, and which of them is likely what."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Final

from jupyterhub_mesos.lab.messages import Roles, Variable
from jupyterhub_mesos.training.cells import PlainCell

_SCOPES: Final = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Lambda,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)
"""What is set inside them is not the notebook's."""
_HELD_OUT: Final = re.compile(r"test|held|valid|eval", re.IGNORECASE)
_LABELS: Final = re.compile(r"label|target|class|^y_|_y$|^y$", re.IGNORECASE)
_CLAIM: Final = re.compile(r"^(is|has|n|num|count)_", re.IGNORECASE)
_MODEL: Final = re.compile(r"model|net|clf|classifier|regressor|estimator|pipeline", re.IGNORECASE)


def variables_of(cells: Iterable[PlainCell]) -> tuple[Variable, ...]:
    """Return the names that the cells set to objects, each with the last cell that does."""
    found: dict[str, int] = {}
    for cell in cells:
        for name in _names(cell.tree):
            if not name.startswith("_"):
                found.pop(name, None)
                found[name] = cell.cell.number
    return tuple(Variable(name=name, cell=cell) for name, cell in found.items())


def guess(variables: Iterable[Variable], model_cells: Iterable[int]) -> Roles:
    """Guess by the names; what no name tells is left empty."""
    known = [variable for variable in variables if not _CLAIM.match(variable.name)]
    cells = set(model_cells)
    made = [variable.name for variable in known if variable.cell in cells]
    held = [variable.name for variable in known if _HELD_OUT.search(variable.name)]
    rows = [name for name in held if not _LABELS.search(name)]
    labels = [name for name in held if _LABELS.search(name)]
    is_measured = bool(rows and labels)
    return Roles(
        model=next((name for name in reversed(made) if _MODEL.search(name)), ""),
        example_inputs=rows[-1] if rows else "",
        held_out_rows=rows[-1] if is_measured else "",
        held_out_labels=labels[-1] if is_measured else "",
    )


def _names(node: ast.AST) -> Iterator[str]:
    """Yield what is set in the notebook's own scope, in the order of the text."""
    match node:
        case ast.Assign(value=ast.Constant()) | ast.AnnAssign(value=ast.Constant() | None):
            return  # a setting, no object
        case ast.For(target=_, body=body, orelse=more):
            inside: Iterable[ast.AST] = (*body, *more)  # a loop's own variable is no result
        case ast.Name(id=name, ctx=ast.Store()):
            yield name
            return
        case _ if isinstance(node, _SCOPES):
            return
        case _:
            inside = ast.iter_child_nodes(node)
    for child in inside:
        yield from _names(child)
