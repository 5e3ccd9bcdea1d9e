"""How long a job takes from the submission until its workers run the user's code, and after a kill.

A bare run is the baseline in the same run: the same program, started the same number of times by
plain `subprocess` at once. What is left is ours. Goals: a start within 1 s, a restart within 2 s.

    python -m benchmarks.handoff [--quick]
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.table import Figure, plain_table
from jupyterhub_mesos.cli.demo_probes import is_over, worker_process
from jupyterhub_mesos.cli.person import Person
from jupyterhub_mesos.cli.supervisor import Supervisor, SupervisorSettings
from jupyterhub_mesos.client import Client
from jupyterhub_mesos.statefolder import StateFolder
from jupyterhub_mesos.training.submit import train
from jupyterhub_mesos.wire import Job, RequestSubmission, TrainingPayload

WORKERS = 2
START_GOAL_SECONDS = 1.0
RESTART_GOAL_SECONDS = 2.0
START_IS = "From the submission of a job of two workers until both run the user's code, which imports numpy"
RESTART_IS = "From a SIGKILL of one of the two until both run the user's code again, back-off included"
BARE_IS = "the same program, twice at once by plain `subprocess`, until both run the user's code"
LOOK_SECONDS = 0.1
DEADLINE_SECONDS = 120.0
CONFIG = Path(__file__).parents[1] / "config" / "jupyterhub_config.py"
CONFIG_TEXT = """\
load_subconfig({config!r})
c.CapacityService.capacity_cpu_millis = 4000
c.CapacityService.capacity_mem_mib = 6144
c.CapacityService.isolation = {isolation!r}
"""
PROGRAM = """\
import numpy
import os, signal, time
print('{"event": "progress", "epoch": 0, "of": 0, "metrics": {"at": %.6f}}' % time.time(), flush=True)
if os.environ.get("JOB_GENERATION") == WAIT_IN:
    signal.pause()
"""


def main(quick: bool = False) -> list[Figure]:
    """Measure and return the figures, medians of several runs (of two where `quick`)."""
    with tempfile.TemporaryDirectory(prefix="handoff-") as name:
        return asyncio.run(_measured(Path(name), runs=2 if quick else 5))


async def _measured(root: Path, runs: int) -> list[Figure]:
    folder = StateFolder.at(root)
    folder.prepare()
    config = root / "config.py"
    config.write_text(CONFIG_TEXT.format(config=str(CONFIG), isolation="auto"))
    async with Supervisor(SupervisorSettings(state=root, config=config, stop_notebooks=True)) as up:
        return await asyncio.to_thread(_rows, up.urls.public, folder, root, runs)


def _rows(url: str, folder: StateFolder, root: Path, runs: int) -> list[Figure]:
    ann = Person(url, "ann", folder.password("vision"))
    ann.log_in()
    client = Client(ann.service_url, ann.token)
    bare, starts, restarts = [], [], []
    for number in range(runs):
        bare.append(_bare(root))
        starts.append(_start(client, _job(root, f"start-{number}", wait_in="never")))
        restarts.append(_restart(client, _job(root, f"restart-{number}", wait_in="1")))
    baseline = statistics.median(bare)
    return [
        _figure("hand-off", statistics.median(starts), baseline, START_GOAL_SECONDS, START_IS),
        _figure(
            "restart after a kill", statistics.median(restarts), baseline, RESTART_GOAL_SECONDS, RESTART_IS
        ),
    ]


def _figure(what: str, whole: float, baseline: float, goal: float, definition: str) -> Figure:
    return Figure(
        what=what,
        unit="s",
        ours=whole - baseline,
        definition=f"{definition}, less the baseline.",
        baseline=baseline,
        baseline_is=BARE_IS,
        at_most=goal,
    )


def _program(wait_in: str) -> str:
    return PROGRAM.replace("WAIT_IN", repr(wait_in))


def _bare(root: Path) -> float:
    """Start the program as often as a job does, and return when the last one was in its own code."""
    path = root / "bare.py"
    path.write_text(_program("never"))
    began = time.time()
    processes = [
        subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True)
        for _ in range(WORKERS)
    ]
    return max(_at(json.loads(process.communicate()[0])) for process in processes) - began


def _job(root: Path, name: str, wait_in: str) -> Job:
    path = root / "work.ipynb"
    cell = {"cell_type": "code", "metadata": {"tags": ["train"]}, "source": _program(wait_in)}
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    resources = {"cpu_millis": 1000, "mem_mib": 512}
    return train(path, name=name, workers=WORKERS, resources=resources, dry_run=True)


def _start(client: Client, job: Job) -> float:
    began = time.time()
    request = client.submit(RequestSubmission(payload=TrainingPayload(job=job))).id
    _until(lambda: is_over(client.request(request)))
    return max(_times(client, request, generation=1)) - began


def _restart(client: Client, job: Job) -> float:
    request = client.submit(RequestSubmission(payload=TrainingPayload(job=job))).id
    _until(lambda: len(_times(client, request, generation=1)) == WORKERS)
    allocation = client.request(request).allocation
    assert allocation is not None
    process = psutil.Process(worker_process(allocation, 1))
    began = time.time()
    process.kill()
    _until(lambda: is_over(client.request(request)))
    return max(_times(client, request, generation=2)) - began


def _times(client: Client, request: str, generation: int) -> list[float]:
    return [_at(event.data) for event in client.progress(request) if event.generation == generation]


def _at(line: dict[str, object]) -> float:
    metrics = line["metrics"]
    assert isinstance(metrics, dict)
    return float(metrics["at"])


def _until(look: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_SECONDS
    while not look():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {DEADLINE_SECONDS:g} s")
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    print(plain_table(main(quick="--quick" in sys.argv[1:])))
