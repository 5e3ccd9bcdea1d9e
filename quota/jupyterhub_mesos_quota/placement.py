"""Where replicas fit: what is free on each node, and the best fit for a gang.

A gang is all or nothing. The tightest node that holds a replica comes first,
and nodes with accelerators last for those who ask for none, so that large and
special room stays whole. Where a node names its devices, each replica gets
distinct ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from jupyterhub_mesos_quota.model import DeviceId, Node, NodeId, Placement
from jupyterhub_mesos_quota.resources import (
    ACCELERATOR_PREFIX,
    NOTHING,
    AmountName,
    Resources,
    accelerator,
)
from jupyterhub_mesos_quota.tree import Amounts, add_amounts

_MILLION: Final = 1_000_000
"""Tightness is compared in whole millionths of a node, so that no float decides."""


class NodePool:
    """The nodes, what stands on each, and which devices are taken.

    What stands on a node is kept when the node leaves: it may come back.
    """

    def __init__(self) -> None:
        self.nodes: dict[NodeId, Node] = {}
        self.capacity: Amounts = {}
        self.free: Amounts = {}  # over the nodes that take new work; a shrunken node counts as 0
        self.version = 0
        self._used: dict[NodeId, Amounts] = {}
        self._held: dict[NodeId, dict[DeviceId, int]] = {}
        self._named: dict[NodeId, dict[AmountName, tuple[DeviceId, ...]]] = {}

    def see(self, node: Node) -> None:
        """Add a node, or replace what is known of it."""
        self.remove(node.id)
        self.nodes[node.id] = node
        named: dict[AmountName, list[DeviceId]] = {}
        for device in node.devices:
            named.setdefault(accelerator(device.flavor), []).append(device.id)
        self._named[node.id] = {name: tuple(dict.fromkeys(ids)) for name, ids in named.items()}
        add_amounts(self.capacity, dict(node.capacity.amounts()))
        self._count_free(node.id, +1)

    def remove(self, node_id: NodeId) -> None:
        """Drop a node; what stands on it stays held."""
        self.version += 1
        node = self.nodes.get(node_id)
        if node is None:
            return
        self._count_free(node_id, -1)
        for name, amount in node.capacity.amounts():
            self.capacity[name] -= amount
        del self.nodes[node_id], self._named[node_id]

    def occupy(self, placements: Iterable[Placement], sign: int = +1) -> None:
        """Hold what `placements` hold; with `sign` -1 let go of it."""
        for placement in placements:
            self._count_free(placement.node, -1)
            used = self._used.setdefault(placement.node, {})
            add_amounts(used, {name: sign * amount for name, amount in placement.resources.amounts()})
            held = self._held.setdefault(placement.node, {})
            for device in placement.devices:
                held[device] = held.get(device, 0) + sign
                if not held[device]:
                    del held[device]
            self._count_free(placement.node, +1)

    def used_on(self, node_id: NodeId) -> Mapping[AmountName, int]:
        """Return what is held on a node."""
        return self._used.get(node_id, {})

    def held_on(self, node_id: NodeId) -> Mapping[DeviceId, int]:
        """Return how often each device of a node is held: once each, or something is broken."""
        return self._held.get(node_id, {})

    def free_on(self, node_id: NodeId) -> Resources:
        """Return capacity less use; negative where a node shrank or left."""
        node = self.nodes.get(node_id)
        capacity = NOTHING if node is None else node.capacity
        return capacity - Resources.from_amounts(self.used_on(node_id))

    def known_ids(self) -> set[NodeId]:
        """Return the nodes that are there and those that something stands on."""
        return {*self.nodes, *self._used}

    def open_nodes(self) -> Iterator[Node]:
        """Yield the nodes that take new work."""
        return (node for node in self.nodes.values() if node.is_schedulable)

    def could_ever_hold(self, resources: Resources, replicas: int) -> bool:
        """Say whether the gang would fit if nothing else stood on the open nodes."""
        asked = tuple(resources.amounts())
        copies = 0
        for node in self.open_nodes():
            copies += min(self._most(node.id, name) // amount for name, amount in asked)
            if copies >= replicas:
                return True
        return False

    def place(
        self, resources: Resources, replicas: int, is_closed: Callable[[Node], bool] | None = None
    ) -> tuple[Placement, ...] | None:
        """Find room for the whole gang outside the closed nodes, or return None; nothing is held by it."""
        asked = tuple(resources.amounts())
        if any(self.free.get(name, 0) < amount * replicas for name, amount in asked):
            return None
        candidates = [
            (self._looseness(node, asked), node.id, copies)
            for node in self.open_nodes()
            if (copies := self._copies(node.id, asked)) > 0 and not (is_closed and is_closed(node))
        ]
        if sum(copies for _, _, copies in candidates) < replicas:
            return None
        placements: list[Placement] = []
        for _, node_id, copies in sorted(candidates):
            wanted = min(copies, replicas - len(placements))
            placements.extend(self._on_node(node_id, resources, len(placements), wanted))
        return tuple(placements)

    def _on_node(self, node_id: NodeId, resources: Resources, first: int, count: int) -> Iterator[Placement]:
        taken: set[DeviceId] = set(self.held_on(node_id))
        for replica in range(first, first + count):
            devices: list[DeviceId] = []
            for name, amount in resources.amounts():
                spare = [device for device in self._named[node_id].get(name, ()) if device not in taken]
                devices.extend(spare[:amount])
            taken.update(devices)
            yield Placement(replica, node_id, resources, tuple(devices))

    def _copies(self, node_id: NodeId, asked: Iterable[tuple[AmountName, int]]) -> int:
        return min(self._room(node_id, name) // amount for name, amount in asked)

    def _room(self, node_id: NodeId, name: AmountName) -> int:
        room = self.nodes[node_id].capacity.get(name) - self.used_on(node_id).get(name, 0)
        named = self._named[node_id].get(name)
        if named is not None:
            held = self.held_on(node_id)
            room = min(room, sum(device not in held for device in named))
        return max(0, room)

    def _most(self, node_id: NodeId, name: AmountName) -> int:
        most, named = self.nodes[node_id].capacity.get(name), self._named[node_id].get(name)
        return most if named is None else min(most, len(named))

    def _looseness(self, node: Node, asked: tuple[tuple[AmountName, int], ...]) -> tuple[int, int]:
        names = {name for name, _ in asked}
        unasked = sum(
            self._room(node.id, name)
            for name, _ in node.capacity.amounts()
            if name.startswith(ACCELERATOR_PREFIX) and name not in names
        )
        left = max(
            (self._room(node.id, name) - amount) * _MILLION // node.capacity.get(name)
            for name, amount in asked
        )
        return unasked, left

    def _count_free(self, node_id: NodeId, sign: int) -> None:
        node = self.nodes.get(node_id)
        if node is not None and node.is_schedulable:
            for name, _ in node.capacity.amounts():
                self.free[name] = self.free.get(name, 0) + sign * self._room(node_id, name)
