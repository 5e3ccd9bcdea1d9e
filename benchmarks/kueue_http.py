"""Kueue's large-scale workloads end to end through the HTTP API, on real time and a durable ledger.

    python -m benchmarks kueue_http [--quick]

The service runs in a process of its own, over SQLite on this disk, with its rate limit off: one asker does
what thousands would. As in Kueue's own test nothing is executed: what is granted is ended after its run time,
in the service's process, as a backend would report it, and no start is offered to the hub. The asker sends
everything at once, in batches or one by one over a few connections; it is over when every workload had its
room for its run time and is gone.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.kueue_generators import LARGE_SCALE, Generator
from benchmarks.kueue_service import ASKER, serve, serve_hub
from benchmarks.table import Figure
from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos.wire.batches import MAX_BATCH_ITEMS

QUICK_COHORTS: Final = 1
CONNECTIONS: Final = 4
MOST_S: Final = {"in batches": 30.0, "one by one": 120.0}
KUEUE_S: Final = 1_179.0
LOOK_SECONDS: Final = 0.1
END_SECONDS: Final = 60.0
PAGE: Final = b"\0" * 4096


def main(quick: bool) -> list[Figure]:
    """Send all of it twice, to a new service each time; in a hurry one cohort of ten."""
    generator = LARGE_SCALE.of_cohorts(QUICK_COHORTS) if quick else LARGE_SCALE
    return [
        _figure(generator, "in batches", f"in batches of {MAX_BATCH_ITEMS:,}", _in_batches),
        _figure(generator, "one by one", f"one by one over {CONNECTIONS} connections", _one_by_one),
    ]


def _figure(
    generator: Generator, name: str, how: str, send: Callable[[str, Sequence[dict[str, Any]]], None]
) -> Figure:
    asked = [_submission(number, job) for number, job in enumerate(generator.jobs())]
    with tempfile.TemporaryDirectory(prefix="bench-kueue-") as folder:
        with _service(Path(folder), generator) as url:
            began = time.perf_counter()
            send(url, asked)
            sent = time.perf_counter() - began
            _until_over(url)
            over = time.perf_counter() - began
        flush = _flush_seconds(Path(folder))
    goal = MOST_S[name] * len(asked) / LARGE_SCALE.workloads
    return Figure(
        f"large-scale over HTTP, {name}",
        "s",
        over,
        f"{len(asked):,} workloads of {generator.cohorts * generator.queues:,} queues {how}, each granted "
        f"and ended durably (all were sent after {sent:.1f} s; their work is {generator.work_s:.1f} s of "
        f"a full pool). Kueue's CI needs {KUEUE_S:,.0f} s for 50,000.",
        baseline=flush * len(asked),
        baseline_is=f"a flush of 4 KiB (`fdatasync`, {1000 * flush:.2f} ms here) for each workload",
        at_most=goal,
    )


def _submission(number: int, job: Job) -> dict[str, Any]:
    profile = job.id.split("-")[-2]
    payload = {"kind": "notebook", "server_name": f"s{number}", "profile": profile}
    return {"team": str(job.team), "priority": job.priority // 2, "payload": payload}


# ---- the asker -------------------------------------------------------------------------------------


class _Asker:
    """One connection that is kept."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = HTTPConnection(parts.hostname or "", parts.port, timeout=120)
        self._path = parts.path + "api/v1/"

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Return what is answered; anything but success is the end of the benchmark."""
        sent = None if body is None else json.dumps(body)
        headers = {"Authorization": f"token {ASKER}", "Content-Type": "application/json"}
        self._connection.request(method, self._path + path, sent, headers)
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status >= 400:
            raise OSError(f"{method} {path}: {answer.status} {said[:500]!r}")
        return json.loads(said)


def _in_batches(url: str, asked: Sequence[dict[str, Any]]) -> None:
    asker = _Asker(url)
    for start in range(0, len(asked), MAX_BATCH_ITEMS):
        result = asker.ask("POST", "requests/batch", {"items": asked[start : start + MAX_BATCH_ITEMS]})
        if result["refused"]:
            raise OSError(f"{result['refused']} were refused: {result['items'][0]}")


def _one_by_one(url: str, asked: Sequence[dict[str, Any]]) -> None:
    def share(first: int) -> None:
        asker = _Asker(url)
        for each in asked[first::CONNECTIONS]:
            asker.ask("POST", "requests", each)

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        for done in [threads.submit(share, first) for first in range(CONNECTIONS)]:
            done.result()


def _until_over(url: str) -> None:
    asker = _Asker(url)
    while True:
        seen = asker.ask("GET", "capacity")
        if seen["waiting"] == 0 and seen["free"]["cpu_millis"] == seen["total"]["cpu_millis"]:
            return
        time.sleep(LOOK_SECONDS)


# ---- the service -----------------------------------------------------------------------------------


@contextmanager
def _service(folder: Path, generator: Generator) -> Iterator[str]:
    with _child(serve_hub) as hub, _child(serve, hub, folder, generator) as url:
        yield url


@contextmanager
def _child(target: Callable[..., None], *args: object) -> Iterator[str]:
    """Run a server in a process of its own; yield the URL that it says."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=target, args=(there, *args))
    process.start()
    try:
        yield here.recv()
    finally:
        here.send("end")
        process.join(END_SECONDS)
        process.kill()


def _flush_seconds(folder: Path) -> float:
    """Return the mean of some flushes."""
    count = 500
    began = time.perf_counter()
    with (folder / "flushed").open("ab", buffering=0) as file:
        for _ in range(count):
            file.write(PAGE)
            os.fdatasync(file.fileno())
    return (time.perf_counter() - began) / count
