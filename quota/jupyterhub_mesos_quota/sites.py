"""One node, what stands on it, and what that leaves."""

from __future__ import annotations

from collections.abc import Mapping

from jupyterhub_mesos_quota.model import DeviceId, Node
from jupyterhub_mesos_quota.nodeindex import Shelf
from jupyterhub_mesos_quota.resources import ACCELERATOR_PREFIX, CPU_MILLIS, MEM_MIB, AmountName, accelerator
from jupyterhub_mesos_quota.sizes import Pairs
from jupyterhub_mesos_quota.tree import Amounts

Spot = tuple[Pairs, int, int]
"""Free accelerators, CPU and memory: what orders nodes."""


class Site:
    """A node, what stands on it, and what that leaves."""

    __slots__ = ("capacity", "flavors", "held", "named", "node", "room", "shelf", "spot", "used")

    def __init__(self) -> None:
        self.node: Node | None = None
        self.capacity: Amounts = {}
        self.used: Amounts = {}
        self.held: dict[DeviceId, int] = {}
        self.named: dict[AmountName, tuple[DeviceId, ...]] = {}
        self.room: Amounts = {}  # by name of the node's capacity; never negative
        self.flavors: tuple[AmountName, ...] = ()  # the accelerators in `room`, sorted
        self.shelf: Shelf | None = None  # only an open node stands on one
        self.spot: Spot = ((), 0, 0)  # where on it; see `spot_now`

    def describe(self, node: Node) -> None:
        """Take over what is known of the node now."""
        named: dict[AmountName, list[DeviceId]] = {}
        for device in node.devices:
            named.setdefault(accelerator(device.flavor), []).append(device.id)
        self.node = node
        self.capacity = dict(node.capacity.amounts())
        self.named = {name: tuple(dict.fromkeys(ids)) for name, ids in named.items()}
        self.room = {name: self.room_of(name) for name in self.capacity}
        self.flavors = tuple(sorted(name for name in self.room if name.startswith(ACCELERATOR_PREFIX)))

    def room_of(self, name: AmountName) -> int:
        """Work out how much of an amount is free."""
        room = self.capacity.get(name, 0) - self.used.get(name, 0)
        if self.named and name in self.named:
            room = min(room, sum([device not in self.held for device in self.named[name]]))
        return room if room > 0 else 0

    def most(self, name: AmountName) -> int:
        """Return how much the node would have if it were empty."""
        capacity, named = self.capacity.get(name, 0), self.named.get(name)
        return capacity if named is None else min(capacity, len(named))

    def spot_now(self) -> Spot:
        """Return what orders nodes: what is free of accelerators, CPU and memory."""
        room = self.room
        flavors = tuple([(name, room[name]) for name in self.flavors if room[name]])
        return flavors, room.get(CPU_MILLIS, 0), room.get(MEM_MIB, 0)

    def copies(self, each: Pairs, withheld: Mapping[AmountName, int] | None = None) -> int:
        """Return how many replicas fit now, beside what is withheld."""
        room = self.room
        if withheld:
            return min([(room.get(name, 0) - withheld.get(name, 0)) // amount for name, amount in each])
        return min([room.get(name, 0) // amount for name, amount in each])

    def copies_when_empty(self, each: Pairs) -> int:
        """Return how many replicas would fit if nothing stood here."""
        return min(self.most(name) // amount for name, amount in each)
