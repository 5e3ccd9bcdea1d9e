"""A real hub, as a process of its own with `configure`, and people and programs that come to its doors."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import requests

from jupyterhub_mesos.statefolder import LOOPBACK, STATE_VARIABLE, StateFolder

CONFIG = Path(__file__).parent / "spawner" / "hub_config.py"
PASSWORD = "correct-horse"
START_SECONDS = 60.0
CALL_SECONDS = 30.0


class RealHub:
    """The hub's process over one state folder."""

    def __init__(self, folder: StateFolder) -> None:
        self.folder = folder
        self.url = f"http://{LOOPBACK}:{folder.ports().hub}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.folder.logs / "hub.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", str(CONFIG)],
                cwd=self.folder.hub,
                env={**os.environ, STATE_VARIABLE: str(self.folder.root)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.is_running, self.log()
            assert time.monotonic() < deadline, self.log()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.1)

    def kill(self) -> None:
        """End it as a crash would: it cannot clean up."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it in order."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(START_SECONDS)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        return (self.folder.logs / "hub.log").read_text()

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/hub/health", timeout=5).ok
        except requests.ConnectionError:
            return False

    def start_server(self, name: str, server: str = "") -> str:
        """Start a server as its user's program; return its path in the API."""
        path = f"users/{name}/servers/{server}" if server else f"users/{name}/server"
        answer = self.user(name).call("POST", path, {})
        assert answer.status_code in {201, 202}, answer.text
        return path

    def is_ready(self, name: str, server: str = "") -> bool:
        """Say whether the hub takes that server as running."""
        servers = self.admin.call("GET", f"users/{name}").json()["servers"]
        return bool(servers.get(server, {}).get("ready"))

    # ---- who comes to the doors

    def api(self, token: str) -> Program:
        """Return a program with that token."""
        return Program(self.url, token)

    @property
    def admin(self) -> Program:
        """Return a program that may do everything."""
        return self.api(self.folder.secret("test_admin_token"))

    @property
    def service(self) -> Program:
        """Return a program with the capacity service's own token."""
        return self.api(self.folder.secret("service_token"))

    def user(self, name: str) -> Program:
        """Return a program with a token of that user's."""
        self.admin.call("POST", f"users/{name}")
        made = self.admin.call("POST", f"users/{name}/tokens", {})
        return self.api(made.json()["token"])

    @contextmanager
    def browser(self, name: str) -> Iterator[Browser]:
        """Yield a browser in which that user is logged in."""
        with requests.Session() as session:
            browser = Browser(self.url, session)
            browser.log_in(name)
            yield browser


@dataclass
class Program:
    """A client of the hub's REST API."""

    url: str
    token: str

    def call(self, method: str, path: str, body: object = None) -> requests.Response:
        return requests.request(
            method,
            f"{self.url}/hub/api/{path}",
            json=body,
            headers={"Authorization": f"token {self.token}"},
            timeout=CALL_SECONDS,
            allow_redirects=False,
        )


@dataclass
class Browser:
    """A person's browser, which shows each answer instead of following it."""

    url: str
    session: requests.Session

    def log_in(self, name: str) -> None:
        self.get("/hub/login")
        answer = self.post("/hub/login", {"username": name, "password": PASSWORD})
        assert answer.status_code == 302, answer.text

    def get(self, path: str) -> requests.Response:
        return self.session.get(self.url + path, timeout=CALL_SECONDS, allow_redirects=False)

    def post(self, path: str, form: dict[str, str]) -> requests.Response:
        xsrf = next(cookie.value for cookie in self.session.cookies if cookie.name == "_xsrf")
        return self.session.post(
            self.url + path, data={**form, "_xsrf": xsrf}, timeout=CALL_SECONDS, allow_redirects=False
        )
