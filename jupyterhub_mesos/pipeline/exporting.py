"""`export_pipeline(...)`: a notebook becomes a pipeline's project in git, step by step.

read -> render -> check -> commit -> push. Nothing is in the remote before the last step, which puts all
there or nothing.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from jupyterhub_mesos.errors import InvalidInput, WorkloadError
from jupyterhub_mesos.export.git import Remote, find_remote
from jupyterhub_mesos.pipeline.document import FILE, MODELS, PipelineFile, read_pipeline
from jupyterhub_mesos.pipeline.lock import lock_text
from jupyterhub_mesos.pipeline.pushing import Committed, Content, Pushed, push_project
from jupyterhub_mesos.pipeline.reading import TEST_PROGRAM, NotebookProject, read_project
from jupyterhub_mesos.pipeline.rendering import LINEAGE, LOCK, Rendering, json_text, rendered
from jupyterhub_mesos.pipeline.repository import PIPELINES, create_repository, is_ours_to_make
from jupyterhub_mesos.training.cells import TakenAlong
from jupyterhub_mesos.training.environment import own_environment
from jupyterhub_mesos.training.modules import is_installed_here
from jupyterhub_mesos.training.notebook import PROGRAM, Parameter
from jupyterhub_mesos.training.render import Framework
from jupyterhub_mesos.training.run import say
from jupyterhub_mesos.training.submit import Amounts, own_notebook
from jupyterhub_mesos.wire import Environment, slug

Say = Callable[[str], None]
PROGRAMS: Final = frozenset({PROGRAM, TEST_PROGRAM})


@dataclass(frozen=True, slots=True)
class PushedPipeline:
    """A pipeline's project in git.

    `is_new` is false where the same stood there already, and nothing was pushed. `request_id` is
    the run that the push started in the embedded CI; None where the remote's own CI runs it.
    """

    name: str
    remote: str
    commit: str
    is_new: bool
    request_id: str | None
    files: tuple[str, ...]
    dropped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """What the owner asked for; `spec` are the keys of `pipeline.yaml` that the notebook does not give."""

    notebook: Path
    name: str
    remote: str
    parameters: Mapping[str, Parameter]
    spec: Mapping[str, object]
    along: TakenAlong
    environment: Environment
    is_installed: Callable[[str], bool]
    report: Say


@dataclass(slots=True)
class Draft:
    """What the steps found so far, in their order; a step reads only what earlier ones set."""

    order: Order
    project: NotebookProject = field(init=False)  # read
    pipeline: PipelineFile = field(init=False)  # render
    files: dict[str, bytes] = field(init=False)  # render
    where: Remote = field(init=False)  # check
    pushed: Pushed = field(init=False)  # push


def export_pipeline(  # noqa: PLR0913 - the front door of a notebook: keywords with defaults, each said below
    notebook: str | Path | None = None,
    *,
    name: str | None = None,
    remote: str | None = None,
    description: str = "",
    parameters: Mapping[str, Parameter] | None = None,
    workers: int = 2,
    resources: Amounts | None = None,
    framework: Framework = "generic",
    restarts: int = 3,
    model: str = "model",
    example_inputs: str | None = None,
    held_out: tuple[str, str] | None = None,
    minimum: Mapping[str, float] | None = None,
    optimise: bool = True,
    tolerance: float = 0.01,
    models: str = MODELS,
    serve: bool = True,
    serve_resources: Amounts | None = None,
    files: Sequence[str] = (),
    data: Sequence[str] = (),
    environment: Environment | None = None,
    is_installed: Callable[[str], bool] = is_installed_here,
    report: Say = say,
) -> PushedPipeline:
    """Make a notebook a pipeline's project and push it to git, printing each step's result.

    - `notebook`: its path; without it, the notebook that this kernel belongs to, as it was last saved.
    - `name`: of pipeline and model, the notebook's by default; `remote`: a git repository, by default
      `~/lake/team/pipelines/NAME.git`, which is made when it is missing and runs what is pushed to it.
    - `workers`, `resources` (per worker), `framework`, `restarts`, `parameters`: as in `train`.
    - `model`, `example_inputs`, `held_out=(rows, labels)`: names of variables that the cells tagged
      `parameters`, `train` and `model` set. Without `example_inputs` the first held-out rows are taken.
    - `minimum`: the least value of each metric, `{"accuracy": 0.9}`, which the test step asks for.
    - `optimise`: whether smaller forms are tried; `tolerance`: what accuracy the chosen one may lose.
    - `models`: the repository of models; `serve`: whether the new version is served, with `serve_resources`.
    - `files`: what goes along besides the imported modules; `data`: what of the lake the code reads besides
      the paths that it spells out.
    - `environment`: the Python that the notebook is written in, by default this one; `is_installed` knows
      its modules.

    Raises `WorkloadError` with the cell and line where there is one, `InvalidInput` for
    arguments that do not hold, `Conflict`; nothing is published then.
    """
    path = Path(notebook).expanduser() if notebook is not None else own_notebook()
    chosen = name or slug(path.stem, fallback="pipeline")
    rows, labels = held_out or (None, None)
    order = Order(
        notebook=path,
        name=chosen,
        remote=remote or f"{PIPELINES}/{chosen}.git",
        parameters=parameters or {},
        spec={
            "description": description,
            "train": _train_part(workers, resources, framework, restarts),
            "model": {
                "variable": model,
                "example_inputs": example_inputs,
                "held_out_rows": rows,
                "held_out_labels": labels,
            },
            "test": {"minimum": {key: float(value) for key, value in (minimum or {}).items()}},
            "optimise": {"enabled": optimise, "tolerance": tolerance},
            "store": {"repository": models},
            "serve": {"enabled": serve, **({"resources": serve_resources} if serve_resources else {})},
        },
        along=TakenAlong(tuple(files), tuple(data)),
        environment=environment if environment is not None else own_environment(),
        is_installed=is_installed,
        report=report,
    )
    return _exported(Draft(order))


def _train_part(
    workers: int, resources: Amounts | None, framework: Framework, restarts: int
) -> dict[str, object]:
    part: dict[str, object] = {"workers": workers, "framework": framework, "restarts": restarts}
    return part | ({"resources": resources} if resources else {})


def _exported(draft: Draft) -> PushedPipeline:
    _read(draft)
    _render(draft)
    _check(draft)
    _publish(draft)
    pushed, order = draft.pushed, draft.order
    return PushedPipeline(
        name=order.name,
        remote=order.remote,
        commit=pushed.commit,
        is_new=pushed.is_new,
        request_id=pushed.request_id,
        files=tuple(draft.files),
        dropped=tuple(map(str, draft.project.read.dropped)),
    )


# ---- the steps --------------------------------------------------------------------------------------

STEPS: Final = ("read", "render", "check", "commit", "push")


def _reported(draft: Draft, step: str, began: float, result: str) -> None:
    number = STEPS.index(step) + 1
    seconds = time.perf_counter() - began
    draft.order.report(f"{number}/{len(STEPS)} {step:<8} {result} ({seconds:.2f} s)")


def _read(draft: Draft) -> None:
    began, order = time.perf_counter(), draft.order
    draft.project = project = read_project(
        order.notebook, order.parameters, along=order.along, is_installed=order.is_installed
    )
    tested = f"{project.tested} cells test" if project.tested else "no cell is tagged 'test'"
    _reported(
        draft,
        "read",
        began,
        f"{order.notebook.name}: {len(project.read.source.files)} files of code; {tested}",
    )
    for line in project.read.dropped:
        order.report(f"    left out (only IPython understands it): {line}")
    for note in project.read.notes:
        order.report(f"    note: {note}")


def _render(draft: Draft) -> None:
    began, order, project = time.perf_counter(), draft.order, draft.project
    draft.pipeline = _pipeline(order, project)
    python = ".".join(order.environment.python.split(".")[:2]) or "3"
    texts = rendered(Rendering(draft.pipeline, python))
    texts |= {project.path.name: project.notebook, LOCK: lock_text(order.environment)}
    files = {path: text.encode() for path, text in texts.items()}
    for file in project.read.source.files:
        if file.path in files or file.path == LINEAGE:
            raise WorkloadError(f"the notebook takes {file.path} along, which the pipeline writes: rename it")
        files[file.path] = file.content()
    draft.files = files | {LINEAGE: _lineage(project, files).encode()}
    _reported(draft, "render", began, f"{len(draft.files)} files, {sum(map(len, files.values()))} bytes")


def _pipeline(order: Order, project: NotebookProject) -> PipelineFile:
    environment = {"python": order.environment.python, "interpreter": order.environment.interpreter}
    given = {
        "name": order.name,
        "notebook": project.path.name,
        "files": tuple(file.path for file in project.read.source.files if file.path not in PROGRAMS),
        "data": project.read.source.data,
        "environment": environment,
        **order.spec,
    }
    try:
        return PipelineFile.model_validate(given)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, one['loc']))}: {_said(one['msg'])}" for one in error.errors())
        raise InvalidInput("; ".join(problems)) from error


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")


def _lineage(project: NotebookProject, files: Mapping[str, bytes]) -> str:
    source = project.read.source
    return json_text(
        {
            "notebook": project.path.name,
            "notebook_commit": source.commit,
            "notebook_is_dirty": source.is_dirty,
            "diff": source.diff,
            "files": {path: hashlib.sha256(written).hexdigest() for path, written in files.items()},
        }
    )


def _check(draft: Draft) -> None:
    """Read the file back as a run will, and look at what only a run would notice else."""
    began, order = time.perf_counter(), draft.order
    read_pipeline(draft.files[FILE])
    _check_names(draft.project, draft.pipeline)
    made = ""
    if is_ours_to_make(order.remote):
        made = f"; made {create_repository(order.remote)}, whose pushes start the pipeline"
    draft.where = find_remote(order.remote)
    _reported(draft, "check", began, f"the model is in {draft.pipeline.model.variable!r}{made}")


def _check_names(project: NotebookProject, pipeline: PipelineFile) -> None:
    if project.names is None:
        return
    model = pipeline.model
    asked = (model.variable, model.example_inputs, model.held_out_rows, model.held_out_labels)
    missing = [name for name in asked if name is not None and name not in project.names]
    if missing:
        raise WorkloadError(
            f"no cell tagged 'parameters', 'train' or 'model' sets {', '.join(missing)}; they set "
            f"{', '.join(sorted(project.names))}: name one of these, or tag the cell that sets it 'model'"
        )


def _publish(draft: Draft) -> None:
    order = draft.order
    began = time.perf_counter()

    def committed(made: Committed) -> None:
        nonlocal began
        result = f"{made.commit[:12]}, as it stands there already"
        if made.is_new:
            result = f"{made.commit[:12]}, {len(draft.files)} files"
        if made.replaced:
            result += f"; replaces what was changed by hand in {', '.join(made.replaced)}"
        _reported(draft, "commit", began, result)
        began = time.perf_counter()

    content = Content(draft.files, _author(), f"Export {order.name} from {draft.project.path.name}")
    draft.pushed = pushed = push_project(content, draft.where, committed)
    if not pushed.is_new:
        _reported(
            draft,
            "push",
            began,
            "left out: nothing changed; `jupyterhub-mesos pipeline submit` runs it again",
        )
        return
    _reported(draft, "push", began, f"{pushed.commit[:12]} to main of {draft.where}")
    for line in pushed.said.splitlines():
        order.report(f"    remote: {line}")


def _author() -> str:
    return os.environ.get("JUPYTERHUB_USER") or os.environ.get("USER") or "jupyter"
