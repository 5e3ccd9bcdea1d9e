"""Where replicas fit: what is free on each node, and the best fit for a gang.

A gang is all or nothing. Nodes with the fewest free accelerators that do come
first (none at all for who asks for none), then those with the least free CPU,
so that large and special room stays whole. Where a node names its devices,
each replica gets distinct ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Final

from jupyterhub_mesos_quota.copying import maker
from jupyterhub_mesos_quota.model import DeviceId, Node, NodeId, Placement
from jupyterhub_mesos_quota.nodeindex import Shelf
from jupyterhub_mesos_quota.resources import (
    ACCELERATOR_PREFIX,
    CPU_MILLIS,
    MEM_MIB,
    NOTHING,
    AmountName,
    Resources,
)
from jupyterhub_mesos_quota.sites import Site, Spot
from jupyterhub_mesos_quota.sizes import Pairs, Size
from jupyterhub_mesos_quota.tally import Tally
from jupyterhub_mesos_quota.tree import Amounts, add_amounts

KEPT_ANSWERS: Final = 512
"""Sizes of which is remembered how many copies the empty nodes would hold, and the order of shelves."""
MOST_MOVED: Final = 64
"""Nodes that may stand on their shelf of before: what is freed is mostly given again before a search."""
MOST_COMPARED: Final = 8
"""Nodes known to have room that are compared with each other; of more the tightest is searched for."""

_placed: Final = maker(Placement, "replica", "node", "resources", "devices")

Withheld = Mapping[NodeId, Mapping[AmountName, int]]
"""What is laid aside on some nodes and may not be used."""
NOTHING_WITHHELD: Final[Withheld] = {}
_Way = tuple[int, int, list[Shelf]]
"""The CPU and memory that a node must have, and the shelves in the order to look at."""


class NodePool:
    """The nodes, what stands on each, and which devices are taken.

    What stands on a node is kept when the node leaves: it may come back.
    """

    def __init__(self, tally: Tally | None = None) -> None:
        self.nodes: dict[NodeId, Node] = {}
        self.capacity: Amounts = {}
        self.free: Amounts = {}  # over the nodes that take new work; a shrunken node counts as 0
        self.version = 0  # grows when a node comes, goes or changes
        self.moves = 0  # grows with that, and when something is placed or let go of
        self.loosened: dict[NodeId, None] = {}  # nodes with more room than when this was last emptied
        self._tally = tally or Tally()
        self._sites: dict[NodeId, Site] = {}
        self._shelves: dict[Pairs, Shelf] = {}
        self._moved: dict[Site, None] = {}  # whose spot is not what they have free now
        self._ways: dict[Pairs, _Way] = {}  # by what a replica asks for
        self._ways_down: dict[tuple[AmountName, ...], list[Shelf]] = {}  # the other way round
        self._copies_when_empty: dict[Pairs, int] = {}

    # ---- nodes come, change and go --------------------------------------------------------------

    def see(self, node: Node) -> None:
        """Add a node, or replace what is known of it."""
        self.remove(node.id)
        self.nodes[node.id] = node
        site = self._sites.setdefault(node.id, Site())
        site.describe(node)
        add_amounts(self.capacity, dict(node.capacity.amounts()))
        self._count_empty(site, +1)
        self._shelve(site)
        self.loosened[node.id] = None

    def remove(self, node_id: NodeId) -> None:
        """Drop a node; what stands on it stays held."""
        self.version += 1
        self.moves += 1
        node = self.nodes.pop(node_id, None)
        if node is None:
            return
        site = self._sites[node_id]
        self._unshelve(site)
        self._count_empty(site, -1)
        for name, amount in node.capacity.amounts():
            self.capacity[name] -= amount
        site.node = None
        site.capacity, site.room = {}, {}
        if not any(site.used.values()):
            del self._sites[node_id]

    def occupy(self, placements: Iterable[Placement], sign: int = +1) -> None:
        """Hold what `placements` hold; with `sign` -1 let go of it."""
        self.moves += 1
        for placement in placements:
            site = self._sites.get(placement.node)
            if site is None:
                site = self._sites[placement.node] = Site()
            pairs = placement.resources.amounts()
            for name, amount in pairs:
                site.used[name] = site.used.get(name, 0) + sign * amount
            for device in placement.devices:
                site.held[device] = site.held.get(device, 0) + sign
                if not site.held[device]:
                    del site.held[device]
            if site.node is not None:
                self._measure_anew(site, pairs)
            if sign < 0:
                self.loosened[placement.node] = None

    def _measure_anew(self, site: Site, pairs: Pairs) -> None:
        """Work out the room of a node whose use of some amounts changed; it moves when somebody searches."""
        room, free = site.room, self.free
        for name, _ in pairs:
            if name in room:
                old = room[name]
                room[name] = new = site.room_of(name)
                if site.shelf is not None and new != old:
                    free[name] += new - old
        if site.shelf is None:
            return
        if site.spot == site.spot_now():
            self._moved.pop(site, None)
            return
        self._moved[site] = None
        if len(self._moved) > MOST_MOVED:
            self._move()

    def _move(self) -> None:
        """Put the nodes whose room changed where they belong."""
        for site in self._moved:
            self._take_off_shelf(site)
            self._put_on_shelf(site)
        self._moved.clear()

    def _shelve(self, site: Site) -> None:
        if site.node is None or not site.node.is_schedulable:
            return
        for name, amount in site.room.items():
            self.free[name] = self.free.get(name, 0) + amount
        self._put_on_shelf(site)

    def _put_on_shelf(self, site: Site) -> None:
        site.spot = key, cpu, mem = site.spot_now()
        shelf = self._shelves.get(key)
        if shelf is None:
            shelf = self._shelves[key] = Shelf(key, self._tally)
            self._ways.clear()
            self._ways_down.clear()
        assert site.node is not None  # noqa: S101 - only a node that is there is put on a shelf
        shelf.add(cpu, mem, site.node.id)
        site.shelf = shelf

    def _take_off_shelf(self, site: Site) -> None:
        if site.shelf is not None and site.node is not None:
            _, cpu, mem = site.spot
            site.shelf.remove(cpu, mem, site.node.id)
            site.shelf = None

    def _unshelve(self, site: Site) -> None:
        if site.shelf is None:
            return
        for name, amount in site.room.items():
            self.free[name] -= amount
        self._moved.pop(site, None)
        self._take_off_shelf(site)

    # ---- what is known --------------------------------------------------------------------------

    def used_on(self, node_id: NodeId) -> Mapping[AmountName, int]:
        """Return what is held on a node."""
        site = self._sites.get(node_id)
        return {} if site is None else site.used

    def free_on(self, node_id: NodeId) -> Resources:
        """Return capacity less use; negative where a node shrank or left."""
        node = self.nodes.get(node_id)
        capacity = NOTHING if node is None else node.capacity
        return capacity - Resources.from_amounts(self.used_on(node_id))

    def room_on(self, node_id: NodeId) -> Mapping[AmountName, int]:
        """Return what new work may take on a node; nothing where it is closed."""
        site = self._sites.get(node_id)
        return site.room if site is not None and site.shelf is not None else {}

    def balance(self, node_id: NodeId, name: AmountName) -> int:
        """Return capacity less use of one amount; negative where a node shrank."""
        site = self._sites[node_id]
        return site.most(name) - site.used.get(name, 0)

    def balances(self, node_id: NodeId, each: Pairs) -> Amounts:
        """Return the same of the amounts asked for."""
        site = self._sites[node_id]
        return {name: site.most(name) - site.used.get(name, 0) for name, _ in each}

    def known_ids(self) -> set[NodeId]:
        """Return the nodes that are there and those that something stands on."""
        return {*self.nodes, *self._sites}

    def could_ever_hold(self, size: Size) -> bool:
        """Say whether the gang would fit if nothing else stood on the open nodes."""
        return self.most_replicas_when_empty(size) >= size.replicas

    def most_replicas_when_empty(self, size: Size) -> int:
        """Return how many replicas of this size the open nodes would hold if they were empty."""
        copies = self._copies_when_empty.get(size.each)
        if copies is None:
            if len(self._copies_when_empty) >= KEPT_ANSWERS:
                self._copies_when_empty.clear()
            open_sites = (site for site in self._sites.values() if site.shelf is not None)
            copies = sum(site.copies_when_empty(size.each) for site in open_sites)
            self._copies_when_empty[size.each] = copies
        return copies

    def copies_when_empty(self, node_id: NodeId, each: Pairs) -> int:
        """Return how many replicas the node would hold if it were empty and open."""
        site = self._sites.get(node_id)
        return site.copies_when_empty(each) if site is not None and site.shelf is not None else 0

    def _count_empty(self, site: Site, sign: int) -> None:
        if site.node is not None and site.node.is_schedulable:
            for each in self._copies_when_empty:
                self._copies_when_empty[each] += sign * site.copies_when_empty(each)

    # ---- placing --------------------------------------------------------------------------------

    def place(
        self, size: Size, withheld: Withheld = NOTHING_WITHHELD, where: Collection[NodeId] | None = None
    ) -> tuple[Placement, ...] | None:
        """Find room for the whole gang beside what is withheld, or return None; nothing is held by it.

        `where` are all the nodes that may have room for a replica, of a caller that knows them.
        """
        for name, amount in size.total:
            if self.free.get(name, 0) < amount:
                return None
        found: list[tuple[NodeId, int]] = []
        missing = size.replicas
        for node_id in self._tightest(size.each) if where is None else self._tightest_of(where, size.each):
            copies = self._sites[node_id].copies(size.each, withheld.get(node_id) if withheld else None)
            if copies > 0:
                found.append((node_id, min(copies, missing)))
                missing -= found[-1][1]
            if missing <= 0:
                return self._on_nodes(found, size.resources)
        return None

    def fits_on(self, node_id: NodeId, each: Pairs) -> bool:
        """Say whether a replica fits on one node now."""
        site = self._sites.get(node_id)
        if site is None or site.shelf is None:
            return False
        room = site.room
        for name, amount in each:  # noqa: SIM110 - every decision comes by here, and all() costs twice
            if room.get(name, 0) < amount:
                return False
        return True

    def _tightest_of(self, some: Collection[NodeId], each: Pairs) -> Iterable[NodeId]:
        """Return of a few nodes those with room for `each`, the tightest first; of many, look among all."""
        if len(some) > MOST_COMPARED:
            return self._tightest(each)
        if len(some) == 1:
            return some  # whether it fits is seen there
        self._tally.entries += len(some)
        fitting = [node_id for node_id in some if self.fits_on(node_id, each)]
        return fitting if len(fitting) < 2 else sorted(fitting, key=partial(self._tightness, dict(each)))

    def _tightness(
        self, wanted: Mapping[AmountName, int], node_id: NodeId
    ) -> tuple[tuple[int, int], Spot, NodeId]:
        """Return what orders nodes with room: as little as possible left over."""
        spot = self._sites[node_id].spot_now()
        return _too_many(spot[0], wanted), spot, node_id

    def with_room_for(self, each: Pairs) -> Iterator[NodeId]:
        """Yield the nodes with room for a replica now, the tightest first."""
        return (node for node in self._tightest(each) if self.fits_on(node, each))

    def _tightest(self, each: Pairs) -> Iterator[NodeId]:
        self._move()
        cpu, mem, way = self._ways.get(each) or self._find_way(each)
        for shelf in way:
            if len(shelf):
                yield from shelf.at_least(cpu, mem)

    def _find_way(self, each: Pairs) -> _Way:
        """Return the CPU and memory asked for, and the shelves with enough accelerators.

        Those with the fewest too many come first.
        """
        asked = dict(each)
        cpu, mem = asked.pop(CPU_MILLIS, 0), asked.pop(MEM_MIB, 0)
        way = [
            shelf
            for shelf in self._shelves.values()
            if all(shelf.amount_of.get(name, 0) >= amount for name, amount in asked.items())
        ]
        way.sort(key=lambda shelf: (_too_many(shelf.accelerators, asked), shelf.accelerators))
        if len(self._ways) >= KEPT_ANSWERS:
            self._ways.clear()
        self._ways[each] = cpu, mem, way
        return self._ways[each]

    def emptiest(self, each: Pairs) -> Iterator[NodeId]:
        """Yield the open nodes: the most of the accelerators asked for first, then the most CPU."""
        self._move()
        for shelf in self._way_down(tuple(name for name, _ in each if name.startswith(ACCELERATOR_PREFIX))):
            if len(shelf):
                yield from shelf.largest()

    def _way_down(self, asked: tuple[AmountName, ...]) -> list[Shelf]:
        """Return the shelves, those with the most of some accelerators first."""

        def key(shelf: Shelf) -> tuple[tuple[int, ...], tuple[int, int], Pairs]:
            most = tuple(-shelf.amount_of.get(name, 0) for name in asked)
            return most, _too_many(shelf.accelerators, dict.fromkeys(asked, 0)), shelf.accelerators

        if asked not in self._ways_down:
            self._ways_down[asked] = sorted(self._shelves.values(), key=key)
        return self._ways_down[asked]

    def _on_nodes(self, found: Iterable[tuple[NodeId, int]], resources: Resources) -> tuple[Placement, ...]:
        placements: list[Placement] = []
        for node_id, count in found:
            site = self._sites[node_id]
            taken: set[DeviceId] | None = set(site.held) if site.named else None
            for _ in range(count):
                devices = _devices(site, resources, taken) if taken is not None else ()
                placements.append(_placed(len(placements), node_id, resources, devices))
        return tuple(placements)


def _devices(site: Site, resources: Resources, taken: set[DeviceId]) -> tuple[DeviceId, ...]:
    devices: list[DeviceId] = []
    for name, amount in resources.amounts():
        spare = [device for device in site.named.get(name, ()) if device not in taken]
        devices.extend(spare[:amount])
    taken.update(devices)
    return tuple(devices)


def _too_many(accelerators: Pairs, wanted: Mapping[AmountName, int]) -> tuple[int, int]:
    """Return how many accelerators of other flavors, and of those asked for, would be left."""
    others = sum([amount for name, amount in accelerators if name not in wanted])
    left = sum([amount - wanted[name] for name, amount in accelerators if name in wanted])
    return others, left
