"""The hub's REST API as the service calls it, against a server with the answers of a real hub."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from jupyterhub_mesos.errors import Unavailable
from jupyterhub_mesos.service.hub_api import HubApi, StartAnswer
from jupyterhub_mesos.service.rows import ServerKey
from jupyterhub_mesos_quota.model import AllocationId

TOKEN = "service-token"
GRANT = AllocationId("r1-1")


class World:
    """What the hub answers, and what it was asked."""

    def __init__(self) -> None:
        self.status = 201
        self.asked: list[tuple[str, Any]] = []
        self.users: list[dict[str, Any]] = []
        self.page = 2


class Starts(RequestHandler):
    def post(self, user: str, server_name: str) -> None:
        world: World = self.settings["world"]
        if self.request.headers["Authorization"] != f"token {TOKEN}":
            self.set_status(403)
            return
        world.asked.append((f"{user}/{server_name}?{self.request.query}", json.loads(self.request.body)))
        self.set_status(world.status)
        if world.status == 302:
            self.set_header("Location", "/hub/login")


class Users(RequestHandler):
    def get(self) -> None:
        world: World = self.settings["world"]
        assert self.request.headers["Accept"] == "application/jupyterhub-pagination+json"
        assert self.get_argument("state") == "active"
        offset = int(self.get_argument("offset"))
        end = offset + world.page
        following = {"offset": end, "limit": world.page, "url": ""} if end < len(world.users) else None
        self.set_status(world.status)
        pagination = {"offset": offset, "limit": world.page, "total": len(world.users), "next": following}
        self.write({"items": world.users[offset:end], "_pagination": pagination})


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def hub(world: World) -> AsyncIterator[HubApi]:
    routes = [(r"/hub/api/users/([^/]*)/servers/([^/]*)", Starts), (r"/hub/api/users", Users)]
    server = HTTPServer(Application(routes, world=world))
    socket, port = bind_unused_port()
    server.add_sockets([socket])
    api = HubApi(f"http://127.0.0.1:{port}/hub/api", TOKEN)
    yield api
    api.close()
    server.stop()
    await server.close_all_connections()


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (201, StartAnswer.READY),
        (202, StartAnswer.PENDING),
        (400, StartAnswer.RUNNING),
        (404, StartAnswer.NO_USER),
        (409, StartAnswer.FAILED),
        (500, StartAnswer.FAILED),
        (302, StartAnswer.FAILED),
    ],
)
async def test_each_answer_to_a_start_has_its_meaning(
    hub: HubApi, world: World, status: int, answer: StartAnswer
) -> None:
    world.status = status
    assert await hub.start_server("ada", "", GRANT, {"profile": "small"}) is answer
    assert world.asked == [("ada/?grant=r1-1", {"user_options": {"profile": "small"}})]


async def test_odd_names_reach_the_hub_as_they_are(hub: HubApi, world: World) -> None:
    await hub.start_server("a b/c", "x~y", GRANT, {})
    assert world.asked[0][0] == "a b/c/x~y?grant=r1-1"


@pytest.mark.parametrize("status", [401, 403, 429, 502, 503])
async def test_a_hub_that_cannot_say_is_no_answer(hub: HubApi, world: World, status: int) -> None:
    world.status = status
    with pytest.raises(Unavailable, match=str(status)):
        await hub.start_server("ada", "", GRANT, {})


async def test_a_hub_that_is_down_is_unavailable_and_the_token_is_not_told() -> None:
    socket, port = bind_unused_port()
    socket.close()
    api = HubApi(f"http://127.0.0.1:{port}/hub/api", TOKEN)
    for call in (api.start_server("ada", "", GRANT, {}), api.servers()):
        with pytest.raises(Unavailable) as caught:
            await call
        assert TOKEN not in str(caught.value)
    api.close()


async def test_servers_are_read_over_all_pages(hub: HubApi, world: World) -> None:
    world.status = 200
    world.users = [
        {"name": "ada", "kind": "user", "servers": {"": {"ready": True}, "two": {"pending": "spawn"}}},
        {"name": "bo", "servers": {}},
        {"name": "cy", "servers": {"": {}}},
    ]
    keys = {("ada", ""), ("ada", "two"), ("cy", "")}
    assert await hub.servers() == {ServerKey("", user, name) for user, name in keys}


async def test_a_hub_that_lists_nobody_by_an_error_proves_nothing(hub: HubApi, world: World) -> None:
    world.status = 500
    with pytest.raises(Unavailable):
        await hub.servers()
