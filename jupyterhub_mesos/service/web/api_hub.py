"""The routes of the hub's spawners, behind the hub's key."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

from jupyterhub_mesos.service.web.base import HubKeyHandler
from jupyterhub_mesos.service.web.contract import contract
from jupyterhub_mesos.service.web.queries import HubServerQuery
from jupyterhub_mesos.wire import HubClaim, HubLaunch, HubServer, HubStart

DEFAULT_SERVER: Final = "~"
"""How a path names the default server, whose name is empty."""
LAUNCH_BYTES: Final = 1024 * 1024
"""An environment that Linux would still start a process with is smaller."""


def _server_name(segment: str) -> str:
    name = unquote(segment)
    return "" if name == DEFAULT_SERVER else name


class StartsHandler(HubKeyHandler):
    """`/hub/starts`."""

    @contract(takes=HubStart, answers=HubClaim)
    async def post(self) -> None:
        """Claim a grant, or ask for room; 409 `queued` where it has to wait."""
        self.answer(await self.context.hub_side.start(self.body(HubStart)))


class LaunchHandler(HubKeyHandler):
    """`/hub/allocations/ID/launch`."""

    max_bytes = LAUNCH_BYTES

    @contract(takes=HubLaunch, answers=HubServer, statuses=(200, 202))
    async def put(self, allocation_id: str) -> None:
        """Start the claimed server; 202 until it is known to run."""
        server = await self.context.hub_side.launch(allocation_id, self.body(HubLaunch))
        self.answer(server, _status(server))


class ServerHandler(HubKeyHandler):
    """`/hub/servers/USER/SERVER`."""

    @contract(answers=HubServer, query=HubServerQuery)
    async def get(self, user: str, server: str) -> None:
        """Say whether the server is alive."""
        known = self.query(HubServerQuery).allocation
        self.answer(await self.context.hub_side.server(unquote(user), _server_name(server), known))

    @contract(statuses=(204,))
    async def delete(self, user: str, server: str) -> None:
        """End or withdraw whatever there is of it."""
        await self.context.hub_side.delete(unquote(user), _server_name(server))
        self.answer_nothing()


class RecoverHandler(HubKeyHandler):
    """`/hub/servers/USER/SERVER/recover`."""

    @contract(answers=HubServer)
    async def post(self, user: str, server: str) -> None:
        """Say where it stands, and take back a claim that a hub killed since will never launch."""
        self.answer(await self.context.hub_side.recover(unquote(user), _server_name(server)))


class StopHandler(HubKeyHandler):
    """`/hub/servers/USER/SERVER/stop`."""

    @contract(answers=HubServer, statuses=(200, 202))
    async def post(self, user: str, server: str) -> None:
        """End what runs; 202 while it is not gone yet."""
        stopped = await self.context.hub_side.stop(unquote(user), _server_name(server))
        self.answer(stopped, HTTPStatus.ACCEPTED if stopped.is_alive else HTTPStatus.OK)


def _status(server: HubServer) -> int:
    return HTTPStatus.OK if server.url is not None else HTTPStatus.ACCEPTED
