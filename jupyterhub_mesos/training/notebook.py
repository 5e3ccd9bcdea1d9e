"""A notebook as the source of a job: its chosen cells as `train.py`, what travels with them, its lineage."""

from __future__ import annotations

import ast
import hashlib
import keyword
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.training.cells import (
    PARAMETERS,
    Dropped,
    PlainCell,
    TakenAlong,
    chosen,
    code_cells,
    plain,
    taken_along,
)
from jupyterhub_mesos.training.files import named_files
from jupyterhub_mesos.training.lake_references import Reference, checked, given, references
from jupyterhub_mesos.training.lineage import lineage
from jupyterhub_mesos.training.modules import (
    Place,
    check_importable,
    is_installed_here,
    local_modules,
    needed_modules,
)
from jupyterhub_mesos.wire import Source, SourceFile

PROGRAM: Final = "train.py"
"""What a job made of a notebook runs, in the job's folder."""
NOTHING: Final = TakenAlong()

_CELL_LINE: Final = re.compile(r"# ---- cell (\d+) ----")
"""Stands before each cell of a program."""
_PARAMETERS_LINE: Final = "# ---- parameters of this job ----"

Parameter = bool | int | float | str | None
"""What a parameter may be set to from outside: a plain value that a cell can spell."""


@dataclass(frozen=True, slots=True)
class NotebookSource:
    """A notebook's `source` for a job, the lines that did not travel, and what is worth a second look."""

    source: Source
    dropped: tuple[Dropped, ...]
    notes: tuple[str, ...] = ()


def read(
    path: Path,
    parameters: Mapping[str, Parameter] | None = None,
    *,
    along: TakenAlong = NOTHING,
    is_installed: Callable[[str], bool] = is_installed_here,
) -> NotebookSource:
    """Make a job's source of a notebook file.

    `parameters` override names that a `parameters` cell assigns; `along` is taken besides what the
    notebook's metadata names; `is_installed` knows the modules of the Python that is to run the job.
    Raises `WorkloadError` (with the cell and line where there is one) for a notebook that cannot
    become a job.
    """
    path = path.expanduser().absolute()
    programs = {PROGRAM: travelling_cells(path)}
    return read_programs(path, programs, parameters or {}, along=along, is_installed=is_installed)


def read_programs(
    path: Path,
    programs: Mapping[str, Sequence[PlainCell]],
    parameters: Mapping[str, Parameter],
    *,
    along: TakenAlong = NOTHING,
    is_installed: Callable[[str], bool] = is_installed_here,
) -> NotebookSource:
    """Make the source of one or several programs, each of cells of the same notebook; as `read`."""
    cells = list({cell.cell.number: cell for chosen in programs.values() for cell in chosen}.values())
    made = [
        SourceFile(path=name, text=program_of(path, chosen, parameters, name))
        for name, chosen in programs.items()
    ]
    check_modules(path, cells, is_installed)
    listed = taken_along(path)
    modules = local_modules([cell.tree for cell in cells], path.parent)
    others = _together(modules, named_files((*listed.files, *along.files), path.parent), programs)
    named = given((*listed.data, *along.data), parameters)
    found = (*_references(cells, modules, parameters), *named)
    data, notes = checked(found, demanded={*listed.data, *along.data})
    origin = lineage(path.parent, [*(file.path for file in others), path.name])
    source = Source(
        notebook=path.name,
        commit=origin.commit,
        is_dirty=origin.is_dirty,
        diff=origin.diff,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        data=data,
        files=(*made, *others),
    )
    return NotebookSource(source, tuple(line for cell in cells for line in cell.dropped), tuple(notes))


def travelling_cells(path: Path) -> list[PlainCell]:
    """Return the cells that travel, as plain Python."""
    return [plain(cell) for cell in chosen(code_cells(path), path)]


def check_modules(path: Path, cells: Sequence[PlainCell], is_installed: Callable[[str], bool]) -> None:
    """Raise `WorkloadError` for an import of what is neither beside the notebook nor installed."""
    for tree, place in _importing(path, cells):
        check_importable(tree, path.parent, place, is_installed)


def modules_needed(path: Path) -> list[str]:
    """Name the modules that a notebook's travelling code imports and that have to be installed."""
    path = path.expanduser().absolute()
    trees = (tree for tree, _ in _importing(path, travelling_cells(path)))
    return list(dict.fromkeys(name for tree in trees for name, _ in needed_modules(tree, path.parent)))


def _importing(path: Path, cells: Sequence[PlainCell]) -> Iterator[tuple[ast.Module, Place]]:
    """Yield the cells, then the modules beside the notebook that they import."""
    for cell in cells:
        yield cell.tree, Place(f"cell {cell.cell.number}", cell.cell.number)
    for module in local_modules([cell.tree for cell in cells], path.parent):
        yield ast.parse(module.text), Place(module.path)


def _together(
    modules: Sequence[SourceFile], named: Sequence[SourceFile], programs: Collection[str]
) -> tuple[SourceFile, ...]:
    """Join what the cells import and what is named; a file that is both travels once."""
    files = {file.path: file for file in (*named, *modules)}
    for program in programs:
        if program in files:
            raise WorkloadError(
                f"the notebook takes a file {program} along, which is the job's own name: rename it"
            )
    return tuple(files[path] for path in sorted(files))


def _references(
    cells: Sequence[PlainCell], modules: Sequence[SourceFile], overridden: Mapping[str, Parameter]
) -> Iterator[Reference]:
    for cell in cells:
        names = overridden if PARAMETERS in cell.cell.tags else ()
        yield from references(cell.tree, f"cell {cell.cell.number}", cell.cell.number, names)
    for module in modules:
        yield from references(ast.parse(module.text), module.path)


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
