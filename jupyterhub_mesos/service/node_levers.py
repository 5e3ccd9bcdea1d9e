"""Closing and emptying nodes: everybody sees how a node stands, admins see what stands on it and pull."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jupyterhub_mesos.errors import Conflict, NotAllowed, NotFound
from jupyterhub_mesos.service.identity import Identity
from jupyterhub_mesos.service.ledger import Ledger
from jupyterhub_mesos.service.lever_notes import Lever, LeverNotes, Pull, Pulled, node_subject
from jupyterhub_mesos.wire import (
    CordonOrder,
    HeldView,
    NodeStanding,
    NodeStandingView,
    NodesView,
    ResourcesModel,
)
from jupyterhub_mesos.wire.levers import Order
from jupyterhub_mesos_quota.events import NodeCordoned, NodeUncordoned
from jupyterhub_mesos_quota.model import Allocation, AllocationState, NodeId
from jupyterhub_mesos_quota.resources import NOTHING

Held = Mapping[NodeId, Sequence[Allocation]]


class NodeLevers:
    """Cordon, drain, uncordon and look; who may is decided here."""

    def __init__(self, ledger: Ledger, notes: LeverNotes) -> None:
        self._ledger = ledger
        self._notes = notes

    # ---- look ---------------------------------------------------------------------------------

    def nodes(self, who: Identity) -> NodesView:
        """Return every node that is reported or cordoned, by name."""
        machine, held = self._ledger.machine, self._held()
        names = sorted({*machine.nodes, *machine.cordoned})
        return NodesView(items=tuple(self._view(who, name, held) for name in names))

    def node(self, who: Identity, name: NodeId) -> NodeStandingView:
        """Return one node."""
        return self._view(who, name, self._held())

    def _held(self) -> Held:
        """Return what stands on each node."""
        found: dict[NodeId, list[Allocation]] = {}
        for allocation in self._ledger.machine.allocations.values():
            if allocation.state is not AllocationState.GONE:
                for node in sorted({placement.node for placement in allocation.placements}):
                    found.setdefault(node, []).append(allocation)
        return found

    def _view(self, who: Identity, name: NodeId, held: Held) -> NodeStandingView:
        machine, here = self._ledger.machine, held.get(name, ())
        node, note = machine.nodes.get(name), self._note(name)
        return NodeStandingView(
            id=name,
            standing=self._standing(name, note, is_empty=not here),
            zone=node.zone if node else "",
            labels=dict(node.labels) if node else {},
            capacity=ResourcesModel.of(node.capacity if node else NOTHING),
            free=ResourcesModel.of(machine.free(name) if node else NOTHING),
            is_reported=node is not None,
            since=note.at if note else None,
            reason=note.why if note else "",
            by=note.who if note and who.is_admin else None,
            held=len(here),
            holds=tuple(self._held_view(each, name) for each in here) if who.is_admin else (),
        )

    def _note(self, name: NodeId) -> Pulled | None:
        return self._notes.of(node_subject(name)) if name in self._ledger.machine.cordoned else None

    def _standing(self, name: NodeId, note: Pulled | None, *, is_empty: bool) -> NodeStanding:
        machine = self._ledger.machine
        if name not in machine.cordoned:
            return NodeStanding.OPEN if machine.nodes[name].is_schedulable else NodeStanding.CLOSED
        if is_empty:
            return NodeStanding.DRAINED
        is_draining = note is not None and note.lever is Lever.DRAINED
        return NodeStanding.DRAINING if is_draining else NodeStanding.CORDONED

    def _held_view(self, allocation: Allocation, name: NodeId) -> HeldView:
        row = self._ledger.row(allocation.request_id)
        request = self._ledger.machine.requests[allocation.request_id]
        here = NOTHING
        for placement in allocation.placements:
            here += placement.resources if placement.node == name else NOTHING
        return HeldView(
            request_id=request.id,
            kind=request.kind,
            user=request.user,
            team=request.team,
            name=row.info.name if row else "",
            state=allocation.state,
            resources=ResourcesModel.of(here),
        )

    # ---- pull ---------------------------------------------------------------------------------

    async def cordon(self, who: Identity, name: str, order: CordonOrder) -> NodeStandingView:
        """Let a node take nothing new; with `drains` stop what runs there, to be queued again."""
        node = self._checked(who, name)
        if node in self._ledger.machine.cordoned and not order.drains:
            note = self._note(node)
            told = f" by {note.who}, because: {note.why}" if note else ""
            raise Conflict(f"Node {node} is cordoned already{told}: drain it, uncordon it or leave it so.")
        event = NodeCordoned(self._ledger.clock(), node, order.drains)
        lever = Lever.DRAINED if order.drains else Lever.CORDONED
        await self._notes.pull(who, event, Pull(lever, node_subject(node)), order.reason)
        return self.node(who, node)

    async def uncordon(self, who: Identity, name: str, order: Order) -> NodesView:
        """Let a node take new work again, where its backend agrees; answers all nodes."""
        node = self._checked(who, name)
        if node not in self._ledger.machine.cordoned:
            is_open = self._ledger.machine.nodes[node].is_schedulable
            why = "" if is_open else "; it is its backend that has closed it, so open it there"
            raise Conflict(f"Node {node} is not cordoned{why}.")
        event = NodeUncordoned(self._ledger.clock(), node)
        await self._notes.pull(who, event, Pull(Lever.UNCORDONED, node_subject(node)), order.reason)
        return self.nodes(who)

    def _checked(self, who: Identity, name: str) -> NodeId:
        """Return the node that is meant, or refuse."""
        if not who.is_admin:
            raise NotAllowed(f"Only an admin cordons, drains and uncordons nodes; {who.name} is none.")
        machine = self._ledger.machine
        known = sorted({*machine.nodes, *machine.cordoned})
        if name not in known:
            told = ", ".join(known) or "none yet"
            raise NotFound(f"There is no node {name!r}. The nodes are {told}: name one of them.")
        return NodeId(name)
