"""The nodes as backends see them, and as an admin wants them: what either closes is closed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from jupyterhub_mesos_quota.desk import Desk
from jupyterhub_mesos_quota.events import NodeCordoned, NodeRemoved, NodeSeen, NodeUncordoned
from jupyterhub_mesos_quota.invariants import Excuses
from jupyterhub_mesos_quota.model import Node, NodeId


class Fleet:
    """Every node that was reported, and which are cordoned, whether reported or not."""

    def __init__(self, desk: Desk, excuses: Excuses) -> None:
        self.cordoned: set[NodeId] = set()
        self._desk = desk
        self._excuses = excuses
        self.reported: dict[NodeId, Node] = {}

    def restore(self, cordoned: Iterable[NodeId]) -> None:
        """Cordon what was cordoned before a restart."""
        self.cordoned.update(cordoned)
        for node in list(self.reported.values()):
            self.see(node)

    def apply(self, event: NodeSeen | NodeRemoved | NodeCordoned | NodeUncordoned) -> None:
        """Take in what happened to a node."""
        match event:
            case NodeSeen():
                self.see(event.node)
            case NodeRemoved():
                self._remove(event.node_id)
            case NodeCordoned():
                self.cordoned.add(event.node_id)
                self._see_again(event.node_id)
                if event.drains:
                    self._desk.drain(event.at, event.node_id)
            case NodeUncordoned():
                self.cordoned.discard(event.node_id)
                self._see_again(event.node_id)

    def see(self, reported: Node) -> None:
        """Take in how a backend sees a node."""
        self.reported[reported.id] = reported
        pool = self._desk.admission.pool
        node = replace(reported, is_schedulable=False) if reported.id in self.cordoned else reported
        if pool.nodes.get(node.id) != node:
            pool.see(node)
            self._excuses.excuse_node(self._desk.admission, node.id)
            self._desk.is_settled = False

    def _see_again(self, node_id: NodeId) -> None:
        reported = self.reported.get(node_id)
        if reported is not None:
            self.see(reported)

    def _remove(self, node_id: NodeId) -> None:
        self.reported.pop(node_id, None)
        self._desk.admission.pool.remove(node_id)
        self._excuses.excuse_node(self._desk.admission, node_id)
        self._desk.is_settled = False  # who waited for this node alone holds up nobody any more
