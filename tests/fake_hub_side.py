"""The hub's side of the capacity service over a real socket, as a test sets it; and a proxy's API.

It speaks `jupyterhub_mesos.wire` and checks the hub's key, but has no ledger: `room` decides
whether a start is claimed or queued. It runs on a thread of its own, so that a
test may block on the real hub meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import tornado.web
from tornado.httpserver import HTTPServer

from jupyterhub_mesos.statefolder import LOOPBACK, Ports
from jupyterhub_mesos.wire import HubClaim, HubLaunch, HubServer, HubStart, Problem, ResourcesModel, Wire
from tiny_server import tiny_app

PREFIX = "/services/capacity"
HUB_SIDE = f"{PREFIX}/api/v1/hub"
DEADLINE_SECONDS = 30.0


@dataclass
class Story:
    """What was asked, and what is to be answered."""

    room: bool = True
    refusal: Problem | None = None
    is_slow: bool = False  # answers no start until `hurry` is called
    launch_ends: bool = True  # False: the server goes on starting for ever
    launch_fails: str = ""
    starts: list[HubStart] = field(default_factory=list)
    launches: list[HubLaunch] = field(default_factory=list)
    polls: list[str] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)
    withdrawals: list[str] = field(default_factory=list)
    alive: dict[str, str] = field(default_factory=dict)  # server -> URL


def page_of(number: int) -> str:
    return f"{PREFIX}/requests/r{number}"


class FakeCapacity:
    """The fake: `story` is shared with the test; `until` waits for something to have happened."""

    def __init__(self, ports: Ports, key: str) -> None:
        self.ports = ports
        self.key = key
        self.story = Story()
        self.routes: dict[str, Any] = {}
        self.hurried = asyncio.Event()
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tiny: dict[str, HTTPServer] = {}
        self._service: HTTPServer | None = None
        self._proxy: HTTPServer | None = None

    def __enter__(self) -> FakeCapacity:
        self._thread.start()
        self._call(self._open_proxy)
        self.come_back()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_away()
        self._call(self._close_all)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def go_away(self) -> None:
        """Stop to answer, as a service that is down."""
        if self._service is not None:
            self._call(self._service.stop)
            self._service = None

    def come_back(self) -> None:
        """Answer again at the same address."""
        if self._service is None:
            self._call(self._open_service)

    def reset(self) -> None:
        """Begin a new story; servers that run go on."""
        self.come_back()
        with self._changed:
            self.story = Story(alive=self.story.alive)

    def happened(self, change: Callable[[], None]) -> None:
        with self._changed:
            change()
            self._changed.notify_all()

    def until(self, holds: Callable[[Story], bool]) -> Story:
        """Wait until `holds` is true of the story, with a deadline."""
        with self._changed:
            if not self._changed.wait_for(lambda: holds(self.story), DEADLINE_SECONDS):
                raise AssertionError(f"did not happen within {DEADLINE_SECONDS:g} s: {self.story}")
            return self.story

    def hurry(self) -> None:
        """Answer the starts that wait for it."""
        self._loop.call_soon_threadsafe(self.hurried.set)

    def bring_up(self, server: str, launch: HubLaunch) -> str:
        """Start a tiny server at the launch's address (on the fake's own loop)."""
        url = launch.env["JUPYTERHUB_SERVICE_URL"]
        if server not in self._tiny:
            self._tiny[server] = tiny_app().listen(urlsplit(url).port or 0, LOOPBACK)
        return url

    def bring_down(self, server: str) -> None:
        if tiny := self._tiny.pop(server, None):
            tiny.stop()

    def _open_service(self) -> None:
        keyed: dict[str, Any] = {"fake": self}
        routes = [
            (f"{HUB_SIDE}/starts", _Starts, keyed),
            (f"{HUB_SIDE}/allocations/([^/]+)/launch", _Launch, keyed),
            (f"{HUB_SIDE}/servers/([^/]+)/([^/]+)", _Server, keyed),
            (f"{HUB_SIDE}/servers/([^/]+)/([^/]+)/stop", _Stop, keyed),
        ]
        self._service = tornado.web.Application(routes).listen(self.ports.service, LOOPBACK)

    def _open_proxy(self) -> None:
        routes = [(r"/api/routes(/.*)?", _Routes, {"fake": self})]
        self._proxy = tornado.web.Application(routes).listen(self.ports.proxy_api, LOOPBACK)

    def _close_all(self) -> None:
        for server in list(self._tiny):
            self.bring_down(server)
        if self._proxy is not None:
            self._proxy.stop()

    def _call(self, work: Callable[[], object]) -> None:
        async def on_the_loop() -> None:
            work()

        asyncio.run_coroutine_threadsafe(on_the_loop(), self._loop).result(DEADLINE_SECONDS)


class _HubSide(tornado.web.RequestHandler):
    fake: FakeCapacity

    def initialize(self, fake: FakeCapacity) -> None:
        self.fake = fake

    def prepare(self) -> None:
        if self.request.headers.get("Authorization") != f"Bearer {self.fake.key}":
            self.problem(Problem(title="Unauthorized", status=401, detail="no", code="not-authenticated"))

    def answer(self, message: Wire, status: int = 200) -> None:
        self.set_status(status)
        self.finish(message.model_dump_json())

    def problem(self, problem: Problem) -> None:
        self.set_header("Content-Type", "application/problem+json")
        self.answer(problem, problem.status)

    @property
    def story(self) -> Story:
        return self.fake.story


class _Starts(_HubSide):
    async def post(self) -> None:
        ask = HubStart.model_validate_json(self.request.body)
        self.fake.happened(lambda: self.story.starts.append(ask))
        if self.story.is_slow:
            await self.fake.hurried.wait()
        number = len(self.story.starts)
        if self.story.refusal is not None:
            self.problem(self.story.refusal)
        elif not self.story.room:
            self.problem(
                Problem(
                    title="Queued",
                    status=409,
                    detail="No room for <small> now: 1 of 1 in the queue.",
                    code="queued",
                    request_id=f"r{number}",
                    page_url=page_of(number),
                )
            )
        else:
            self.answer(_claim(ask, number))


def _claim(ask: HubStart, number: int) -> HubClaim:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        port = listener.getsockname()[1]
    return HubClaim(
        request_id=f"r{number}",
        allocation_id=f"{ask.user}~{ask.server_name}",
        team="vision",
        profile="small",
        resources=ResourcesModel(cpu_millis=500),
        port=port,
        host=LOOPBACK,
    )


class _Launch(_HubSide):
    def put(self, allocation: str) -> None:
        launch = HubLaunch.model_validate_json(self.request.body)
        user, _, server = allocation.partition("~")
        self.fake.happened(lambda: self.story.launches.append(launch))
        if self.story.launch_fails:
            self.answer(HubServer(is_alive=False, exit_code=1, message=self.story.launch_fails))
        elif not self.story.launch_ends:
            self.answer(HubServer(is_alive=True, message="Fetching the image."), 202)
        else:
            key = f"{user}/{server or '~'}"
            url = self.fake.bring_up(key, launch)
            self.fake.happened(lambda: self.story.alive.update({key: url}))
            self.answer(HubServer(is_alive=True, url=url, allocation_id=allocation))


class _Server(_HubSide):
    def get(self, user: str, server: str) -> None:
        key = f"{user}/{server}"
        self.fake.happened(lambda: self.story.polls.append(key))
        url = self.story.alive.get(key)
        self.answer(HubServer(is_alive=url is not None, url=url, message="Fetching the image."))

    def delete(self, user: str, server: str) -> None:
        self.fake.happened(lambda: self.story.withdrawals.append(f"{user}/{server}"))
        self.set_status(204)


class _Stop(_HubSide):
    def post(self, user: str, server: str) -> None:
        key = f"{user}/{server}"
        self.fake.bring_down(key)

        def stopped() -> None:
            self.story.stops.append(key)
            self.story.alive.pop(key, None)

        self.fake.happened(stopped)
        self.answer(HubServer(is_alive=False), 202)


class _Routes(tornado.web.RequestHandler):
    """As much of configurable-http-proxy's API as the hub needs."""

    def initialize(self, fake: FakeCapacity) -> None:
        self.routes = fake.routes

    def get(self, path: str | None) -> None:
        self.write(self.routes)

    def post(self, path: str | None) -> None:
        self.routes[path or "/"] = json.loads(self.request.body)
        self.set_status(201)

    def delete(self, path: str | None) -> None:
        self.routes.pop(path or "/", None)
        self.set_status(204)
