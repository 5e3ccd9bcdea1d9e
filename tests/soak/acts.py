"""What people do, and what goes wrong; each by chance, from one seed."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

import psutil

from jupyterhub_mesos.backends.local import shim
from jupyterhub_mesos.wire import (
    Job,
    NotebookPayload,
    RequestSubmission,
    ResourcesModel,
    Restart,
    Role,
    TrainingPayload,
)
from soak.world import JOB_MARK, NAMES, Asked, World

SERVERS: Final = ("", "one", "two")
PROFILES: Final = ("small", "small", "medium", "large")
JOB_SECONDS: Final = (1, 5, 30, 300)
NOTHING: Final = "nothing: it was gone"
SHIM: Final = str(Path(shim.__file__).resolve())
RESTART_SECONDS: Final = 60.0
"""More than their supervisor waits after a row of crashes."""
PAUSE_SECONDS: Final = (1.0, 3.0, 8.0)
PARTS: Final = (("service",), ("hub",), ("proxy",), ("hub", "service"), ("proxy", "hub", "service"))


class People:
    """Five persons who ask for notebooks and jobs and end them again."""

    def __init__(self, world: World, random: Random) -> None:
        self._world = world
        self._random = random
        self._count = 0

    def act(self) -> str:
        """Do one thing; return what."""
        chosen = self._random.choices((self._notebook, self._job, self._end), (5, 3, 4))[0]
        return chosen()

    def _notebook(self) -> str:
        name, server = self._random.choice(NAMES), self._random.choice(SERVERS)
        payload = NotebookPayload(server_name=server, profile=self._random.choice(PROFILES))
        return self._ask(name, RequestSubmission(payload=payload), "notebook")

    def _job(self) -> str:
        name, label = self._random.choice(NAMES), f"soak-{self._count}"
        program = f"import time; time.sleep({self._random.choice(JOB_SECONDS)})"
        role = Role(
            argv=(sys.executable, "-c", program, "soak-job"),
            env={JOB_MARK: label},
            resources=ResourcesModel(cpu_millis=self._random.choice((250, 500, 1500)), mem_mib=128),
        )
        job = Job(name=label, roles=(role,), restart=Restart(max_restarts=0))
        return self._ask(name, RequestSubmission(payload=TrainingPayload(job=job)), "job")

    def _ask(self, name: str, submission: RequestSubmission, what: str) -> str:
        self._count += 1
        self._world.ask(Asked(name, f"soak-key-{self._count}", submission))
        return what

    def _end(self) -> str:
        known = [asked for asked in self._world.asked.values() if asked.request_id]
        if known:
            chosen = self._random.choice(known[-20:])
            self._world.end(chosen.user, chosen.request_id)
        return "end"


class Faults:
    """What goes wrong, while people go on."""

    def __init__(self, world: World, random: Random, people: People, cut: Callable[[], None] | None) -> None:
        """`cut` ends the ledger's connections to its database, where it is one that has any."""
        self._world = world
        self._random = random
        self._people = people
        self._cut = cut

    def strike(self) -> str:
        """Let one thing go wrong, people asking meanwhile; return what."""
        faults: list[tuple[int, Callable[[], str]]] = [
            (5, self._kill),
            (1, self._kill_again),
            (2, self._pause),
            (3, self._kill_task),
            (2, self._kill_keeper),
        ]
        if self._cut is not None:
            faults.append((2, self._cut_database))
        weights, strikes = zip(*faults, strict=True)
        fault = self._random.choices(strikes, weights)[0]
        asking = [threading.Thread(target=self._people.act) for _ in range(self._random.randint(0, 4))]
        for thread in asking:
            thread.start()
        time.sleep(self._random.random() * 0.3)  # so that it meets what was asked for anywhere on its way
        struck = fault()
        for thread in asking:
            thread.join()
        return struck

    def _kill(self) -> str:
        parts = self._random.choice(PARTS)
        self._world.cloud.kill(*parts, within=RESTART_SECONDS)
        return f"kill -9 {' '.join(parts)}"

    def _kill_again(self) -> str:
        for _ in range(2):
            self._world.cloud.kill("service", within=RESTART_SECONDS)
        return "kill -9 service, and again as it is back"

    def _pause(self) -> str:
        part, seconds = self._random.choice(("service", "hub")), self._random.choice(PAUSE_SECONDS)
        pid = self._world.cloud.pid(part)
        if pid is None:
            return NOTHING
        os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(pid, signal.SIGCONT)
        return f"{part} frozen for some seconds"

    def _kill_task(self) -> str:
        return self._killed("kill -9 of a task", lambda process: process)

    def _kill_keeper(self) -> str:
        return self._killed("kill -9 of a task's keeper", keeper_of)

    def _killed(self, what: str, of: Callable[[psutil.Process], psutil.Process | None]) -> str:
        """Kill what belongs to some task; one that ends meanwhile is as dead."""
        tasks = self._world.task_processes()
        if not tasks:
            return NOTHING
        try:
            chosen = of(self._random.choice(tasks))
            if chosen is None:
                return NOTHING
            chosen.kill()
        except psutil.NoSuchProcess:  # zombies too
            return NOTHING
        return what

    def _cut_database(self) -> str:
        assert self._cut is not None
        self._cut()
        return "the database's connections cut"


def keeper_of(process: psutil.Process) -> psutil.Process | None:
    """Return the local backend's shim that keeps a task: its nearest ancestor that runs that very file."""
    return next((above for above in process.parents() if SHIM in above.cmdline()), None)
