"""A real JupyterLab with our extension, as a process of its own, in front of a capacity service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests

from deadlines import eventually
from fake_capacity import TOKEN as CAPACITY_TOKEN
from fake_capacity import FakeCapacity

TOKEN: Final = "the-browser-s-token"
START_SECONDS: Final = 60.0
END_SECONDS: Final = 60
BUNDLES: Final = Path(__file__).parent / "lab" / "labextensions"
"""The sources' own bundle under its name, whatever is installed."""


@dataclass(frozen=True)
class LabServer:
    """Where it serves, and the folder it shows."""

    url: str
    home: Path

    def ask(self, method: str, path: str, body: Any = None, /, **query: str) -> requests.Response:
        """Ask one of our routes, as the browser does."""
        return requests.request(
            method,
            f"{self.url}capacity/{path}",
            params=query,
            json=body,
            headers={"Authorization": f"token {TOKEN}"},
            timeout=30,
        )

    def page(self, notebook: str) -> str:
        """Return the address that opens a notebook and nothing else."""
        return f"{self.url}lab/tree/{notebook}?reset&token={TOKEN}"


@dataclass(frozen=True)
class Rig:
    """A JupyterLab, and the service before which it stands."""

    lab: LabServer
    fake: FakeCapacity


@contextmanager
def running_lab(root: Path, capacity_url: str, env: Mapping[str, str] | None = None) -> Iterator[LabServer]:
    """Run JupyterLab below `root`; its folder is `root/home`, which is the kernels' home too."""
    home, runtime = root / "home", root / "runtime"
    home.mkdir(parents=True, exist_ok=True)
    log = (root / "lab.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *_options(root)],
        stdout=log,
        stderr=log,
        cwd=home,
        env={**os.environ, **_environment(root, capacity_url), **(env or {})},
    )
    try:
        url = eventually(lambda: _url(process, runtime, root), "JupyterLab serves", START_SECONDS)
        yield LabServer(url, home)
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        finally:
            process.kill()
            process.wait()
            log.close()


def _options(root: Path) -> list[str]:
    """Return the command line, and leave the question for news unasked."""
    page = root / "config" / "labconfig" / "page_config.json"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text('{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}')
    return [
        "--no-browser",
        "--allow-root",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port=0",
        f"--ServerApp.root_dir={root / 'home'}",
        f"--IdentityProvider.token={TOKEN}",
        '--ServerApp.jpserver_extensions={"jupyterhub_mesos.lab": True, "jupyterlab": True}',
        "--LabApp.expose_app_in_browser=True",  # its state can be asked for in the page
        f"--LabServerApp.extra_labextensions_path={BUNDLES}",
    ]


def _environment(root: Path, capacity_url: str) -> dict[str, str]:
    return {
        "HOME": str(root / "home"),
        "JUPYTER_CONFIG_DIR": str(root / "config"),
        "JUPYTER_RUNTIME_DIR": str(root / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(root / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(root / "workspaces"),
        "JUPYTERHUB_API_TOKEN": CAPACITY_TOKEN,
        "CAPACITY_API_URL": capacity_url,
    }


def _url(process: subprocess.Popen[bytes], runtime: Path, root: Path) -> str | None:
    assert process.poll() is None, (root / "lab.log").read_text()
    for file in runtime.glob("jpserver-*.json"):
        try:
            url = str(json.loads(file.read_text())["url"])
            requests.get(f"{url}api/status", headers={"Authorization": f"token {TOKEN}"}, timeout=5)
        except (ValueError, requests.RequestException):
            return None
        return url
    return None
