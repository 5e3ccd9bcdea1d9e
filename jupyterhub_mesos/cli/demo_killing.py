"""Kills one worker of a job once it has a checkpoint, as a failing machine would."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import psutil

from jupyterhub_mesos.cli.demo_probes import allocation_of, is_running, worker_process
from jupyterhub_mesos.client import Client
from jupyterhub_mesos.wire import RequestView
from jupyterhub_mesos_quota.model import WorkloadKind

EPOCH_TO_KILL_AT: Final = 4
"""The worker is killed after this epoch, when a checkpoint certainly exists."""
KILLED_WORKER: Final = 1
LOOK_SECONDS: Final = 0.2


@contextmanager
def killing_a_worker(client: Client, user: str) -> Generator[list[int]]:
    """Kill one worker of the user's next job; yields the list of killed pids."""
    killed: list[int] = []
    is_done = threading.Event()
    known = {view.id for view in client.requests(user=user)}
    thread = threading.Thread(target=_kill, args=(client, known, killed, is_done), daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        is_done.set()
        thread.join()


def _kill(client: Client, known: set[str], killed: list[int], is_done: threading.Event) -> None:
    while not is_done.wait(LOOK_SECONDS):
        for job in client.requests(kind=WorkloadKind.TRAINING):
            if job.id not in known and is_running(job) and _epoch(client, job) >= EPOCH_TO_KILL_AT:
                pid = worker_process(allocation_of(job), KILLED_WORKER)
                psutil.Process(pid).send_signal(signal.SIGKILL)
                killed.append(pid)
                return


def _epoch(client: Client, job: RequestView) -> int:
    return max((int(event.data.get("epoch", 0)) for event in client.progress(job.id)), default=0)
