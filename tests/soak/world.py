"""What there is: an installation, who asks in it, and what each of the three who know says of it.

The service says what is asked for and runs; the hub says which servers it has; the
process table says what really runs.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil
import requests

from installation import Installation
from jupyterhub_mesos.client import Client
from jupyterhub_mesos.errors import CapacityError
from jupyterhub_mesos.wire import NotebookPayload, RequestSubmission, RequestView, TrainingPayload
from jupyterhub_mesos_quota.model import AllocationState, RequestStatus

CONFIG: Final = Path(__file__).parent / "hub_config.py"
NAMES: Final = ("ann", "dan", "ben", "eva", "sam")
LIVE: Final = frozenset({RequestStatus.QUEUED, RequestStatus.HELD, RequestStatus.ACTIVE})
JOB_MARK: Final = "SOAK_JOB"
ServerName = tuple[str, str]
"""A user, and the name of a server."""


@dataclass
class Asked:
    """Something that was asked for under a key; `request_id` is empty until the answer was heard."""

    user: str
    key: str
    submission: RequestSubmission
    request_id: str = ""
    is_refused: bool = False


@dataclass
class World:
    """The installation and all that was asked of it."""

    cloud: Installation
    asked: dict[str, Asked] = field(default_factory=dict[str, Asked])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, name: str) -> Client:
        """Return the API as somebody scripts it."""
        return self.cloud.client(name)

    def ask(self, asked: Asked) -> None:
        """Ask, or ask again under the same key; what is not answered stays open."""
        with self.lock:
            self.asked[asked.key] = asked
        try:
            asked.request_id = self.client(asked.user).submit(asked.submission, key=asked.key).id
        except CapacityError as error:
            asked.is_refused = error.status in {409, 422, 429}
        except OSError:
            return

    def end(self, user: str, request_id: str) -> None:
        """Ask for an end; what is not answered is asked for again some time."""
        try:
            self.client(user).end(request_id)
        except (CapacityError, OSError):
            return

    def settle_asked(self) -> bool:
        """Ask again for all that was not answered; say whether all is."""
        open_ = [each for each in self.asked.values() if not each.request_id and not each.is_refused]
        for each in open_:
            self.ask(each)
        return all(each.request_id or each.is_refused for each in open_)

    # ---- what the three say ---------------------------------------------------------------------

    def views(self) -> list[RequestView]:
        """Return every request that the service knows."""
        return list(self.client("admin").requests())

    def live(self) -> list[RequestView]:
        """Return those that are not over."""
        return [view for view in self.views() if view.status in LIVE]

    def hub_servers(self) -> Counter[ServerName]:
        """Return the servers that the hub takes as ready."""
        answer = requests.get(
            f"{self.cloud.url}hub/api/users",
            params={"state": "active"},
            headers={"Authorization": f"token {self.cloud.person('admin').token}"},
            timeout=30,
        )
        answer.raise_for_status()
        servers: Counter[ServerName] = Counter()
        for user in answer.json():
            servers.update(
                (user["name"], name) for name, server in user["servers"].items() if server["ready"]
            )
        return servers

    def processes(self) -> tuple[Counter[ServerName], Counter[str]]:
        """Return the servers and the jobs that have a process; what holds a sandbox counts as nothing."""
        servers, jobs = Counter[ServerName](), Counter[str]()
        for _, env in self._tasks():
            if JOB_MARK in env:
                jobs[env[JOB_MARK]] += 1
            else:
                servers[env["JUPYTERHUB_USER"], env.get("JUPYTERHUB_SERVER_NAME", "")] += 1
        return servers, jobs

    def _tasks(self) -> list[tuple[psutil.Process, dict[str, str]]]:
        found: list[tuple[psutil.Process, dict[str, str]]] = []
        for process in psutil.process_iter():
            try:
                command, env = process.cmdline(), process.environ()
            except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
            is_one = bool(command) and Path(command[0]).name.startswith("python") and self._is_ours(env)
            if is_one and (command[-1].endswith("tiny_server.py") or "soak-job" in command):
                found.append((process, env))
        return found

    def _is_ours(self, env: dict[str, str]) -> bool:
        return Path(env.get("HOME", "/")).is_relative_to(self.cloud.folder.root)

    def task_processes(self) -> list[psutil.Process]:
        """Return the processes of the tasks; each may be gone by now."""
        return [process for process, _ in self._tasks()]


def is_running(view: RequestView) -> bool:
    """Say whether the service says that it runs."""
    return (
        view.allocation is not None
        and view.status is RequestStatus.ACTIVE
        and (view.allocation.state is AllocationState.RUNNING)
    )


def server_of(view: RequestView) -> ServerName | None:
    """Return which server a request is for, if for one."""
    payload = view.payload
    return (view.user, payload.server_name) if isinstance(payload, NotebookPayload) else None


def job_of(view: RequestView) -> str | None:
    """Return the name of a request's job, if it is one."""
    return view.payload.job.name if isinstance(view.payload, TrainingPayload) else None
