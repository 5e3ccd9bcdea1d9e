"""A whole installation as an operator runs it: `jupyterhub-mesos up` as a process, with tiny notebooks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil
import requests

from deadlines import DEADLINE_SECONDS, eventually
from jupyterhub_mesos.cli.demo_lake import fill_lake
from jupyterhub_mesos.cli.demo_probes import is_over, is_ready, is_running
from jupyterhub_mesos.cli.person import Person
from jupyterhub_mesos.client import Client
from jupyterhub_mesos.statefolder import LOOPBACK, StateFolder
from jupyterhub_mesos.wire import NodeStanding, RequestView

CONFIG: Final = Path(__file__).parent / "end_to_end" / "hub_config.py"
PEOPLE: Final = {
    "ann": "vision",
    "dan": "vision",
    "ben": "speech",
    "eva": "speech",
    "sam": "speech",
    "admin": "admin",
}
PROGRAM: Final = ("-m", "jupyterhub_mesos.cli")
NOTICE_SECONDS: Final = 8.0
START_SECONDS: Final = 60.0
END_SECONDS: Final = 60


class Installation:
    """Hub, proxy and service over one state folder."""

    def __init__(self, root: Path, config: Path = CONFIG, program: Sequence[str] = PROGRAM) -> None:
        self._config = config
        self._program = program
        self.folder = StateFolder.at(root)
        self.folder.prepare()
        self._process: subprocess.Popen[bytes] | None = None
        self._people: dict[str, Person] = {}

    def start(self) -> None:
        fill_lake(self.folder.root / "lake")
        with (self.folder.logs / "up.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, *self._program, "up"),
                    *("--state", str(self.folder.root), "--config", str(self._config), "--stop-notebooks"),
                ],
                stdout=log,
                stderr=log,
                env={key: value for key, value in os.environ.items() if not key.startswith("JUPYTERHUB")},
            )
        eventually(self._is_serving, f"up serves; see {self.folder.logs}", START_SECONDS)

    def _is_serving(self) -> bool:
        assert self._process is not None
        log = (self.folder.logs / "up.log").read_text()
        assert self._process.poll() is None, f"up ended:\n{log}"
        return "Serving at" in log

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(END_SECONDS)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.folder.ports().public}/"

    # ---- its processes

    def pid(self, name: str) -> int | None:
        """Return the process of `hub`, `service` or `proxy`; None while it is being restarted."""
        try:
            return int(json.loads((self.folder.run / f"{name}.json").read_text())["pid"])
        except (FileNotFoundError, ValueError):
            return None

    def kill(self, *names: str, within: float = DEADLINE_SECONDS) -> None:
        """End parts as a crash would, all at once, and wait until each is back and answers.

        Their supervisor waits longer, up to 30 s, with each of a row of crashes: then `within` is more.
        """
        self.until_back(self.strike(*names), within)

    def strike(self, *names: str) -> dict[str, int]:
        """End parts as a crash would, all at once; return which processes they were."""
        killed: dict[str, int] = {}
        for name in names:
            pid = self.pid(name)
            assert pid is not None, f"{name} does not run"
            killed[name] = pid
        for pid in killed.values():
            os.kill(pid, signal.SIGKILL)
        return killed

    def until_back(self, killed: Mapping[str, int], within: float = DEADLINE_SECONDS) -> None:
        """Wait until each part that was ended is back, and the whole answers."""
        for name, pid in killed.items():
            eventually(
                lambda name=name, pid=pid: self.pid(name) not in {None, pid},
                f"{name} is started again",
                within,
            )
        eventually(self._answers, "hub and service answer through the proxy", START_SECONDS)

    def _answers(self) -> bool:
        try:
            answers = [
                requests.get(f"{self.url}{path}", timeout=5)
                for path in ("hub/health", "services/capacity/health")
            ]
        except requests.RequestException:
            return False
        return all(answer.ok for answer in answers)

    # ---- its people

    def person(self, name: str) -> Person:
        """Return that person, logged in."""
        if name not in self._people:
            person = Person(self.url, name, self.folder.password(PEOPLE[name]))
            person.log_in()
            self._people[name] = person
        return self._people[name]

    def client(self, name: str) -> Client:
        """Return the service's API as that person scripts it."""
        person = self.person(name)
        return Client(person.service_url, person.token)

    def start_notebook(self, name: str, profile: str) -> RequestView:
        """Press Start and wait until the notebook runs, for the service and for the hub."""
        person = self.person(name)
        view = self.until_running(name, person.press_start(profile)["id"])
        eventually(lambda: is_ready(person), f"the hub takes {name}'s server as ready", START_SECONDS)
        return view

    def until_running(self, name: str, request_id: str) -> RequestView:
        return self._until(name, request_id, is_running)

    def until_over(self, name: str, request_id: str) -> RequestView:
        return self._until(name, request_id, is_over)

    def _until(self, name: str, request_id: str, holds: object) -> RequestView:
        client = self.client(name)
        assert callable(holds)

        def look() -> RequestView | None:
            view = client.request(request_id)
            return view if holds(view) else None

        view = eventually(look, f"{request_id} of {name}: {holds.__name__}", START_SECONDS)
        assert view is not None
        return view

    def end(self, name: str, request_id: str) -> RequestView:
        """Press Stop or Cancel and wait until nothing is held."""
        self.client(name).end(request_id)
        return self.until_over(name, request_id)

    def end_everything(self) -> None:
        """Leave nothing for the next test."""
        client = self.client("admin")
        for pause in client.pauses().items:
            client.resume_queue(pause.team, "a test is over")
        for node in client.nodes().items:
            if node.standing not in {NodeStanding.OPEN, NodeStanding.CLOSED}:
                client.uncordon_node(node.id, "a test is over")
        list(client.end_many(view.id for view in client.requests() if not is_over(view)))
        eventually(
            lambda: all(is_over(view) for view in client.requests()), "everything is over", START_SECONDS
        )
        # the hub learns of an end at its next poll, and sends people to what it believes to run until then
        with suppress(AssertionError):
            eventually(lambda: not self._active_users(), "the hub takes no server as running", NOTICE_SECONDS)

    def _active_users(self) -> list[str]:
        """Return who has a server that runs, starts or stops, for all that the hub knows."""
        answer = requests.get(
            f"{self.url}hub/api/users",
            params={"state": "active"},
            headers={"Authorization": f"token {self.person('admin').token}"},
            timeout=30,
        )
        answer.raise_for_status()
        return [user["name"] for user in answer.json()]

    def notebook_process(self, name: str) -> psutil.Process:
        """Return the process of a person's tiny server (not of its sandbox)."""
        for process in psutil.process_iter():
            try:
                env, command = process.environ(), process.cmdline()
            except (psutil.AccessDenied, psutil.NoSuchProcess):
                continue
            is_here = Path(env.get("HOME", "/")).is_relative_to(self.folder.root)  # others may run beside it
            is_theirs = is_here and env.get("JUPYTERHUB_USER") == name
            if is_theirs and command and command[-1].endswith("tiny_server.py") and "bwrap" not in command[0]:
                return process
        raise AssertionError(f"{name}'s server is not in the process table")
