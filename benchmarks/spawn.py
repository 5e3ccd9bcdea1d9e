"""What a start through us costs beside JupyterHub's own spawner: the wait for a server, and the hub's CPU.

    python -m benchmarks spawn [--quick]

Two whole installations on this machine: ours as `jupyterhub-mesos up` runs it, and the same hub with
`SimpleLocalProcessSpawner`. Both start the same tiny server, in turn, by the hub's REST API, until it is
ready, and stop it again.
"""

from __future__ import annotations

import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil
import requests

from benchmarks.table import Figure

STARTS: Final = 40
QUICK: Final = 8
WARM: Final = 2
"""Starts before the first that counts."""
SECONDS: Final = 60.0
MOST_RATIO: Final = 1.1
MOST_CPU_MS: Final = 10.0
USER: Final = "ann"
STOCK: Final = Path(__file__).with_name("spawn_stock_config.py")


@dataclass
class Hub:
    """A hub, who may ask it, and what its starts have cost."""

    url: str
    token: str
    process: psutil.Process
    body: dict[str, str] = field(default_factory=dict[str, str])
    seconds: list[float] = field(default_factory=list[float])
    cpu_ms: list[float] = field(default_factory=list[float])

    def start(self, name: str) -> None:
        """Start a server, and stop it; note how long the start took, and the hub's CPU until it was ready."""
        path = f"users/{USER}/servers/{name}"
        cpu, began = self._cpu_ms(), time.perf_counter()
        answer = self.ask("POST", path, self.body)
        if answer.status_code != requests.codes.created:
            raise OSError(f"{path}: {answer.status_code} {answer.text[:500]}")
        self.seconds.append(time.perf_counter() - began)
        self.cpu_ms.append(self._cpu_ms() - cpu)
        self.ask("DELETE", path, {"remove": True})
        until = time.monotonic() + SECONDS
        while name in self.ask("GET", f"users/{USER}").json()["servers"]:
            if time.monotonic() > until:
                raise OSError(f"{path} was not stopped within {SECONDS:g} s")
            time.sleep(0.05)

    def forget_warming_up(self) -> None:
        """Begin to count."""
        self.seconds.clear()
        self.cpu_ms.clear()

    def _cpu_ms(self) -> float:
        used = self.process.cpu_times()
        return 1000 * (used.user + used.system)

    def ask(self, method: str, path: str, body: object = None) -> requests.Response:
        """Ask the hub's REST API; whatever it answers is the answer."""
        return requests.request(
            method,
            f"{self.url}hub/api/{path}",
            json=body,
            headers={"Authorization": f"token {self.token}"},
            timeout=SECONDS,
        )


def main(quick: bool) -> list[Figure]:
    """Start in turn."""
    count = QUICK if quick else STARTS
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-spawn-")))
        stock, ours = (
            stack.enter_context(_stock(folder / "stock")),
            stack.enter_context(_ours(folder / "ours")),
        )
        for number in range(WARM + count):
            if number == WARM:
                stock.forget_warming_up()
                ours.forget_warming_up()
            stock.start(f"b{number}")
            ours.start(f"b{number}")
    is_what = f"the same by SimpleLocalProcessSpawner, in turn, {count} each"
    more_ms = statistics.mean(ours.cpu_ms) - statistics.mean(stock.cpu_ms)
    wait, plain = statistics.median(ours.seconds), statistics.median(stock.seconds)
    return [
        Figure(
            "start of a server",
            "s",
            wait,
            "From the request to the hub's REST API until the tiny server is ready, with admission, a "
            "durable ledger, sandbox and the team's lake mounted: the median.",
            baseline=plain,
            baseline_is=is_what,
            at_most=MOST_RATIO * plain,
        ),
        Figure(
            "CPU of the hub's process for it",
            "ms",
            statistics.mean(ours.cpu_ms),
            f"Until it is ready, the mean; {more_ms:+.1f} ms beside the baseline.",
            baseline=statistics.mean(stock.cpu_ms),
            baseline_is=is_what,
            at_most=statistics.mean(stock.cpu_ms) + MOST_CPU_MS,
        ),
    ]


@contextmanager
def _ours(root: Path) -> Iterator[Hub]:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    try:
        from installation import Installation  # noqa: PLC0415 - a helper of the tests
    finally:
        del sys.path[0]
    root.mkdir()
    root.parent.chmod(0o755)
    cloud = Installation(root)
    cloud.start()
    try:
        pid = cloud.pid("hub")
        if pid is None:
            raise OSError("the hub does not run")
        cloud.person(USER)
        yield Hub(cloud.url, cloud.person("admin").token, psutil.Process(pid), {"profile": "small"})
    finally:
        cloud.stop()


@contextmanager
def _stock(root: Path) -> Iterator[Hub]:
    from jupyterhub_mesos.statefolder import StateFolder  # noqa: PLC0415

    root.mkdir()
    folder = StateFolder.at(root)
    folder.prepare()
    ports = folder.choose_ports()
    token = secrets.token_hex(16)
    env = os.environ | {
        "STOCK_PORTS": f"{ports.public},{ports.hub},{ports.proxy_api}",
        "STOCK_TOKEN": token,
        "CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(16),
    }
    with (root / "hub.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(STOCK)], cwd=root, env=env, stdout=log, stderr=log
        )
    hub = Hub(f"http://127.0.0.1:{ports.public}/", token, psutil.Process(process.pid))
    try:
        _until_it_answers(hub, process, root / "hub.log")
        hub.ask("POST", f"users/{USER}")
        yield hub
    finally:
        process.terminate()
        process.wait(SECONDS)


def _until_it_answers(hub: Hub, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            if requests.get(f"{hub.url}hub/health", timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise OSError(f"JupyterHub did not come up:\n{log.read_text()[-2000:]}")
