"""The routes of what admins do by hand: pause queues, empty nodes, extend sessions."""

from __future__ import annotations

from jupyterhub_mesos.service.web.base import ApiHandler
from jupyterhub_mesos.service.web.contract import contract
from jupyterhub_mesos.service.web.paging import page_of
from jupyterhub_mesos.service.web.queries import NodesQuery, PausesQuery
from jupyterhub_mesos.wire import (
    CordonOrder,
    NodeStandingView,
    NodesView,
    PausesView,
    QueueOrder,
    SessionExtension,
    SessionView,
)
from jupyterhub_mesos.wire.levers import Order


class PausesHandler(ApiHandler):
    """`/queue/pauses`."""

    @contract(answers=PausesView, query=PausesQuery)
    async def get(self) -> None:
        """Return the paused queues that concern the asker."""
        asked = self.query(PausesQuery)
        seen = self.context.levers.queues.pauses(self.identity)
        found = [pause for pause in seen.items if asked.team in {None, pause.team}]
        items, more = page_of(found, asked, lambda pause: pause.team or "")
        self.answer_page(seen.model_copy(update={"items": items, "next_cursor": more}), more)


class PauseHandler(ApiHandler):
    """`/queue/pause`."""

    @contract(takes=QueueOrder, answers=PausesView)
    async def post(self) -> None:
        """Pause a team's queue, or all of it."""
        self.answer(await self.context.levers.queues.pause(self.identity, self.body(QueueOrder)))


class ResumeHandler(ApiHandler):
    """`/queue/resume`."""

    @contract(takes=QueueOrder, answers=PausesView)
    async def post(self) -> None:
        """Resume a team's queue, or all of it."""
        self.answer(await self.context.levers.queues.resume(self.identity, self.body(QueueOrder)))


class NodesHandler(ApiHandler):
    """`/nodes`."""

    @contract(answers=NodesView, query=NodesQuery)
    async def get(self) -> None:
        """Return how each node stands."""
        asked = self.query(NodesQuery)
        seen = self.context.levers.nodes.nodes(self.identity)
        found = [
            node
            for node in seen.items
            if asked.standing in {None, node.standing} and (asked.text or "").lower() in node.id.lower()
        ]
        items, more = page_of(found, asked, lambda node: node.id)
        self.answer_page(seen.model_copy(update={"items": items, "next_cursor": more}), more)


class CordonHandler(ApiHandler):
    """`/nodes/ID/cordon`."""

    @contract(takes=CordonOrder, answers=NodeStandingView)
    async def post(self, node: str) -> None:
        """Close a node, or empty it."""
        self.answer(await self.context.levers.nodes.cordon(self.identity, node, self.body(CordonOrder)))


class UncordonHandler(ApiHandler):
    """`/nodes/ID/uncordon`."""

    @contract(takes=Order, answers=NodesView)
    async def post(self, node: str) -> None:
        """Open a node again."""
        self.answer(await self.context.levers.nodes.uncordon(self.identity, node, self.body(Order)))


class SessionHandler(ApiHandler):
    """`/requests/ID/session`."""

    @contract(answers=SessionView)
    async def get(self, request_id: str) -> None:
        """Say when a request is ended by its time limit."""
        self.answer(await self.context.levers.sessions.session(self.identity, request_id))


class ExtendHandler(ApiHandler):
    """`/requests/ID/extend`."""

    @contract(takes=SessionExtension, answers=SessionView)
    async def post(self, request_id: str) -> None:
        """Let what runs under a time limit go on."""
        order = self.body(SessionExtension)
        self.answer(await self.context.levers.sessions.extend(self.identity, request_id, order))
