"""Runs a project's steps in their order: each once, its result kept, its progress said."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyterhub_mesos.client import Client
from jupyterhub_mesos.errors import CapacityError, InvalidInput
from jupyterhub_mesos.pipeline.checkout import Project, checked_out, project_in
from jupyterhub_mesos.pipeline.context import Run, Step, digest
from jupyterhub_mesos.pipeline.reporting import Outcome, Reporter
from jupyterhub_mesos.pipeline.serving_step import Serve
from jupyterhub_mesos.pipeline.signals import Interrupted, Signals
from jupyterhub_mesos.pipeline.spelling import team_here
from jupyterhub_mesos.pipeline.state import StateFile, StepRecord, sole_run
from jupyterhub_mesos.pipeline.storing_steps import Optimise, Store, Verify
from jupyterhub_mesos.pipeline.testing_step import Test
from jupyterhub_mesos.pipeline.training_step import Train
from jupyterhub_mesos.wire import PipelineStep, StepState
from jupyterhub_mesos_quota.errors import QuotaError

ALL: Final[tuple[Step, ...]] = (Train(), Test(), Optimise(), Store(), Verify(), Serve())
WORK: Final = "~/pipelines"
"""Below it a run has its work folder, `NAME/COMMIT`."""
PROJECT: Final = "project"
EXIT_DONE: Final = 0
EXIT_FAILED: Final = 1
CALL_SECONDS: Final = 10.0
"""Of one call: less than a task's grace, in which a job that was started has to be ended."""
GET_ATTEMPTS: Final = 40
"""A look is repeated for about a minute: a service that restarts meanwhile must not fail a step."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be run: `steps` (all where it is empty), in `work` or else the usual folder."""

    steps: Sequence[PipelineStep] = ()
    work: Path | None = None
    is_again: bool = False
    with_events: bool = False
    team: str | None = None


def patient_client() -> Client:
    """Reach the service as the environment says."""
    return Client.from_environment(call_seconds=CALL_SECONDS, get_attempts=GET_ATTEMPTS)


def run_folder(folder: Path, asked: Asked, client: Callable[[], Client] = patient_client) -> int:
    """Run the steps of the project that somebody has in `folder`; return the exit code."""
    signals = Signals()
    with signals.caught():
        try:
            project = project_in(folder)
            work = _work(project, asked)
            with sole_run(work):
                return _run(project, work, asked, signals, client)
        except Interrupted as interrupted:
            return interrupted.exit_code


def run_commit(
    repository: str, commit: str, asked: Asked, client: Callable[[], Client] = patient_client
) -> int:
    """Check a commit out and run its steps; return the exit code."""
    signals = Signals()
    with signals.caught():
        try:
            with tempfile.TemporaryDirectory(prefix="jupyterhub-mesos-pipeline-") as scratch:
                name = checked_out(repository, commit, Path(scratch) / PROJECT)
                work = _work(name, asked)
            with sole_run(work):
                project = checked_out(repository, commit, work / PROJECT)
                return _run(project, work, asked, signals, client)
        except Interrupted as interrupted:
            return interrupted.exit_code


def _work(project: Project, asked: Asked) -> Path:
    usual = Path(WORK) / project.pipeline.name / project.version
    return (asked.work or usual).expanduser().absolute()


def _run(project: Project, work: Path, asked: Asked, signals: Signals, client: Callable[[], Client]) -> int:
    run = Run(
        project=project,
        work=work,
        state=StateFile(work, project.pipeline.name, project.version),
        reporter=Reporter.for_stdout(with_events=asked.with_events),
        signals=signals,
        client=client,
        team=asked.team or team_here(),
        is_again=asked.is_again,
    )
    run.reporter.head(f"pipeline {project.pipeline.name} at {project.version}, work in {work}")
    wanted = set(asked.steps) or {step.name for step in ALL}
    for at, step in enumerate(ALL):
        if step.name in wanted and not _taken(run, step, _output_before(run, at)):
            return EXIT_FAILED
    return EXIT_DONE


# ---- one step --------------------------------------------------------------------------------------


def _output_before(run: Run, at: int) -> str:
    """Return what the step before made; raises `InvalidInput` where it has not been done as things are."""
    output = ""
    for step in ALL[:at]:
        record = run.state.state.steps.get(step.name)
        if record is None or not _holds(record, _inputs(run, step, output)):
            raise InvalidInput(
                f"the step {step.name} has not been done with these files, and {ALL[at].name} goes on from "
                f"it: run it first (--step {step.name}), or run all steps"
            )
        output = record.output
    return output


def _inputs(run: Run, step: Step, output_before: str) -> str:
    return digest(step.name, *step.depends_on(run), output_before)


def _holds(record: StepRecord, inputs: str) -> bool:
    return record.state in {"done", "skipped"} and record.inputs == inputs


def _taken(run: Run, step: Step, output_before: str) -> bool:
    """Take a step or skip it; False where it failed."""
    inputs = _inputs(run, step, output_before)
    if reason := step.left_out(run):
        outcome = Outcome(f"left out: {reason}", output=output_before)
        run.state.record(step.name, _record("skipped", inputs, outcome, 0.0))
        run.reporter.step(step.name, "skipped", outcome)
        return True
    record = run.state.state.steps.get(step.name)
    if record is not None and _holds(record, inputs) and not run.is_again and step.is_intact(run):
        said = Outcome(f"as before: {record.result}", record.output, record.request, record.rows)
        run.reporter.step(step.name, "skipped", said)
        return True
    return _done(run, step, inputs)


def _done(run: Run, step: Step, inputs: str) -> bool:
    began = time.monotonic()
    run.reporter.step(step.name, "running", Outcome("", ""))

    def ended(state: StepState, outcome: Outcome) -> None:
        seconds = time.monotonic() - began
        run.state.record(step.name, _record(state, inputs, outcome, seconds))
        run.reporter.step(step.name, state, outcome, seconds)

    try:
        outcome = step.take(run, inputs)
    except Interrupted as interrupted:
        ended("cancelled", Outcome(f"{interrupted}; run it again to go on from here", ""))
        raise
    except (CapacityError, QuotaError, OSError) as error:
        ended("failed", Outcome(str(error), ""))
        return False
    except Exception as error:
        ended("failed", Outcome(f"{type(error).__name__}: {error}", ""))
        raise  # a fault of ours: its traceback stands below
    ended("done", outcome)
    return True


def _record(state: StepState, inputs: str, outcome: Outcome, seconds: float) -> StepRecord:
    return StepRecord(
        state=state,
        inputs=inputs,
        output=outcome.output,
        result=outcome.result,
        seconds=seconds,
        request=outcome.request,
        rows=outcome.rows,
    )
