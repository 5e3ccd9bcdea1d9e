"""`train(...)`: a notebook hands itself, or another notebook, to a distributed job.

A submission is a dry run (a `Job` that can be printed, compared and tested) and
the sending of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, TypeVar, overload

from pydantic import ValidationError

from jupyterhub_mesos.client import Client
from jupyterhub_mesos.errors import InvalidInput, WorkloadError
from jupyterhub_mesos.training.cells import TakenAlong
from jupyterhub_mesos.training.environment import own_environment
from jupyterhub_mesos.training.modules import is_installed_here
from jupyterhub_mesos.training.notebook import PROGRAM, Parameter, read
from jupyterhub_mesos.training.render import Framework
from jupyterhub_mesos.training.run import TrainingRun, say
from jupyterhub_mesos.wire import (
    Environment,
    Job,
    PlacementModel,
    RequestSubmission,
    ResourcesModel,
    Restart,
    Role,
    TrainingPayload,
    Wire,
    slug,
)

DEFAULT_RESOURCES: Final = {"cpu_millis": 1000, "mem_mib": 1024}
"""Per worker: one core and 1 GiB."""
CHECKPOINTS: Final = "~/lake/team/checkpoints"
"""Where checkpoints lie unless told otherwise: every node's replica and the notebook see it."""

_W = TypeVar("_W", bound=Wire)
Amounts = Mapping[str, int | Mapping[str, int]]


@overload
def train(
    notebook: str | Path | None = ...,
    *,
    workers: int = ...,
    resources: Amounts | None = ...,
    placement: PlacementModel | Mapping[str, object] | None = ...,
    framework: Framework = ...,
    checkpoint: str | None = ...,
    name: str | None = ...,
    team: str | None = ...,
    parameters: Mapping[str, Parameter] | None = ...,
    files: str | Sequence[str] = ...,
    data: str | Sequence[str] = ...,
    environment: Environment | None = ...,
    restarts: int = ...,
    wait: bool = ...,
    dry_run: Literal[False] = ...,
) -> TrainingRun: ...


@overload
def train(
    notebook: str | Path | None = ...,
    *,
    workers: int = ...,
    resources: Amounts | None = ...,
    placement: PlacementModel | Mapping[str, object] | None = ...,
    framework: Framework = ...,
    checkpoint: str | None = ...,
    name: str | None = ...,
    team: str | None = ...,
    parameters: Mapping[str, Parameter] | None = ...,
    files: str | Sequence[str] = ...,
    data: str | Sequence[str] = ...,
    environment: Environment | None = ...,
    restarts: int = ...,
    wait: bool = ...,
    dry_run: Literal[True],
) -> Job: ...


def train(  # noqa: PLR0913 - the front door of a notebook: keywords with defaults, each said below
    notebook: str | Path | None = None,
    *,
    workers: int = 2,
    resources: Amounts | None = None,
    placement: PlacementModel | Mapping[str, object] | None = None,
    framework: Framework = "generic",
    checkpoint: str | None = None,
    name: str | None = None,
    team: str | None = None,
    parameters: Mapping[str, Parameter] | None = None,
    files: str | Sequence[str] = (),
    data: str | Sequence[str] = (),
    environment: Environment | None = None,
    restarts: int = 3,
    wait: bool = True,
    dry_run: bool = False,
) -> TrainingRun | Job:
    """Run a notebook's `train` cells on `workers` processes under the team's quota.

    - `notebook`: its path; without it, the notebook that this kernel belongs to, as it was last saved.
    - `resources`: per worker, `{"cpu_millis": 1000, "mem_mib": 1024, "accelerators": {"h200": 1}}`.
    - `placement`: on which nodes, `{"labels": {"rack": "a"}, "zones": "one"}`; see docs/reference/job.md.
    - `framework`: which variables the workers find each other by: docs/reference/job.md lists them.
    - `checkpoint`: a folder that survives a worker; `~/lake/team/checkpoints/NAME` by default. An
      existing one is resumed from, so name the one of an earlier job to go on with it.
    - `parameters`: override what the notebook's `parameters` cells set.
    - `files`: what travels besides the modules that the cells import: paths, folders or patterns beside
      the notebook. `data`: what is read of the lake, where the cells do not say so in plain text.
    - `environment`: the Python to run in; that of this kernel by default. Whether another has the modules
      that the cells import is not looked at.
    - `restarts`: how often a failed generation is followed by the next.
    - `wait`: follow the job to its end; else return at once. `dry_run`: return the job, send nothing.

    Raises `WorkloadError` for a notebook that cannot become a job or a job that failed,
    `InvalidInput` for arguments that do not hold, and the service's own refusals.
    """
    path = Path(notebook) if notebook is not None else own_notebook()
    read_notebook = read(
        path,
        parameters,
        along=TakenAlong(_several(files), _several(data)),
        is_installed=is_installed_here if environment is None else _taken_on_trust,
    )
    job_name = name or f"{slug(path.stem)}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    role = {"argv": ("python", f"{{job}}/{PROGRAM}"), "replicas": workers}
    job = _checked(
        Job,
        name=job_name,
        source=read_notebook.source,
        environment=own_environment() if environment is None else environment,
        roles=(
            _checked(Role, **role, resources=_checked(ResourcesModel, **(resources or DEFAULT_RESOURCES))),
        ),
        framework=framework,
        restart=_checked(Restart, max_restarts=restarts),
        checkpoint_uri=checkpoint or f"{CHECKPOINTS}/{job_name}",
        placement=_checked(PlacementModel, **placement) if isinstance(placement, Mapping) else placement,
    )
    if dry_run:
        return job
    for line in read_notebook.dropped:
        say(f"did not travel (only IPython understands it): {line}")
    for note in read_notebook.notes:
        say(f"note: {note}")
    run = submit(job, team=team)
    return run.wait() if wait else run


def submit(
    job: Job,
    *,
    team: str | None = None,
    client: Client | None = None,
    report: Callable[[str], None] = say,
) -> TrainingRun:
    """Send a job to the capacity service; it runs or waits when this returns."""
    client = client or Client.from_environment()
    view = client.submit(_checked(RequestSubmission, team=team, payload=TrainingPayload(job=job)))
    report(f"job {job.name} is request {view.id}: {view.status} ({view.page_url})")
    return TrainingRun(client, view.id, job)


def own_notebook(environ: Mapping[str, str] | None = None) -> Path:
    """Find the notebook that this kernel runs, by what Jupyter Server tells its kernels.

    Raises `WorkloadError` saying to name it where it cannot be found (a console, nbclient).
    """
    name = (os.environ if environ is None else environ).get("JPY_SESSION_NAME", "")
    path = Path(name)
    if path.suffix != ".ipynb" or not path.is_file():
        raise WorkloadError(
            "which notebook this kernel belongs to is not known here "
            f"(JPY_SESSION_NAME is {name or 'not set'!r}): pass its path, train(notebook='my.ipynb', ...)"
        )
    return path


def _several(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _taken_on_trust(_module: str) -> bool:
    return True


def _checked(model: type[_W], **values: object) -> _W:
    """Build a message; what does not hold is said per field, in our error."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, p['loc'])) or 'the job'}: {p['msg']}" for p in error.errors())
        raise InvalidInput("; ".join(problems)) from error
