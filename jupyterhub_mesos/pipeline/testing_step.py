"""`test`: the project's `test.py` on the trained model, and what the model has to reach."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from jupyterhub_mesos.errors import InvalidInput, WorkloadError
from jupyterhub_mesos.pipeline.context import Run, digests_of
from jupyterhub_mesos.pipeline.document import TestPart
from jupyterhub_mesos.pipeline.reading import TEST_PROGRAM
from jupyterhub_mesos.pipeline.reporting import Outcome
from jupyterhub_mesos.pipeline.tester import Answer, Order
from jupyterhub_mesos.wire import PipelineStep

PREPARED: Final = "prepared"
ORDER: Final = "test-order.json"
ANSWER: Final = "test-answer.json"
STOP_SECONDS: Final = 5.0
"""Between SIGTERM and SIGKILL for a test that is to end; well within a task's own grace."""
POLL_SECONDS: Final = 0.05
LOOK_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Test:
    """The step."""

    __test__ = False  # no test of pytest's

    name: PipelineStep = "test"

    def left_out(self, run: Run) -> str:
        """Test always."""
        return ""

    def depends_on(self, run: Run) -> tuple[object, ...]:
        """Return the program, what it imports, and what is asked of the model."""
        pipeline = run.project.pipeline
        files = digests_of(run.project.folder, (TEST_PROGRAM, *pipeline.files))
        return (pipeline.name, pipeline.model, pipeline.test, pipeline.environment, files)

    def is_intact(self, run: Run) -> bool:
        """Whether the prepared model is there."""
        return (run.work / PREPARED).is_dir()

    def take(self, run: Run, inputs: str) -> Outcome:
        """Run the program in a process of its own, then look at the metrics."""
        job = run.state.state.job
        if job is None:
            raise InvalidInput("there is no trained model to test: take the step train first")
        checkpoint = Path(job.checkpoint).expanduser()
        answer = _answer(run, checkpoint)
        if answer.failure:
            raise WorkloadError(answer.failure + _hint(checkpoint), cell=answer.cell, line=answer.line)
        check_minimum(run.project.pipeline.test, answer.metrics)
        said = ", ".join(f"{name} {value:.4f}" for name, value in answer.metrics.items())
        return Outcome(f"{said or 'nothing measured'}; {answer.summary}", output=_fingerprint(run))


def check_minimum(part: TestPart, metrics: Mapping[str, float]) -> None:
    """Raise `WorkloadError` for what the model does not reach, all of it at once.

    A metric may be named as it is measured (`held_out_accuracy`) or without its `held_out_`.
    """
    problems: list[str] = []
    for name, least in part.minimum.items():
        value = metrics.get(name, metrics.get(f"held_out_{name}"))
        if value is None:
            known = ", ".join(sorted(metrics)) or "nothing"
            problems.append(f"{name} was not measured (measured: {known})")
        elif not value >= least:  # not-a-number reaches nothing
            problems.append(f"{name} is {value:.4f}, at least {least:g} is asked for in pipeline.yaml")
    if problems:
        raise WorkloadError("; ".join(problems))


def _fingerprint(run: Run) -> str:
    facts = digests_of(run.work / PREPARED, ("prepared.json",))
    return facts.get("prepared.json", "")[:16]


def _hint(checkpoint: Path) -> str:
    if checkpoint.is_dir():
        return ""
    return (
        f". There is no {checkpoint}, where the training left its checkpoint: where this runner does not see "
        "the team's lake at ~/lake/team, let the service run the pipeline (jupyterhub-mesos pipeline submit)"
    )


# ---- the process -------------------------------------------------------------------------------------


def _answer(run: Run, checkpoint: Path) -> Answer:
    project, work = run.project, run.work
    order = Order(
        name=project.pipeline.name,
        project=str(project.folder),
        program=TEST_PROGRAM,
        model=project.pipeline.model,
        parity_tolerance=project.pipeline.test.parity_tolerance,
        prepared=str(work / PREPARED),
        answer=str(work / ANSWER),
    )
    (work / ORDER).write_text(order.model_dump_json(), encoding="utf-8")
    (work / ANSWER).unlink(missing_ok=True)
    command = (_interpreter(run), "-P", "-m", "jupyterhub_mesos.pipeline.tester", str(work / ORDER))
    code = _ran(run, command, checkpoint)
    try:
        return Answer.model_validate_json((work / ANSWER).read_bytes())
    except (FileNotFoundError, ValidationError):
        return Answer(failure=f"{TEST_PROGRAM} {_ending(code)} before it was tested; see its output")


def _interpreter(run: Run) -> str:
    """Return the notebook's own Python where it is here and can prepare a model, else this one."""
    named = run.project.pipeline.environment.interpreter
    path = str(Path(named).expanduser()) if named else sys.executable
    if path == sys.executable:
        return path
    if not os.access(path, os.X_OK):
        run.reporter.say(f"the notebook's Python {named} is not here: tests with {sys.executable}")
        return sys.executable
    probe = (path, "-P", "-c", "import jupyterhub_mesos.pipeline.tester, jupyterhub_mesos.export.preparation")
    done = subprocess.run(probe, capture_output=True, text=True, timeout=LOOK_SECONDS, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        raise WorkloadError(
            f"the notebook's Python {named} cannot prepare a model ({last}): install "
            "jupyterhub-mesos[export] there, or export the pipeline from a kernel that has it"
        )
    return path


def _ran(run: Run, command: tuple[str, ...], checkpoint: Path) -> int:
    """Run the process to its end, quoting what it prints; it never outlives this run."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("JOB_")}
    env |= {"JOB_CHECKPOINT": str(checkpoint), "PYTHONUNBUFFERED": "1"}
    limit = run.project.pipeline.test.time_limit_seconds
    with run.signals.held():  # started and known, whenever a signal comes
        process = subprocess.Popen(
            command,
            cwd=run.project.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    is_late = threading.Event()
    timer = threading.Timer(limit, _too_late, (process, is_late))
    timer.start()
    try:
        for line in process.stdout or ():
            run.reporter.quote(line.rstrip("\n"))
        _has_ended(process, None)
    finally:
        timer.cancel()
        code = _stopped(process)
    if is_late.is_set():
        raise WorkloadError(f"{TEST_PROGRAM} took longer than the {limit} s of test.time_limit_seconds")
    return code


def _too_late(process: subprocess.Popen[str], is_late: threading.Event) -> None:
    is_late.set()
    os.killpg(process.pid, signal.SIGKILL)


def _stopped(process: subprocess.Popen[str]) -> int:
    """End the process and all that it started; return its exit code.

    It is waited for last: until then its number, which is its group's, is nobody else's.
    """
    if not _has_ended(process, 0):
        os.killpg(process.pid, signal.SIGTERM)
        _has_ended(process, STOP_SECONDS)
    os.killpg(process.pid, signal.SIGKILL)
    if process.stdout is not None:
        process.stdout.close()
    return process.wait()


def _has_ended(process: subprocess.Popen[str], seconds: float | None) -> bool:
    """Wait for the end, without taking the exit code; False when `seconds` have passed first."""
    if seconds is None:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT) is not None
    deadline = time.monotonic() + seconds
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _ending(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
