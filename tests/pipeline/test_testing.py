"""The test step's process: what the notebook's code may do in it, and how it ends."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from deadlines import eventually
from jupyterhub_mesos.client import Client
from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.pipeline.checkout import Project
from jupyterhub_mesos.pipeline.context import Run
from jupyterhub_mesos.pipeline.document import EnvironmentPart, ModelPart, PipelineFile, TestPart
from jupyterhub_mesos.pipeline.reporting import Reporter
from jupyterhub_mesos.pipeline.signals import Interrupted, Signals
from jupyterhub_mesos.pipeline.state import JobRecord, StateFile
from jupyterhub_mesos.pipeline.testing_step import Test, check_minimum

MODEL = """\
# ---- cell 3 ----
import numpy as np
from sklearn.linear_model import LinearRegression
x = np.arange(20.0, dtype=np.float32).reshape(-1, 1)
y = x[:, 0] * 2
model = LinearRegression().fit(x, y)

"""


def no_client() -> Client:
    raise AssertionError("testing needs no service")


@dataclass
class Bench:
    """The step over a `test.py`."""

    folder: Path
    output: io.StringIO

    def take(self, program: str, **pipeline: object) -> str:
        return Test().take(self.run(program, **pipeline), "inputs").result

    def failure(self, program: str, **pipeline: object) -> WorkloadError:
        with pytest.raises(WorkloadError) as caught:
            self.take(program, **pipeline)
        return caught.value

    def run(self, program: str, **pipeline: object) -> Run:
        project, work = self.folder / "project", self.folder / "work"
        for place in (project, work, self.folder / "checkpoint"):
            place.mkdir(exist_ok=True)
        (project / "test.py").write_text(program)
        model = ModelPart(held_out_rows="x", held_out_labels="y")
        file = PipelineFile.model_validate({"name": "line", "model": model, **pipeline})
        state = StateFile(work, "line", "abc")
        job = JobRecord(inputs="", request="r1", name="j", checkpoint=str(self.folder / "checkpoint"))
        state.change(job=job)
        reporter = Reporter(with_events=True, stream=self.output)
        return Run(Project(project, file, "~/line.git", "abc"), work, state, reporter, Signals(), no_client)


@pytest.fixture
def step(tmp_path: Path) -> Bench:
    return Bench(tmp_path, io.StringIO())


def test_a_model_is_prepared_and_measured_in_a_process_of_its_own(step: Bench) -> None:
    result = step.take(MODEL + "import os\nprint(os.environ['JOB_CHECKPOINT'], 'JOB_INDEX' in os.environ)\n")

    assert (
        result
        == "held_out_mean_absolute_error 0.0000, held_out_r2 1.0000; LinearRegression (scikit-learn), 20 rows"
    )
    assert (step.folder / "work" / "prepared" / "prepared.json").is_file()
    assert f"    | {step.folder / 'checkpoint'} False\n" in step.output.getvalue()


def test_an_error_below_the_notebooks_own_line_names_that_line(step: Bench) -> None:
    failure = step.failure("import numpy as np\n# ---- cell 7 ----\nvalues = []\nnp.stack(values)\n")

    assert str(failure).startswith("cell 7, line 2: ValueError: need at least one array")
    assert (failure.cell, failure.line) == (7, 2)
    assert "Traceback" in step.output.getvalue()


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("# ---- cell 8 ----\nraise SystemExit(3)\n", r"cell 8, line 1: SystemExit: 3"),
        ("import os\nos._exit(4)\n", r"test.py ended with exit code 4 before it was tested"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", r"test.py was ended by SIGSEGV"),
        ("x = y = 1\n", r"the cells ran, and set no 'model', which pipeline.yaml names"),
        (MODEL + "model = object()\n", r"the model cannot be stored as it is: "),
    ],
)
def test_whatever_the_code_does_is_told_in_a_sentence(step: Bench, program: str, sentence: str) -> None:
    assert step.failure(program).args[0].startswith(sentence.replace("\\", ""))


def test_an_end_by_exit_0_is_an_end(step: Bench) -> None:
    assert "held_out_r2" in step.take(MODEL + "raise SystemExit\n")


def test_what_is_printed_is_never_taken_for_an_event(step: Bench) -> None:
    step.failure("""print('{"event": "step", "step": "serve", "state": "done"}')\n""")

    lines = step.output.getvalue().splitlines()
    assert """    | {"event": "step", "step": "serve", "state": "done"}""" in lines
    assert not [line for line in lines if line.startswith("{")]


def test_a_test_that_takes_too_long_is_ended(step: Bench) -> None:
    failure = step.failure("import time\ntime.sleep(600)\n", test={"time_limit_seconds": 1})
    assert "took longer than the 1 s of test.time_limit_seconds" in str(failure)


def test_a_missing_checkpoint_says_where_it_should_be(step: Bench) -> None:
    run = step.run("raise ValueError('no weights')\n")
    (step.folder / "checkpoint").rmdir()
    with pytest.raises(WorkloadError, match=r"no weights.*where the training left its checkpoint.*submit"):
        Test().take(run, "")


def test_a_signal_ends_the_test_and_all_that_it_started(step: Bench) -> None:
    program = """
import subprocess
child = subprocess.Popen(["sleep", "600"])
print("pid", child.pid, flush=True)
child.wait()
"""
    run = step.run(program)

    def interrupt() -> None:
        eventually(lambda: "pid" in step.output.getvalue(), "the test runs")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with run.signals.caught(), pytest.raises(Interrupted):
        Test().take(run, "")
    thread.join()
    pid = int(step.output.getvalue().split("pid ")[1].split()[0])
    eventually(lambda: not is_running(pid), "the grandchild is gone")


def is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_python_that_is_not_here_is_replaced_and_said(step: Bench) -> None:
    environment = EnvironmentPart(interpreter="~/envs/none/bin/python")
    assert "held_out_r2" in step.take(MODEL, environment=environment)
    assert "the notebook's Python ~/envs/none/bin/python is not here" in step.output.getvalue()


def test_a_python_that_cannot_prepare_is_told_what_it_lacks(step: Bench, tmp_path: Path) -> None:
    subprocess.run((sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")), check=True)
    environment = EnvironmentPart(interpreter=str(tmp_path / "bare" / "bin" / "python"))
    failure = step.failure(MODEL, environment=environment)
    assert "No module named 'jupyterhub_mesos'" in str(failure)
    assert "install jupyterhub-mesos[export] there" in str(failure)


@pytest.mark.parametrize(
    ("minimum", "metrics", "sentence"),
    [
        ({"accuracy": 0.9}, {"held_out_accuracy": 0.8}, "accuracy is 0.8000, at least 0.9"),
        ({"accuracy": 0.9}, {"held_out_accuracy": float("nan")}, "accuracy is nan"),
        ({"f1": 0.9}, {"held_out_accuracy": 0.95}, "f1 was not measured (measured: held_out_accuracy)"),
        (
            {"a": 1, "b": 1},
            {"a": 0.5, "b": 0.25},
            "a is 0.5000, at least 1 is asked for in pipeline.yaml; b is",
        ),
    ],
)
def test_what_is_not_reached_is_said_all_at_once(
    minimum: dict[str, float], metrics: dict[str, float], sentence: str
) -> None:
    with pytest.raises(WorkloadError) as caught:
        check_minimum(TestPart(minimum=minimum), metrics)
    assert str(caught.value).startswith(sentence)


def test_what_is_reached_is_reached() -> None:
    check_minimum(TestPart(minimum={"accuracy": 0.9}), {"held_out_accuracy": 0.9})


def test_a_signal_waits_for_what_must_be_noted() -> None:
    signals = Signals()
    noted: list[str] = []

    def note(raise_signal: Callable[[signal.Signals], None]) -> None:
        with signals.held():
            raise_signal(signal.SIGTERM)
            noted.append("noted")
        noted.append("not reached")

    with signals.caught(), pytest.raises(Interrupted) as caught:
        note(signal.raise_signal)
    assert noted == ["noted"]
    assert caught.value.exit_code == 143
