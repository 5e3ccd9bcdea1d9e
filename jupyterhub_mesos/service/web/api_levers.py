"""The routes of what admins do by hand: pause queues, empty nodes, extend sessions."""

from __future__ import annotations

from jupyterhub_mesos.service.web.base import ApiHandler
from jupyterhub_mesos.wire import CordonOrder, QueueOrder, SessionExtension
from jupyterhub_mesos.wire.levers import Order


class PausesHandler(ApiHandler):
    """`/queue/pauses`."""

    async def get(self) -> None:
        """Return the paused queues that concern the asker."""
        self.answer(self.context.levers.queues.pauses(self.identity))


class PauseHandler(ApiHandler):
    """`/queue/pause`."""

    async def post(self) -> None:
        """Pause a team's queue, or all of it."""
        self.answer(await self.context.levers.queues.pause(self.identity, self.body(QueueOrder)))


class ResumeHandler(ApiHandler):
    """`/queue/resume`."""

    async def post(self) -> None:
        """Resume a team's queue, or all of it."""
        self.answer(await self.context.levers.queues.resume(self.identity, self.body(QueueOrder)))


class NodesHandler(ApiHandler):
    """`/nodes`."""

    async def get(self) -> None:
        """Return how each node stands."""
        self.answer(self.context.levers.nodes.nodes(self.identity))


class CordonHandler(ApiHandler):
    """`/nodes/ID/cordon`."""

    async def post(self, node: str) -> None:
        """Close a node, or empty it."""
        self.answer(await self.context.levers.nodes.cordon(self.identity, node, self.body(CordonOrder)))


class UncordonHandler(ApiHandler):
    """`/nodes/ID/uncordon`."""

    async def post(self, node: str) -> None:
        """Open a node again."""
        self.answer(await self.context.levers.nodes.uncordon(self.identity, node, self.body(Order)))


class SessionHandler(ApiHandler):
    """`/requests/ID/session`."""

    async def get(self, request_id: str) -> None:
        """Say when a request is ended by its time limit."""
        self.answer(await self.context.levers.sessions.session(self.identity, request_id))


class ExtendHandler(ApiHandler):
    """`/requests/ID/extend`."""

    async def post(self, request_id: str) -> None:
        """Let what runs under a time limit go on."""
        order = self.body(SessionExtension)
        self.answer(await self.context.levers.sessions.extend(self.identity, request_id, order))
