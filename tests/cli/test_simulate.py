"""`jupyterhub-mesos simulate` as an admin runs it: in a process of its own, on files."""

from __future__ import annotations

import csv
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import service_rig as rig
from fake_capacity import FakeCapacity, serving
from jupyterhub_mesos.cli import main
from jupyterhub_mesos.wire import CapacityView, NodeView, ResourcesModel
from trace_cases import SACCT, SWF, ledger_history, written

COMMAND = (sys.executable, "-m", "jupyterhub_mesos.cli", "simulate")
DEADLINE_SECONDS = 60.0
FILES = {
    "evictions.png",
    "run.json",
    "summary.json",
    "teams.csv",
    "utilisation.csv",
    "waits.csv",
    "waits.png",
}
TEAMS = "teams:\n  a: {guarantee: {accelerators: {gpu: 2}}}\n  b: {guarantee: {accelerators: {gpu: 2}}}\n"
LENT = """\
submit_s,duration_s,gpus,team
0,7200,4,a
3600,3600,2,b
7200,-5,2,b
9000,60,2,stranger
"""
"""Team a borrows, and b comes back for its guarantee; two rows are bad."""


def simulate(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture
def lent(tmp_path: Path) -> Path:
    written(tmp_path, "teams.yaml", TEAMS)
    return written(tmp_path, "lent.csv", LENT)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_two_policies_stand_side_by_side_in_tables_files_and_plots(tmp_path: Path, lent: Path) -> None:
    out = tmp_path / "out"
    done = simulate(
        "--trace",
        lent,
        "--teams",
        tmp_path / "teams.yaml",
        "--gpus",
        4,
        "--policy",
        "fair",
        "--against",
        "fifo",
        "--out",
        out,
    )
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines if line] == ["scenario", "fair", "fifo", "team", "a", "b"]
    by_scenario = {row["scenario"]: row for row in rows(out / "teams.csv") if row["team"] == "b"}
    assert float(by_scenario["fair"]["wait_max_s"]) == 0
    assert float(by_scenario["fifo"]["wait_max_s"]) == 3600
    assert {path.name for path in out.iterdir()} > FILES
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["left_out"] == {"negative value": 1, "unknown team": 1}
    assert [each["evictions"] for each in summary["scenarios"]] == [1, 0]


def test_rows_that_are_no_job_are_named_and_the_run_goes_on_or_stops(tmp_path: Path, lent: Path) -> None:
    asked = ("--trace", lent, "--teams", tmp_path / "teams.yaml", "--gpus", 4)
    named = ["line 4: duration_s is -5; 0 or more is possible", "line 5: there is no team 'stranger'"]
    gone_on = simulate(*asked)
    assert "2 of 4 rows are left out" in gone_on.stderr
    stopped = simulate(*asked, "--on-bad-row", "stop", code=2)
    for name in named:
        assert name in gone_on.stderr
        assert name in stopped.stderr
    assert "Mend them, or go on without them: --on-bad-row skip" in stopped.stderr
    assert stopped.stdout == ""


def test_a_trace_in_which_most_rows_are_bad_is_not_run(tmp_path: Path, lent: Path) -> None:
    done = simulate("--trace", lent, "--teams", tmp_path / "teams.yaml", "--gpus", 3, code=2)
    assert "1 of 4 rows are jobs that this pool and these teams could run" in done.stderr
    assert "line 2: it asks for 4 gpu; the pool has 3 gpu on one node" in done.stderr


def test_swf_and_sacct_run_too(tmp_path: Path) -> None:
    swf = simulate("--trace", written(tmp_path, "t.swf", SWF), "--cpus", 32)
    assert swf.stdout.splitlines()[1].split()[:2] == ["default", "3"]
    sacct = simulate("--trace", written(tmp_path, "t.sacct", SACCT), "--gpus", "a100=8", "--policy", "silo")
    assert sacct.stdout.splitlines()[1].split()[:2] == ["silo", "2"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "the pool holds nothing: say how much there is, for instance --gpus 64"),
        (("--gpus", "many"), "--gpus: 'many' is no number of GPUs: 64, or h200=8,a100=16"),
        (("--gpus", "4", "--nodes", "3"), "4 of gpu do not spread evenly over 3 nodes"),
        (
            ("--gpus", "4", "--policy", "best"),
            "'best' is no policy: name one of default, fair, lowest-use, fifo, silo",
        ),
        (("--gpus", "4", "--against", "current"), "'current' is no policy"),
        (("--gpus", "4", "--from", "yesterday"), "or a span from the first job on, such as 35d"),
        (("--gpus", "4", "--from", "5d"), "no job was submitted between 5d and the end"),
        (
            ("--gpus", "4", "--restart-seconds", "-1"),
            "--restart-seconds: -1 asked for; 0 or more is possible",
        ),
        (("--gpus", "h200=4", "--teams", "teams.yaml"), "team a is guaranteed 2 gpu"),
        (("--gpus", "4", "--columns", "submit=when"), "no column 'when' for submit"),
        (
            ("--gpus", "4", "--no-plots", "--out", "teams.yaml"),
            "teams.yaml: cannot be written to (File exists)",
        ),
    ],
)
def test_what_does_not_hold_says_what_to_do(
    tmp_path: Path,
    lent: Path,
    arguments: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["simulate", "--trace", str(lent), *arguments]) == 2
    assert said in capsys.readouterr().err


# ---- stopped, and gone on -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def long_trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some seconds of work: enough that a signal comes in the middle of it."""
    rng = random.Random(3)
    lines = ["submit_s,duration_s,gpus,team"]
    lines += [
        f"{number * 60},{rng.randrange(60, 20000)},{rng.choice((1, 2, 4))},{rng.choice('abc')}"
        for number in range(2500)
    ]
    return written(tmp_path_factory.mktemp("trace"), "long.csv", "\n".join(lines) + "\n")


def interrupted(arguments: list[str], out: Path, number: signal.Signals) -> int:
    """Start a run, let it begin to replay, and send it a signal."""
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (out / "run.json").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
        process.send_signal(number)
        _, stderr = process.communicate(timeout=DEADLINE_SECONDS)
    assert f"simulate --resume {out}" in stderr.decode()
    return process.returncode


def test_a_run_that_was_stopped_goes_on_to_the_same_result(tmp_path: Path, long_trace: Path) -> None:
    arguments = ["--trace", str(long_trace), "--gpus", "32", "--against", "fifo", "--no-plots", "--out"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    simulate(*arguments, whole)
    assert interrupted([*arguments, str(broken)], broken, signal.SIGINT) == 130
    assert not (broken / "summary.json").exists()
    begun = simulate(*arguments, broken, code=2)
    assert "holds a run that was stopped: go on with it" in begun.stderr
    simulate("--resume", broken)
    for name in ("summary.json", "teams.csv", "utilisation.csv", "waits.csv"):
        assert (broken / name).read_text() == (whole / name).read_text()
    assert not (broken / "state.json").exists()


def test_a_run_goes_on_from_its_own_state_with_the_same_trace_alone(tmp_path: Path, long_trace: Path) -> None:
    trace = written(tmp_path, "trace.csv", long_trace.read_text(encoding="utf-8"))
    out = tmp_path / "out"
    asked = ["--trace", str(trace), "--gpus", "32", "--no-plots", "--out", str(out)]
    assert interrupted(asked, out, signal.SIGTERM) == 143
    state = out / "state.json"
    kept = json.loads(state.read_text(encoding="utf-8"))
    written(out, "state.json", json.dumps(kept | {"state": {"now": 1}}))
    assert "no state of a stopped replay" in simulate("--resume", out, code=2).stderr
    with trace.open("a", encoding="utf-8") as file:
        file.write("999999,60,1,a\n")
    assert "the trace changed since the run was stopped" in simulate("--resume", out, code=2).stderr


def test_where_nothing_was_stopped_there_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    assert "there is no run of this version to go on with" in simulate("--resume", tmp_path, code=2).stderr


# ---- the service's own history ------------------------------------------------------------------------


async def test_the_ledgers_history_is_replayed_under_other_quotas(tmp_path: Path) -> None:
    clock = rig.Clock()
    async with rig.opened(tmp_path / "ledger.sqlite", clock) as ledger:
        await ledger_history(ledger, clock)
    new = written(tmp_path, "new.yaml", "teams:\n  vision: {limit: {cpu_millis: 2000}}\n")
    asked = ("--ledger", tmp_path, "--teams", new, "--against", "current", "--cpus", 4, "--mem-gib", 8)
    done = simulate(*asked)
    assert [line.split()[0] for line in done.stdout.splitlines()[1:3]] == ["new.yaml", "current"]
    assert "2 jobs of 1 teams" in done.stderr
    assert "2 x never ran" in done.stderr


async def test_a_ledger_is_replayed_on_the_nodes_that_the_service_tells(tmp_path: Path) -> None:
    clock = rig.Clock()
    async with rig.opened(tmp_path / "ledger.sqlite", clock) as ledger:
        await ledger_history(ledger, clock)
    node = ResourcesModel(cpu_millis=3000, mem_mib=8192)
    view = CapacityView(
        backend="local",
        total=node,
        free=node,
        waiting=0,
        nodes=(NodeView(id="here", capacity=node, free=node, is_schedulable=True),),
    )
    with serving(FakeCapacity()) as service:
        service.on("GET /capacity", view)
        out = tmp_path / "out"
        done = simulate(
            "--ledger", tmp_path, "--url", service.url, "--token", "t", "--out", out, "--no-plots"
        )
    assert "on 3 CPU, 8 GiB (1 node)" in done.stderr
    assert '"token"' not in (out / "run.json").read_text(encoding="utf-8")


def test_a_ledgers_password_is_not_written_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = "postgresql://hub:secret@127.0.0.1:1/ledger"
    assert main(["simulate", "--ledger", url, "--no-plots", "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "put it into the environment, postgresql://USER:${LEDGER_PASSWORD}@HOST/NAME" in said
    assert "secret" not in said
    assert not (tmp_path / "out").exists()


async def test_a_ledger_without_a_pool_says_where_one_may_be_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CAPACITY_URL", raising=False)
    async with rig.opened(tmp_path / "ledger.sqlite"):
        pass
    assert main(["simulate", "--ledger", str(tmp_path)]) == 2
    assert (
        "a ledger does not say how much there is: say it (--cpus, --mem-gib, --gpus)"
        in capsys.readouterr().err
    )
