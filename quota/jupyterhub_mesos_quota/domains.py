"""The nodes by label and zone: where a gang goes, and where a request with a placement rule may.

Nodes that match a rule are found once per change of the nodes. What is asked for
without a rule, in one replica, goes the short way of `placement.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Final

from jupyterhub_mesos_quota.model import NodeId, Placement
from jupyterhub_mesos_quota.packing import Packing, Spots
from jupyterhub_mesos_quota.placement import KEPT_ANSWERS, NOTHING_WITHHELD, NodePool, Withheld
from jupyterhub_mesos_quota.resources import ACCELERATOR_PREFIX, CPU_MILLIS, AmountName
from jupyterhub_mesos_quota.rules import Cost, PlacementRule, Zones, most_by_rule, share_out
from jupyterhub_mesos_quota.sizes import Pairs, Size
from jupyterhub_mesos_quota.tally import Tally
from jupyterhub_mesos_quota.tree import Amounts, add_amounts

Members = Mapping[NodeId, None]
"""Nodes, by id, in order."""
Labels = tuple[tuple[str, str], ...]

FEW: Final = 16
"""Where fewer than one node in so many matches, the matching are sorted; else the index is walked."""


class Domains(NodePool):
    """The node pool, with an eye for labels and zones."""

    def __init__(self, tally: Tally | None = None) -> None:
        super().__init__(tally)
        self._known_at = -1
        self._by_labels: dict[Labels, dict[str, dict[NodeId, None]]] = {}
        self._domains: dict[Size, Mapping[str, Members]] = {}

    # ---- which nodes ----------------------------------------------------------------------------

    def domains(self, size: Size) -> Mapping[str, Members]:
        """Return the open nodes that match the rule of `size`, by zone; all as one where zones do not matter.

        For a spread only zones that could hold a replica if they were empty.
        """
        self._forget_what_changed()
        found = self._domains.get(size)
        if found is None:
            if len(self._domains) >= KEPT_ANSWERS:
                self._domains.clear()
            found = self._domains[size] = self._find_domains(size)
        return found

    def _find_domains(self, size: Size) -> Mapping[str, Members]:
        assert size.rule is not None  # noqa: S101 - only rules have domains
        by_zone = self.zones_with(size.rule.labels)
        match size.rule.zones:
            case Zones.ANY:
                return {"": {node: None for members in by_zone.values() for node in members}}
            case Zones.ONE:
                return by_zone
            case Zones.SPREAD:
                return {
                    zone: members
                    for zone, members in by_zone.items()
                    if any(self.copies_when_empty(node, size.each) for node in members)
                }

    def zones_with(self, labels: Labels) -> Mapping[str, Members]:
        """Return the open nodes that have all of `labels`, by zone, in order of their names."""
        self._forget_what_changed()
        found = self._by_labels.get(labels)
        if found is None:
            found = self._by_labels[labels] = {}
            rule = PlacementRule(labels)
            for node in sorted(self.nodes.values(), key=lambda each: (each.zone, each.id)):
                if node.is_schedulable and rule.matches(node.labels):
                    found.setdefault(node.zone, {})[node.id] = None
        return found

    def _forget_what_changed(self) -> None:
        if self._known_at != self.version:
            self._known_at = self.version
            self._by_labels.clear()
            self._domains.clear()

    def most_replicas_when_empty(self, size: Size) -> int:
        """Return how many replicas the open nodes would hold under the size's rule if they were empty."""
        if size.rule is None:
            return super().most_replicas_when_empty(size)
        copies = [
            sum(self.copies_when_empty(node, size.each) for node in members)
            for members in self.domains(size).values()
        ]
        return most_by_rule(size.rule, copies)

    def free_for(self, size: Size) -> Mapping[AmountName, int]:
        """Return what is free on the open nodes that have the labels asked for."""
        if size.rule is None or not size.rule.labels:
            return self.free
        free: Amounts = {}
        for members in self.zones_with(size.rule.labels).values():
            for node in members:
                add_amounts(free, dict(self.room_on(node)))
        return free

    def room_in(self, zone: str, size: Size) -> int:
        """Return how many replicas fit in one of the domains of `size` now."""
        members = self.domains(size)[zone]
        return sum(max(0, self._sites[node].copies(size.each)) for node in members)

    # ---- placing --------------------------------------------------------------------------------

    def place(
        self, size: Size, withheld: Withheld = NOTHING_WITHHELD, where: Collection[NodeId] | None = None
    ) -> tuple[Placement, ...] | None:
        """Find room for the whole gang beside what is withheld, or return None; nothing is held by it."""
        if size.rule is None and size.replicas == 1:
            return super().place(size, withheld, where)
        for name, amount in size.total:
            if self.free.get(name, 0) < amount:
                return None
        if size.rule is None:
            spots = self._spots(None, size, size.replicas, withheld)
        else:
            spots = self._spots_by_rule(size.rule, size, withheld)
        return None if spots is None else self._on_nodes(spots, size.resources)

    def _spots_by_rule(self, rule: PlacementRule, size: Size, withheld: Withheld) -> Spots | None:
        if rule.zones is Zones.ANY and rule.prefer_zone:
            preferred = self.zones_with(rule.labels).get(rule.prefer_zone, {})
            spots = self._spots(preferred, size, size.replicas, withheld)
            if spots is not None:
                return spots
        domains = self.domains(size)
        known: dict[tuple[str, int], Spots] = {}

        def cost(zone: str, count: int) -> Cost | None:
            spots = self._spots(domains[zone], size, count, withheld)
            if spots is None:
                return None
            known[zone, count] = spots
            return (zone != rule.prefer_zone, len(spots), *self._left_over(spots, size.each))

        shares = share_out(rule, size.replicas, list(domains), cost)
        return None if shares is None else [spot for share in shares for spot in known[share]]

    def _left_over(self, spots: Spots, each: Pairs) -> tuple[int, int]:
        """Return the accelerators and the CPU that would be left on the nodes chosen."""
        accelerators = cpu = 0
        for node, count in spots:
            room, taken = self.room_on(node), dict(each)
            cpu += room.get(CPU_MILLIS, 0) - count * taken.get(CPU_MILLIS, 0)
            accelerators += sum(
                amount - count * taken.get(name, 0)
                for name, amount in room.items()
                if name.startswith(ACCELERATOR_PREFIX)
            )
        return accelerators, cpu

    def _spots(self, members: Members | None, size: Size, count: int, withheld: Withheld) -> Spots | None:
        """Return where so many replicas go, on as few nodes as possible; None where they have no room."""
        tightest = self._tightest if members is None else partial(self._tightest_among, members)
        found: Spots = []
        missing = count
        for node in tightest(size.each):
            copies = self._copies_beside(node, size.each, withheld)
            if copies > 0:
                found.append((node, min(copies, missing)))
                missing -= found[-1][1]
            if missing <= 0:
                break
        if missing > 0 or len(found) == 1:
            return None if missing > 0 else found
        # The tightest come first that waste no accelerators: where those do, no others are looked at.
        is_wasteful = any(self._wastes(node, size.each) for node, _ in found)

        def copies_on(node: NodeId) -> int:
            may = is_wasteful or not self._wastes(node, size.each)
            return self._copies_beside(node, size.each, withheld) if may else 0

        return Packing(tightest, copies_on, size.each).spots(count)

    def _copies_beside(self, node: NodeId, each: Pairs, withheld: Withheld) -> int:
        return self._sites[node].copies(each, withheld.get(node) if withheld else None)

    def _wastes(self, node: NodeId, each: Pairs) -> bool:
        """Say whether a node has accelerators free that are not asked for."""
        site, asked = self._sites[node], {name for name, _ in each}
        return any(site.room[name] for name in site.flavors if name not in asked)

    def _tightest_among(self, members: Members, each: Pairs) -> Iterator[NodeId]:
        """Yield of some nodes those with room for `each`, the tightest first."""
        if len(members) * FEW > len(self.nodes):
            return (node for node in self._tightest(each) if node in members)
        self._tally.entries += len(members)
        fitting = [node for node in members if self.fits_on(node, each)]
        return iter(sorted(fitting, key=partial(self._tightness, dict(each))))
