"""Capacity services as processes over one ledger, with a small hub, and jobs that say who they are."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPResponse

from small_hub import SmallHub
from web_cases import PROFILES, TEAMS

DEADLINE_SECONDS: Final = 40.0
LOOK_SECONDS: Final = 0.1
PREFIX: Final = "/services/capacity/"


@dataclass
class ServiceProcess:
    """One service; `log` is what it said."""

    port: int
    log_file: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    async def ask(self, method: str, path: str, body: Any = None) -> HTTPResponse | None:
        """Ask a route as a member; None where nobody answers."""
        try:
            return await AsyncHTTPClient().fetch(
                f"http://127.0.0.1:{self.port}{PREFIX}{path}",
                method=method,
                headers={"Authorization": "token member", "Content-Type": "application/json"},
                body=None if body is None else json.dumps(body),
                raise_error=False,
                request_timeout=20,
            )
        except (OSError, HTTPClientError):
            return None

    async def says(self, path: str, code: int) -> HTTPResponse:
        """Wait until a route answers with that status."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (answer := await self.ask("GET", path)) is None or answer.code != code:
            assert time.monotonic() < deadline, f"{path} never answers {code}:\n{self.log}"
            assert self.process.poll() is None, self.log
            await asyncio.sleep(LOOK_SECONDS)
        return answer

    async def logs(self, text: str) -> None:
        """Wait until it says something."""
        await until(lambda: text in self.log, f"{text!r} in the log")

    async def json(self, path: str) -> Any:
        answer = await self.says(f"api/v1/{path}", 200)
        return json.loads(answer.body)

    async def ended(self) -> int:
        """Wait for its end; returns its exit status."""
        await until(lambda: self.process.poll() is not None, "the end of the service")
        assert self.process.returncode is not None
        return self.process.returncode

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass
class Services:
    """The services of one ledger."""

    folder: Path
    hub: SmallHub
    ledger_url: str
    started: list[ServiceProcess] = field(default_factory=list)

    def start(
        self, *options: str, port: int = 0, ledger_url: str = "", inside: tuple[str, ...] = ()
    ) -> ServiceProcess:
        """Start another one, at a port of its own unless one is given; `inside` is a command that runs it."""
        port = port or free_port()
        name = f"service-{len(self.started)}"
        config = self.folder / f"{name}.py"
        config.write_text(self._config(port, ledger_url or self.ledger_url))
        log_file = self.folder / f"{name}.log"
        with log_file.open("ab") as log:
            process = subprocess.Popen(
                [*inside, sys.executable, "-m", "jupyterhub_mesos.service", f"--config={config}", *options],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        service = ServiceProcess(port, log_file, process)
        self.started.append(service)
        return service

    def _config(self, port: int, ledger_url: str) -> str:
        keys = {
            "state_dir": str(self.folder / "state"),
            "ledger_url": ledger_url,
            "port": port,
            "service_prefix": PREFIX,
            "hub_api_url": self.hub.api_url,
            "teams_file": str(self.folder / "teams.yaml"),
            "profiles_file": str(self.folder / "profiles.yaml"),
            "isolation": "shared",
            "capacity_cpu_millis": 16000,
            "capacity_mem_mib": 32768,
        }
        return "c = get_config()\n" + "".join(f"c.CapacityService.{k} = {v!r}\n" for k, v in keys.items())


@contextmanager
def services(folder: Path, hub: SmallHub, ledger_url: str) -> Iterator[Services]:
    """Lend services over one ledger; what they left running is ended with them."""
    (folder / "teams.yaml").write_text(TEAMS)
    (folder / "profiles.yaml").write_text(PROFILES)
    lent = Services(folder, hub, ledger_url)
    try:
        yield lent
    finally:
        for service in lent.started:
            if service.process.poll() is None:
                service.kill()
        for pid in pids_of(folder):
            os.kill(pid, signal.SIGKILL)


def job(folder: Path, name: str) -> dict[str, Any]:
    """A job that notes its process in `folder` and goes on until it is ended."""
    argv = ["sh", "-c", f"echo $$ >> {folder}/{name}.pids; exec sleep 600"]
    role = {"argv": argv, "resources": {"cpu_millis": 100, "mem_mib": 64}}
    return {
        "payload": {
            "kind": "training",
            "job": {"name": name, "roles": [role], "restart": {"max_restarts": 0}},
        }
    }


def files_of(folder: Path, name: str = "*") -> list[Path]:
    """Return the files in which jobs noted their processes."""
    return list(folder.glob(f"{name}.pids"))


def pids_of(folder: Path, name: str = "*") -> list[int]:
    """Return the processes that jobs noted, and that live."""
    noted = [int(line) for path in files_of(folder, name) for line in path.read_text().split()]
    return [pid for pid in noted if Path(f"/proc/{pid}").exists()]


async def until(look: Callable[[], object], what: str) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not look():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(LOOK_SECONDS)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
