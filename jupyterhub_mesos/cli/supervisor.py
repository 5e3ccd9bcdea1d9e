"""Proxy, capacity service and hub side by side on loopback: what `jupyterhub-mesos up` runs.

```python
async with Supervisor(SupervisorSettings(state=..., config=...)) as up:
    print(up.urls.public, up.pids["hub"])
    await up.until_ended()
```

Each part is started when those that it needs answer (proxy and service, then
the hub), restarted when it dies, and stopped in the opposite order. What runs
for users outlives all three, unless `stop_notebooks` is set.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tornado.httpclient import AsyncHTTPClient, HTTPClientError

from jupyterhub_mesos.cli.processes import Child, Program, end_leftovers
from jupyterhub_mesos.cli.proxy import proxy_command
from jupyterhub_mesos.client import Client, is_over
from jupyterhub_mesos.errors import CapacityError, Conflict
from jupyterhub_mesos.statefolder import LOOPBACK, STATE_VARIABLE, Ports, StateFolder

log = logging.getLogger(__name__)

START_SECONDS: Final = 90.0
"""A hub imports and migrates in a few seconds; ten times that on a busy machine."""

DRAIN_SECONDS: Final = 30.0
"""For what runs to end before the service is stopped, with `stop_notebooks`."""

DRAIN_LOOK_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class SupervisorSettings:
    """Where the state is, which configuration file hub and service read, and what happens at the end.

    `public_port` 0 keeps the port chosen before, or a free one.
    """

    state: Path
    config: Path
    public_port: int = 0
    stop_notebooks: bool = False
    start_seconds: float = START_SECONDS
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


@dataclass(frozen=True, slots=True)
class Urls:
    """Where things are; `public` is for people, the others are for this machine's programs."""

    public: str
    hub: str
    service: str
    proxy_api: str

    @classmethod
    def of(cls, ports: Ports) -> Urls:
        """Name the URLs at these loopback ports."""
        return cls(
            public=f"http://{LOOPBACK}:{ports.public}/",
            hub=f"http://{LOOPBACK}:{ports.hub}/hub/",
            service=f"http://{LOOPBACK}:{ports.service}/services/capacity/",
            proxy_api=f"http://{LOOPBACK}:{ports.proxy_api}/api/routes",
        )


class Supervisor:
    """Runs the three parts while its `async with` block runs."""

    def __init__(self, settings: SupervisorSettings) -> None:
        self.settings = settings
        self.folder = StateFolder.at(settings.state)
        self.children: dict[str, Child] = {}
        self._ended = asyncio.Event()
        self._stack = AsyncExitStack()
        self._ports = Ports()
        self._task: asyncio.Task[object] | None = None
        self._is_waiting = False

    @property
    def urls(self) -> Urls:
        """Where the parts answer."""
        return Urls.of(self._ports)

    @property
    def pids(self) -> dict[str, int | None]:
        """Each part's process id now; None while it is being restarted."""
        return {name: child.pid for name, child in self.children.items()}

    def end(self) -> None:
        """Let `until_ended` return; may be called from a handler of the loop."""
        self._ended.set()

    async def until_ended(self) -> None:
        """Wait until `end` is called, or SIGTERM or Ctrl-C comes; both are ignored from then on."""
        self._is_waiting = True
        _on_signal(signal.SIGINT, self.end)
        await self._ended.wait()

    def _terminate(self) -> None:
        """Leave on SIGTERM: as `end` where that is waited for, else by cancelling what runs, once."""
        is_first = not self._ended.is_set()
        self.end()
        if is_first and not self._is_waiting and self._task is not None:
            self._task.cancel()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.enter_context(_only_one(self.folder))
            self._task = asyncio.current_task()
            _on_signal(signal.SIGTERM, self._terminate)
            stack.callback(_let_signals_go)
            self._ports = self.folder.choose_ports(self.settings.public_port)
            await asyncio.to_thread(end_leftovers, self.folder.run)
            programs = _programs(self.settings, self.folder, self._ports)
            # left in the opposite order: hub, service, proxy
            for program in programs:
                child = self.children[program.name] = Child(program, self.folder.run)
                stack.push_async_callback(child.stop)
                child.start()
                await child.ready(self.settings.start_seconds)
            self.children["proxy"].on_return = self._tell_routes
            stack.push_async_callback(self._drain)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, traceback)

    async def _drain(self) -> None:
        if self.settings.stop_notebooks:
            await asyncio.to_thread(end_everything, self.urls.service, self.folder.secret("operator_token"))

    async def _tell_routes(self) -> None:
        """Have the hub tell a proxy that was restarted its routes again."""
        token = self.folder.secret("operator_token")
        try:
            await AsyncHTTPClient().fetch(
                f"{self.urls.hub}api/proxy",
                method="POST",
                body="",
                headers={"Authorization": f"token {token}"},
            )
        except (HTTPClientError, OSError) as error:
            # the hub tells a proxy everything when it starts, and again by and by
            log.warning("proxy: the hub did not tell it its routes: %s", error)


def end_everything(service_url: str, token: str) -> None:
    """End every request through the service, and wait until nothing runs (or say what still does)."""
    client = Client(service_url, token)
    deadline = time.monotonic() + DRAIN_SECONDS
    try:
        while left := [view for view in client.requests() if not is_over(view)]:
            for view in left:
                if not view.is_ending:
                    client.end(view.id)
            if time.monotonic() > deadline:
                log.warning("%d requests are still ending: %s", len(left), ", ".join(v.id for v in left))
                return
            time.sleep(DRAIN_LOOK_SECONDS)
    except CapacityError as error:
        log.warning("what runs could not be ended: %s", error)


def _programs(settings: SupervisorSettings, folder: StateFolder, ports: Ports) -> tuple[Program, ...]:
    urls, config = Urls.of(ports), str(settings.config.resolve())
    env = {**settings.environment, STATE_VARIABLE: str(folder.root)}
    token = folder.secret("proxy_token")
    proxy = Program(
        "proxy",
        (*proxy_command(), *_proxy_options(ports)),
        cwd=folder.run,
        log_file=folder.logs / "proxy.log",
        health_url=urls.proxy_api,
        env={**env, "CONFIGPROXY_AUTH_TOKEN": token},
        health_headers={"Authorization": f"token {token}"},
    )
    service = Program(
        "service",
        (sys.executable, "-m", "jupyterhub_mesos.service", f"--config={config}", "--no-wait"),
        cwd=folder.root,
        log_file=folder.logs / "service.log",
        health_url=f"{urls.service}health",
        env=env,
    )
    hub = Program(
        "hub",
        (sys.executable, "-m", "jupyterhub", "-f", config),
        cwd=folder.hub,
        log_file=folder.logs / "hub.log",
        health_url=f"{urls.hub}health",
        env=env,
    )
    return proxy, service, hub


def _proxy_options(ports: Ports) -> tuple[str, ...]:
    hub = f"http://{LOOPBACK}:{ports.hub}"
    return (
        *("--ip", LOOPBACK, "--port", str(ports.public)),
        *("--api-ip", LOOPBACK, "--api-port", str(ports.proxy_api)),
        *("--default-target", hub, "--error-target", f"{hub}/hub/error"),
    )


@contextmanager
def _only_one(folder: StateFolder) -> Generator[None, None, None]:
    """Hold the state folder. Raises `Conflict` while another supervisor holds it."""
    folder.prepare()
    with (folder.run / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise Conflict(
                f"jupyterhub-mesos already runs on {folder.root} (process {lock.read().strip()}): "
                "stop it, or name another folder with --state."
            ) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _on_signal(number: signal.Signals, call: Callable[[], None]) -> None:
    """Have the loop call on a signal, where it can: only the main thread gets any."""
    if threading.current_thread() is threading.main_thread():
        asyncio.get_running_loop().add_signal_handler(number, call)


def _let_signals_go() -> None:
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(number)
