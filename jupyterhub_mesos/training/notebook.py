"""A notebook as the source of a job: its chosen cells as `train.py`, the modules they import, its lineage."""

from __future__ import annotations

import ast
import hashlib
import keyword
import math
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.training.cells import PARAMETERS, Dropped, PlainCell, chosen, code_cells, plain
from jupyterhub_mesos.training.modules import check_importable, local_modules
from jupyterhub_mesos.wire import Source, SourceFile

PROGRAM: Final = "train.py"
"""What a job made of a notebook runs, in the job's folder."""
GIT_SECONDS: Final = 10.0
"""Git asks the disk only; longer than this and the lineage goes without the commit."""

_CELL_LINE: Final = re.compile(r"# ---- cell (\d+) ----")
"""Stands before each cell of a program."""
_PARAMETERS_LINE: Final = "# ---- parameters of this job ----"

Parameter = bool | int | float | str | None
"""What a parameter may be set to from outside: a plain value that a cell can spell."""


@dataclass(frozen=True, slots=True)
class NotebookSource:
    """A notebook's `source` for a job, and the lines that did not travel."""

    source: Source
    dropped: tuple[Dropped, ...]


def read(path: Path, parameters: Mapping[str, Parameter] | None = None) -> NotebookSource:
    """Make a job's source of a notebook file.

    `parameters` override names that a `parameters` cell assigns. Raises
    `WorkloadError` (with the cell and line where there is one) for a notebook that
    cannot become a job.
    """
    path = path.expanduser().absolute()
    cells = [plain(cell) for cell in chosen(code_cells(path), path)]
    program = SourceFile(path=PROGRAM, text=program_of(path, cells, parameters or {}))
    for cell in cells:
        check_importable(cell.tree, path.parent, cell.cell.number)
    modules = local_modules([cell.tree for cell in cells], path.parent)
    if any(module.path == PROGRAM for module in modules):
        raise WorkloadError(
            f"the notebook imports a module {PROGRAM}, which is the job's own name: rename it"
        )
    commit, is_dirty = _commit(path, [module.path for module in modules])
    source = Source(
        notebook=path.name,
        commit=commit,
        is_dirty=is_dirty,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        files=(program, *modules),
    )
    return NotebookSource(source, tuple(line for cell in cells for line in cell.dropped))


def program_of(
    path: Path, cells: Sequence[PlainCell], parameters: Mapping[str, Parameter], program: str = PROGRAM
) -> str:
    """Join the cells; the overrides follow the last `parameters` cell, so that they win.

    Raises `WorkloadError` for an unknown parameter, and where the cells hold alone and not together.
    """
    _check_parameters(path, cells, parameters)
    last = max((at for at, cell in enumerate(cells) if PARAMETERS in cell.cell.tags), default=-1)
    parts = [f"# Made of the notebook {path.name!r}; each part names its cell.\n"]
    for at, cell in enumerate(cells):
        parts.append(f"# ---- cell {cell.cell.number} ----\n{cell.code.rstrip()}\n")
        if parameters and at == last:
            parts.append(f"{_PARAMETERS_LINE}\n{_assignments(parameters)}")
    text = "\n\n".join(parts)
    _check_whole(text, program)
    return text


def _assignments(parameters: Mapping[str, Parameter]) -> str:
    return "".join(f"{name} = {_spelled(value)}\n" for name, value in parameters.items())


def _spelled(value: Parameter) -> str:
    """Spell a value in Python; `nan` and `inf` have no literal."""
    return repr(value) if not isinstance(value, float) or math.isfinite(value) else f"float('{value}')"


def _check_parameters(path: Path, cells: Sequence[PlainCell], parameters: Mapping[str, Parameter]) -> None:
    known = {name for cell in cells if PARAMETERS in cell.cell.tags for name in _assigned(cell.tree)}
    for name in parameters:
        if not name.isidentifier() or keyword.iskeyword(name) or name not in known:
            raise WorkloadError(
                f"{name!r} is not a parameter of {path.name}: "
                + (
                    f"its cells tagged {PARAMETERS!r} set {', '.join(sorted(known))}"
                    if known
                    else f"no cell is tagged {PARAMETERS!r}"
                )
            )


def _assigned(tree: ast.Module) -> set[str]:
    stores = (
        node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
    return {node.id for node in stores}


def _check_whole(text: str, program: str) -> None:
    """Parse what was joined: a `from __future__` in a later cell, say, holds alone and not here."""
    try:
        compile(text, program, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else None
        cell, _ = place_in_notebook(text, line or 1)
        where = f"cell {cell}" if cell else "the parameters"
        raise WorkloadError(f"{where} does not hold in {program}: {error}", cell=cell, line=line) from error


def place_in_notebook(program: str, line: int) -> tuple[int | None, int]:
    """Return the cell that a line of a program came from, and its line there; no cell is our own text."""
    lines = program.split("\n")[:line]
    for at in range(len(lines) - 1, -1, -1):
        if found := _CELL_LINE.fullmatch(lines[at]):
            return int(found[1]), line - at - 1
        if lines[at] == _PARAMETERS_LINE:
            break
    return None, line


def _commit(path: Path, modules: Sequence[str]) -> tuple[str, bool]:
    """Return the commit of the notebook's repository and whether what travels differs from it.

    No git, no repository and no commit yet are normal answers: `("", False)`.
    """
    commit = _git(path.parent, "rev-parse", "HEAD")
    if not commit:
        return "", False
    return commit, bool(_git(path.parent, "status", "--porcelain", "--", path.name, *modules))


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
