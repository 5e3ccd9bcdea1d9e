"""`train`: the project's `train.py` as a distributed job of the team, followed to its end."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyterhub_mesos.client import Client, is_over
from jupyterhub_mesos.errors import CapacityError, InvalidInput, NotFound, WorkloadError
from jupyterhub_mesos.pipeline.context import Run, digests_of
from jupyterhub_mesos.pipeline.lock import locked_packages
from jupyterhub_mesos.pipeline.rendering import LOCK
from jupyterhub_mesos.pipeline.reporting import Outcome
from jupyterhub_mesos.pipeline.signals import Interrupted
from jupyterhub_mesos.pipeline.state import JobRecord
from jupyterhub_mesos.training.notebook import PROGRAM
from jupyterhub_mesos.training.run import TrainingRun
from jupyterhub_mesos.training.submit import CHECKPOINTS, submit
from jupyterhub_mesos.wire import (
    Environment,
    Job,
    PipelineStep,
    RequestView,
    Restart,
    Role,
    Source,
    SourceFile,
    TrainingPayload,
)

COMMIT_DIGITS: Final = 8
FINISHED: Final = "finished"


@dataclass(frozen=True, slots=True)
class Train:
    """The step."""

    name: PipelineStep = "train"

    def left_out(self, run: Run) -> str:
        """Train always."""
        return ""

    def depends_on(self, run: Run) -> tuple[object, ...]:
        """Return what the job is made of."""
        folder, pipeline = run.project.folder, run.project.pipeline
        files = digests_of(folder, (PROGRAM, LOCK, *pipeline.files))
        return (pipeline.train, pipeline.environment, files)

    def is_intact(self, run: Run) -> bool:
        """Whether the job is known."""
        return run.state.state.job is not None

    def take(self, run: Run, inputs: str) -> Outcome:
        """Submit the job, or go on following the one of an earlier run."""
        job = job_of(run, inputs)
        found = _found(run, job, inputs)
        training = TrainingRun(run.client(), found, job) if found else _submitted(run, job, inputs)
        try:
            training.wait(run.reporter.say)
        except Interrupted:
            _end(run, training)
            raise
        except WorkloadError as error:
            page = training.request.page_url
            raise WorkloadError(f"{error}\nThe job's page: {page}") from error
        return _outcome(run, training)


def job_of(run: Run, inputs: str) -> Job:
    """Make the job of a project; its name says which commit and content, so that it is found again."""
    project, pipeline = run.project, run.project.pipeline
    part = pipeline.train
    name = f"{pipeline.name}-{project.commit[:COMMIT_DIGITS]}-{inputs[:COMMIT_DIGITS]}"
    checkpoint = f"{CHECKPOINTS}/{name}"
    if run.is_again:  # what an earlier run left there would be resumed from
        name, checkpoint = f"{name}-again", f"{checkpoint}-{os.urandom(3).hex()}"
    role = Role(argv=("python", f"{{job}}/{PROGRAM}"), replicas=part.workers, resources=part.resources)
    return Job(
        name=name,
        source=_source(run),
        environment=_environment(run),
        roles=(role,),
        framework=part.framework,
        restart=Restart(max_restarts=part.restarts),
        checkpoint_uri=checkpoint,
        time_limit_seconds=part.time_limit_seconds,
    )


def _source(run: Run) -> Source:
    project, pipeline = run.project, run.project.pipeline
    files = [SourceFile.of(path, _read(project.folder, path)) for path in (PROGRAM, *pipeline.files)]
    return Source(
        notebook=pipeline.notebook,
        commit=project.commit,
        is_dirty=project.is_dirty,
        sha256=digests_of(project.folder, (pipeline.notebook,)).get(pipeline.notebook, ""),
        data=pipeline.data,
        files=tuple(files),
    )


def _read(folder: Path, path: str) -> bytes:
    try:
        return (folder / path).read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"{path} of the project cannot be read ({error.strerror}): export it again"
        ) from error


def _environment(run: Run) -> Environment:
    folder, part = run.project.folder, run.project.pipeline.environment
    lock = folder / LOCK
    packages = locked_packages(lock.read_text(encoding="utf-8")) if lock.is_file() else ()
    return Environment(python=part.python, interpreter=part.interpreter, packages=packages)


# ---- the request -----------------------------------------------------------------------------------


def _found(run: Run, job: Job, inputs: str) -> str | None:
    """Return the request of an earlier run that may still come to something, and note it."""
    if run.is_again:
        return None
    record, client = run.state.state.job, run.client()
    if record is not None and record.inputs == inputs and _is_worth_following(client, record.request):
        run.reporter.say(f"goes on with job {record.name}, request {record.request}")
        return record.request
    for view in client.requests(kind="training"):
        if view.name == job.name and _is_same(view, job) and not _has_failed(view):
            run.reporter.say(f"found job {job.name} of an earlier run, request {view.id}")
            _note(run, job, view.id, inputs)
            return view.id
    return None


def _is_worth_following(client: Client, request_id: str) -> bool:
    try:
        return not _has_failed(client.request(request_id))
    except NotFound:
        return False


def _has_failed(view: RequestView) -> bool:
    return is_over(view) and view.outcome != FINISHED


def _is_same(view: RequestView, job: Job) -> bool:
    """Whether it is the own owner's, with the same checkpoint: an admin sees others' as well."""
    user = os.environ.get("JUPYTERHUB_USER")
    is_own = user is None or view.user == user
    return (
        is_own
        and isinstance(view.payload, TrainingPayload)
        and (view.payload.job.checkpoint_uri == job.checkpoint_uri)
    )


def _submitted(run: Run, job: Job, inputs: str) -> TrainingRun:
    """Send the job and note it, both or neither, whenever a signal comes."""
    client = run.client()
    with run.signals.held():
        training = submit(job, team=run.team, client=client, report=run.reporter.say)
        _note(run, job, training.id, inputs)
    return training


def _note(run: Run, job: Job, request_id: str, inputs: str) -> None:
    checkpoint = job.checkpoint_uri or ""
    record = JobRecord(inputs=inputs, request=request_id, name=job.name, checkpoint=checkpoint)
    run.state.change(job=record)


def _end(run: Run, training: TrainingRun) -> None:
    try:
        training.cancel()
    except CapacityError as error:
        run.reporter.say(f"job {training.job.name} could not be ended: {error}")
    else:
        run.reporter.say(f"job {training.job.name} (request {training.id}) is being ended")


def _outcome(run: Run, training: TrainingRun) -> Outcome:
    metrics = {name: value for name, value in training.metrics.items() if value is not None}
    record = run.state.state.job
    if record is not None:
        run.state.change(
            job=record.model_copy(update={"generation": training.generation, "metrics": metrics})
        )
    said = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items()) or "no metric was printed"
    workers = training.job.roles[0].replicas
    result = f"{said}; {workers} workers, generation {training.generation}; checkpoint {training.checkpoint}"
    return Outcome(result, output=training.id, request=training.id)
