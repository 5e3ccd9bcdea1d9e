"""The capacity service for a pipeline's runs: its real HTTP server, ledger and local backend, in a thread."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deadlines import eventually
from jupyterhub_mesos.backends.local import LocalBackend
from jupyterhub_mesos.client import Client, is_over
from jupyterhub_mesos.lake import Lake
from jupyterhub_mesos.service.app import Parts, serving
from jupyterhub_mesos.service.controller import ControllerSettings
from jupyterhub_mesos.wire import RequestView, StepEvent
from jupyterhub_mesos_quota.resources import Resources
from small_hub import SmallHub
from web_cases import people, settings_for

TOKEN = "member"
USER = "mia"
TEAM = "vision"
RUN_SECONDS = 100


@dataclass
class Ran:
    """A run that ended: its exit code, all it printed, and the events among it."""

    code: int
    text: str
    events: list[StepEvent] = field(init=False)

    def __post_init__(self) -> None:
        lines = [line for line in self.text.splitlines() if line.startswith("{")]
        self.events = [StepEvent.model_validate_json(line) for line in lines]

    @property
    def ends(self) -> dict[str, str]:
        """How each step stands at last."""
        return {event.step: event.state for event in self.events}

    def result(self, step: str) -> str:
        return [event.result for event in self.events if event.step == step][-1]


class Cloud:
    """One service; its only user's home is what a notebook of theirs would see."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.url = ""
        self.before: set[str] = set()
        self._loop = asyncio.new_event_loop()
        self._stop: asyncio.Event | None = None
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    @property
    def home(self) -> Path:
        return self.state / "home" / USER

    @property
    def env(self) -> dict[str, str]:
        """The environment of a notebook of the user's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("JOB_", "JUPYTER"))}
        return kept | {
            "HOME": str(self.home),
            "JUPYTERHUB_USER": USER,
            "JUPYTERHUB_API_TOKEN": TOKEN,
            "CAPACITY_API_URL": self.url,
            "CAPACITY_TEAM": TEAM,
        }

    @property
    def client(self) -> Client:
        return Client(self.url, TOKEN)

    def start(self) -> None:
        self._thread.start()
        assert self._is_up.wait(20)
        # As the first notebook would: a home with the lake in it.
        team = Lake(self.state / "lake").prepare(TEAM)
        (self.home / "lake").mkdir(parents=True, exist_ok=True)
        if not (self.home / "lake" / "team").exists():
            (self.home / "lake" / "team").symlink_to(team)

    def stop(self) -> None:
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        self._loop.close()

    def _serve(self) -> None:
        self._loop.run_until_complete(self._until_stopped())

    async def _until_stopped(self) -> None:
        self._stop = asyncio.Event()
        hub = SmallHub(people())
        hub.open()
        backend = LocalBackend(
            self.state, isolation="shared", capacity=Resources.of(cpu_millis=4000, mem_mib=6144)
        )
        parts = Parts(backend, Lake(self.state / "lake"), ControllerSettings())
        async with serving(settings_for(hub, self.state), parts) as service:
            self.url = service.url
            self._is_up.set()
            await self._stop.wait()
        await hub.close()

    # ---- what a person does

    def popen(self, *arguments: str, **more: Any) -> subprocess.Popen[str]:
        """Start `jupyterhub-mesos ARGUMENTS` as the user's terminal does."""
        return subprocess.Popen(
            (sys.executable, "-m", "jupyterhub_mesos.cli", *arguments),
            env=self.env | more.pop("env", {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **more,
        )

    def run(self, *arguments: str, **more: Any) -> Ran:
        process = self.popen(*arguments, **more)
        text, _ = process.communicate(timeout=RUN_SECONDS)
        return Ran(process.returncode, text)

    def requests(self, kind: str) -> list[RequestView]:
        """Return the test's own requests of a kind, newest first."""
        return [view for view in self.client.requests(kind=kind) if view.id not in self.before]

    def over(self, request_id: str) -> RequestView:
        """Wait for a request's end."""
        client = self.client

        def look() -> RequestView | None:
            view = client.request(request_id)
            return view if is_over(view) else None

        view = eventually(look, f"{request_id} is over", 60)
        assert view is not None
        return view

    def end_everything(self) -> None:
        client = self.client
        for view in client.requests():
            if not is_over(view):
                client.end(view.id)
                self.over(view.id)
            self.before.add(view.id)


@contextmanager
def running_cloud(state: Path) -> Iterator[Cloud]:
    cloud = Cloud(state)
    cloud.start()
    try:
        yield cloud
    finally:
        cloud.end_everything()
        cloud.stop()
