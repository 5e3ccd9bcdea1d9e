"""A notebook file as the Train dialog sees it: defaults from its cells, and the order made into a job."""

from __future__ import annotations

import ast
import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from jupyterhub_mesos.lab.messages import Framework, ParameterField, TrainForm, TrainOrder
from jupyterhub_mesos.lab.problems import FieldProblem
from jupyterhub_mesos.training.cells import PARAMETERS, TRAIN, PlainCell, code_cells, plain
from jupyterhub_mesos.training.modules import is_installed_here
from jupyterhub_mesos.training.notebook import PROGRAM, Parameter, check_modules, read, travelling_cells
from jupyterhub_mesos.training.submit import CHECKPOINTS, DEFAULT_RESOURCES, train
from jupyterhub_mesos.wire import Environment, Job, slug

WORKERS: Final = 2
RESTARTS: Final = 3
_FRAMEWORKS: Final[dict[str, Framework]] = {
    "torch": "torch",
    "lightning": "torch",
    "tensorflow": "tensorflow",
    "keras": "tensorflow",
    "jax": "jax",
    "flax": "jax",
}
"""What the workers find each other by, by the package that the cells import."""
_KINDS: Final[dict[type, str]] = {bool: "truth", int: "whole", float: "number", str: "text"}
_MEANT: Final = {
    "truth": "True or False",
    "whole": "a whole number",
    "number": "a number",
}


def form_of(path: Path, shown_as: str, missing: Collection[str] | None = None) -> TrainForm:
    """Read a notebook for the dialog; raises `WorkloadError` where it cannot become a job.

    `missing` are the modules that its kernel lacks; without it they are looked for in this server's Python.
    """
    notebook = read(path, is_installed=installed(missing))
    cells = travelling_cells(path)
    name = f"{slug(path.stem)}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    return TrainForm(
        path=shown_as,
        job_name=name,
        workers=WORKERS,
        cpu_millis=DEFAULT_RESOURCES["cpu_millis"],
        mem_mib=DEFAULT_RESOURCES["mem_mib"],
        framework=_framework(cell.tree for cell in cells),
        checkpoint=f"{CHECKPOINTS}/{name}",
        restarts=RESTARTS,
        parameters=tuple(_field(name, value) for name, value in _parameters(cells).items()),
        train_cells=tuple(cell.cell.number for cell in cells if TRAIN in cell.cell.tags),
        files=tuple(file.path for file in notebook.source.files if file.path != PROGRAM),
        dropped=tuple(map(str, notebook.dropped)),
        data=notebook.source.data,
        notes=notebook.notes,
    )


def job_of(path: Path, order: TrainOrder) -> Job:
    """Make the job that the order describes; raises `WorkloadError` or `InvalidInput` as `train` does."""
    if order.restarts and not order.checkpoint:
        raise FieldProblem(
            f"{order.restarts} restarts asked for without a checkpoint place, so each would begin at the "
            f"first step: name a place (for instance {CHECKPOINTS}/{order.name}), or ask for 0 restarts",
            field="checkpoint",
        )
    check_modules(path, travelling_cells(path), installed(order.missing if order.environment else None))
    job = train(
        path,
        name=order.name,
        workers=order.workers,
        resources={
            "cpu_millis": order.cpu_millis,
            "mem_mib": order.mem_mib,
            "accelerators": order.accelerators,
        },
        framework=order.framework,
        checkpoint=order.checkpoint,
        restarts=order.restarts,
        parameters=typed(path, order.parameters) if order.parameters else None,
        files=order.files,
        environment=order.environment or Environment(),
        dry_run=True,
    )
    return job if order.checkpoint else job.model_copy(update={"checkpoint_uri": None})


def installed(missing: Collection[str] | None) -> Callable[[str], bool]:
    """Know the modules of a kernel that said what it lacks; without that, of this server's Python."""
    return is_installed_here if missing is None else lambda name: name not in missing


# ---- parameters ----------------------------------------------------------------------------------


def _parameters(cells: Iterable[PlainCell]) -> dict[str, bool | int | float | str]:
    """Return the names that the `parameters` cells set to a plain value, in their order."""
    found: dict[str, bool | int | float | str] = {}
    for cell in cells:
        if PARAMETERS in cell.cell.tags:
            found.update(_assignments(cell.tree))
    return found


def _assignments(tree: ast.Module) -> Iterator[tuple[str, bool | int | float | str]]:
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=node):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as node):
                pass
            case _:
                continue
        try:
            value: object = ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            continue  # computed: it travels, and is not for a form
        if isinstance(value, bool | int | float | str):
            yield name, value


def _field(name: str, value: bool | int | float | str) -> ParameterField:
    return ParameterField.model_validate({"name": name, "kind": _KINDS[type(value)], "value": str(value)})


def typed(path: Path, texts: Mapping[str, str]) -> dict[str, Parameter]:
    """Read what was typed as the type that the notebook's own value has.

    An unknown name stays text: `train` refuses it with the names that there are.
    """
    fields = {name: _field(name, value) for name, value in _parameters(_cells(path)).items()}
    return {name: _value(fields[name], text) if name in fields else text for name, text in texts.items()}


def _cells(path: Path) -> list[PlainCell]:
    return [plain(cell) for cell in code_cells(path) if PARAMETERS in cell.tags]


def _value(field: ParameterField, text: str) -> Parameter:
    try:
        match field.kind:
            case "text":
                return text
            case "whole":
                return int(text)
            case "number":
                return _finite(float(text))
            case "truth":
                return {"true": True, "false": False}[text.strip().lower()]
    except (ValueError, KeyError):
        raise FieldProblem(
            f"the parameter {field.name} is {field.value} in the notebook, and {text!r} is not "
            f"{_MEANT[field.kind]}",
            field=f"parameters.{field.name}",
        ) from None


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError
    return value


def _framework(trees: Iterable[ast.Module]) -> Framework:
    for tree in trees:
        for node in ast.walk(tree):
            for name in _imported(node):
                found = _FRAMEWORKS.get(name.partition(".")[0])
                if found:
                    return found
    return "generic"


def _imported(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=str(name), level=0):
            yield name
        case _:
            pass
