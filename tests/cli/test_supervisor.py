"""Proxy, service and hub for real: they come up, come back when killed, and end; notebooks live on."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pytest
import requests

from deadlines import eventually
from jupyterhub_mesos.cli.proxy import PROXY_VARIABLE, ProxyNotFound, proxy_command
from jupyterhub_mesos.cli.supervisor import Supervisor, SupervisorSettings
from jupyterhub_mesos.errors import CapacityError, Conflict, Unavailable
from requirements import require

CONFIG = Path(__file__).resolve().parent.parent / "up_config.py"
SECONDS = 60.0


def has_proxy() -> bool:
    try:
        proxy_command()
    except CapacityError:
        return False
    return True


@pytest.fixture(autouse=True)
def _needs_the_proxy() -> None:
    require("configurable-http-proxy (make set-up installs it)", has_proxy())


def settings(tmp_path: Path, *, stop_notebooks: bool = False) -> SupervisorSettings:
    return SupervisorSettings(state=tmp_path / "state", config=CONFIG, stop_notebooks=stop_notebooks)


class Somebody:
    """A client of the hub's API through the proxy, with every right (a test's)."""

    def __init__(self, up: Supervisor) -> None:
        self.url = up.urls.public
        self.head = {"Authorization": f"token {up.folder.secret('operator_token')}"}

    def call(self, method: str, path: str, body: object = None) -> requests.Response:
        url = f"{self.url}hub/api/{path}"
        return requests.request(method, url, json=body, headers=self.head, timeout=SECONDS)

    def start_notebook(self) -> None:
        self.call("POST", "users/ann")
        self.call("POST", "groups/vision")
        self.call("POST", "groups/vision/users", {"users": ["ann"]})
        started = self.call("POST", "users/ann/server", {})
        assert started.status_code in {201, 202}, started.text
        eventually(self.notebook_answers, "the notebook answers through the proxy", SECONDS)

    def notebook_answers(self) -> bool:
        try:
            answer = requests.get(f"{self.url}user/ann/api", timeout=SECONDS)
            return answer.ok and answer.json().get("version") == "tiny"
        except (requests.ConnectionError, ValueError):
            return False


def notebook_pids(up: Supervisor) -> set[int]:
    found = set()
    for process in psutil.process_iter(["cmdline", "environ"]):
        environ = process.info["environ"] or {}
        is_ours = environ.get("CAPACITY_URL", "").startswith(up.urls.service)
        if is_ours and any("tiny_server.py" in part for part in process.info["cmdline"] or []):
            found.add(process.pid)
    return found


async def by_then(holds: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(eventually, holds, what, SECONDS)


@pytest.mark.parametrize("name", ["proxy", "service", "hub"])
async def test_a_part_that_is_killed_comes_back_and_the_notebook_is_reached_again(
    tmp_path: Path, name: str
) -> None:
    async with Supervisor(settings(tmp_path, stop_notebooks=True)) as up:
        somebody = Somebody(up)
        await asyncio.to_thread(somebody.start_notebook)
        before = notebook_pids(up)
        killed = up.pids[name]
        assert before
        assert killed
        os.kill(killed, signal.SIGKILL)
        await by_then(lambda: up.pids[name] not in {None, killed}, f"the {name} is started again")
        await up.children[name].ready(SECONDS)
        await by_then(somebody.notebook_answers, "the notebook is reached again")
        assert notebook_pids(up) == before
    await by_then(lambda: not notebook_pids(up), "the notebook ended with everything")


async def test_what_runs_outlives_the_three_and_is_found_again(tmp_path: Path) -> None:
    async with Supervisor(settings(tmp_path)) as up:
        await asyncio.to_thread(Somebody(up).start_notebook)
        before, parts = notebook_pids(up), list(up.pids.values())
        assert before
    assert not any(pid and psutil.pid_exists(pid) for pid in parts)
    assert notebook_pids(up) == before
    async with Supervisor(settings(tmp_path, stop_notebooks=True)) as again:
        assert again.urls == up.urls
        await by_then(Somebody(again).notebook_answers, "the notebook is reached through the new parts")
        assert notebook_pids(again) == before
    await by_then(lambda: not notebook_pids(again), "the notebook ended with everything")


async def test_a_second_up_on_the_same_state_folder_is_refused(tmp_path: Path) -> None:
    async with Supervisor(settings(tmp_path)) as up:
        with pytest.raises(Conflict, match=rf"already runs on .*process {os.getpid()}.*--state"):
            await Supervisor(settings(tmp_path)).__aenter__()
        assert None not in up.pids.values()


async def test_a_broken_configuration_is_quoted_and_nothing_stays(tmp_path: Path) -> None:
    broken = tmp_path / "jupyterhub_config.py"
    broken.write_text("c.JupyterHub.port = 'no such port'\nraise RuntimeError('broken on purpose')\n")
    up = Supervisor(SupervisorSettings(state=tmp_path / "state", config=broken))
    with pytest.raises(Unavailable, match=r"(?s)ended before it answered.*broken on purpose"):
        await up.__aenter__()
    assert set(up.pids.values()) == {None}


async def test_the_proxys_namesake_on_the_path_is_never_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "path"
    place.mkdir()
    for name, first_line in (("configurable-http-proxy", "#!/usr/bin/python3"), ("node", "#!/bin/sh")):
        (place / name).write_text(f"{first_line}\ntouch {tmp_path}/started\n")
        (place / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.delenv(PROXY_VARIABLE, raising=False)
    monkeypatch.setattr(
        "jupyterhub_mesos.cli.supervisor.proxy_command", partial(proxy_command, prefix=tmp_path)
    )
    with pytest.raises(ProxyNotFound, match="make set-up"):
        await Supervisor(settings(tmp_path)).__aenter__()
    assert not (tmp_path / "started").exists()
