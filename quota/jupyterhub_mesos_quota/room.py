"""Making room: the least harmful allocations whose end lets a request start, under limits and on nodes.

Whom it may be taken of is the *right* by which it is taken (`rights.py`). What is being stopped
already counts as free. Nothing is ended here: what is supposed of the future is in the outlook.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from itertools import islice
from typing import Final, NamedTuple

from jupyterhub_mesos_quota.accounts import Account
from jupyterhub_mesos_quota.admission import Admission
from jupyterhub_mesos_quota.bookings import Aside
from jupyterhub_mesos_quota.domains import Members
from jupyterhub_mesos_quota.model import Allocation, AllocationId, NodeId
from jupyterhub_mesos_quota.offers import Above, Entry, Harm, OfferBook, began_at
from jupyterhub_mesos_quota.outlook import Outlook
from jupyterhub_mesos_quota.resources import AmountName
from jupyterhub_mesos_quota.rights import Right
from jupyterhub_mesos_quota.rules import Cost, share_out
from jupyterhub_mesos_quota.sizes import Pairs, Size
from jupyterhub_mesos_quota.tree import Amounts

MOST_COMPARED: Final = 128
"""Nodes compared at a time, those with the least harmful first; the next only where these do not do."""

_NONE: Final = (0,) * len(Harm)


Victims = dict[AllocationId, Allocation]
_Cost = tuple[tuple[int, ...], Above, float]
"""How many of each harm, the worst first; how far above who gives stands; the youngest."""


class Made(NamedTuple):
    """Who ends, and on which nodes the replicas will stand."""

    victims: Victims
    placed: Sequence[NodeId]


@dataclass(slots=True)
class _Job:
    """Room that is being made for one: by which right, who ends for it, and where it is by now."""

    account: Account
    each: Pairs
    right: Right
    chosen: Victims = field(default_factory=dict[AllocationId, Allocation])
    placed: list[NodeId] = field(default_factory=list[NodeId])


class RoomMaker:
    """Those who may end, by node and harm, and how things would stand if they did."""

    def __init__(self, admission: Admission, offers: OfferBook) -> None:
        self.outlook = Outlook(admission.usage, admission.pool)
        self._admission = admission
        self._offers = offers
        self._when_empty: dict[Pairs, dict[NodeId, bool]] = {}

    # ---- for one --------------------------------------------------------------------------------

    def make(self, account: Account, size: Size, right: Right) -> Made | None:
        """Return who ends so that all replicas have room, and suppose it; None where that cannot be."""
        job = _Job(account, size.each, right)
        is_made = self._under_bounds(job, size.total) and self._on_nodes(job, size)
        if not (is_made and right.suffices(size.total, job.chosen.values())):
            self._undo(job.chosen.values(), job.placed, size.each)
            return None
        return Made(self._settle(job, size.total), job.placed)

    def make_most(self, aside: Aside, right: Right) -> tuple[Victims, int]:
        """Make room for as many of a booking's pieces as can be; return who ends, and how many those are."""
        each = aside.reservation.resources.amounts()
        job = _Job(aside.account, each, right)
        count = aside.pieces
        while count and not self._under_bounds(job, _part(aside, count)):
            self._undo(job.chosen.values(), (), each)
            job.chosen.clear()
            count -= 1
        for node, copies in aside.copies.items():
            for _ in range(min(copies, count - len(job.placed))):
                if all(self.outlook.room(node, name) >= amount for name, amount in each):
                    self.outlook.give(node, each, -1)
                    job.placed.append(node)
        self._among(job, None, count - len(job.placed))
        victims = self._settle(job, _part(aside, len(job.placed)))
        without = [
            node for node, copies in aside.copies.items() for _ in range(copies - job.placed.count(node))
        ]
        for node in without[: aside.pieces - len(job.placed)]:
            self.outlook.give(node, each, -1)  # what is laid aside without room is nobody else's either
        return victims, len(job.placed)

    def _settle(self, job: _Job, total: Pairs) -> Victims:
        self._give_back(job, total)
        self.outlook.charge(job.account, total)
        return job.chosen

    def _take(self, job: _Job, allocation: Allocation) -> None:
        job.chosen[allocation.id] = allocation
        self.outlook.end(allocation)

    def _undo(self, ended: Iterable[Allocation], placed: Iterable[NodeId], each: Pairs) -> None:
        for allocation in ended:
            self.outlook.end(allocation, -1)
        for node in placed:
            self.outlook.give(node, each)

    def _under_bounds(self, job: _Job, total: Pairs) -> bool:
        while (short := next(iter(job.right.bounds(total)), None)) is not None:
            above, name, _ = short
            offered = {
                entry[1].id: entry
                for offers in self._offers.on_node.values()
                for entry in offers
                if entry[1].id not in job.chosen and entry[1].total.get(name)
            }
            usable = (
                allocation
                for _, allocation in sorted(offered.values(), key=lambda entry: entry[0])
                if above in self._admission.usage.accounts[allocation.team].path
                and job.right.allows(allocation, total, (name,))
            )
            victim = next(usable, None)
            if victim is None:
                return False
            self._take(job, victim)
        return True

    # ---- nodes ----------------------------------------------------------------------------------

    def _on_nodes(self, job: _Job, size: Size) -> bool:
        """Place the replicas one by one where it costs least, in each zone as many as its rule says."""
        if size.rule is None:
            return self._among(job, None, size.replicas)
        domains = self._admission.pool.domains(size)

        def cost(zone: str, count: int) -> Cost | None:
            return self._try(job, domains[zone], count)

        shares = share_out(size.rule, size.replicas, list(domains), cost) or []
        is_made = [self._among(job, domains[zone], count) for zone, count in shares]
        return bool(shares) and all(is_made)

    def _try(self, job: _Job, members: Members, count: int) -> Cost | None:
        """Return what it would cost to make room for so many among some nodes; nothing is taken."""
        trial = replace(job, chosen=dict(job.chosen), placed=list(job.placed))
        is_made = self._among(trial, members, count)
        more = [allocation for id_, allocation in trial.chosen.items() if id_ not in job.chosen]
        self._undo(more, trial.placed[len(job.placed) :], job.each)
        counts = [
            sum(self._offers.harm(allocation) is harm for allocation in more) for harm in reversed(Harm)
        ]
        return (*counts, sum(began_at(allocation) for allocation in more)) if is_made else None

    def _among(self, job: _Job, members: Members | None, count: int) -> bool:
        wanted = len(job.placed) + count
        nodes = self._nodes_for(job.each, count, members)
        while len(job.placed) < wanted and (some := list(islice(nodes, MOST_COMPARED))):
            self._place_on(job, some, wanted)
        return len(job.placed) == wanted

    def _nodes_for(self, each: Pairs, replicas: int, members: Members | None) -> Iterator[NodeId]:
        """Yield where room is or will be, then where the end of the least harmful may make it."""
        if members is not None:
            mine = (node for node in self._admission.pool.with_room_for(each) if node in members)
            known = [*islice(mine, replicas), *self.outlook.nodes(), *self._offers.by_harm]
            return iter(dict.fromkeys(node for node in known if node in members))
        with_room = islice(self._admission.pool.with_room_for(each), replicas)
        return iter(dict.fromkeys([*with_room, *self.outlook.nodes(), *self._offers.by_harm]))

    def _place_on(self, job: _Job, nodes: Iterable[NodeId], wanted: int) -> None:
        costs = [(cost[0], node) for node in nodes if (cost := self._cost(job, node)) is not None]
        heapify(costs)
        while costs and len(job.placed) < wanted:
            _, node = heappop(costs)
            cost = self._cost(job, node)  # anew: another's end may have freed it
            if cost is None:
                continue
            for allocation in cost[1]:
                self._take(job, allocation)
            self.outlook.give(node, job.each, -1)
            job.placed.append(node)
            again = self._cost(job, node)
            if again is not None:
                heappush(costs, (again[0], node))

    def _cost(self, job: _Job, node: NodeId) -> tuple[_Cost, list[Allocation]] | None:
        """Return the least harmful whose end makes room for a replica on a node, and what that costs."""
        if not self._could_hold(node, job.each):
            return None
        missing = self.outlook.missing(node, job.each)
        victims = self._least_harmful(job, node, missing)
        if victims is None:
            return None
        needed = _needed(victims, node, missing)
        if not needed:
            return (_NONE, (), 0.0), []
        counts = tuple(sum(rank[0] is harm for rank, _ in needed) for harm in reversed(Harm))
        how_far = min((above for each in needed if (above := job.right.above(each[1].team))), default=())
        return (counts, how_far, sum(rank[1] for rank, _ in needed)), [allocation for _, allocation in needed]

    def _could_hold(self, node: NodeId, each: Pairs) -> bool:
        """Say whether a replica would fit on a node that is empty."""
        known = self._when_empty.setdefault(each, {})
        if node not in known:
            known[node] = self._admission.pool.copies_when_empty(node, each) > 0
        return known[node]

    def _least_harmful(self, job: _Job, node: NodeId, missing: Amounts) -> list[Entry] | None:
        """Return whose end would leave nothing missing, and count it off; None where that cannot be."""
        victims: list[Entry] = []
        short = tuple(name for name, amount in missing.items() if amount > 0)
        offers = self._offers.on_node.get(node) if short else None
        for rank, allocation in () if offers is None else offers.in_order(job.right.above):
            if allocation.id in job.chosen or not job.right.allows(allocation, job.each, short):
                continue
            victims.append((rank, allocation))
            self.outlook.end(allocation)
            for name, amount in _held_on(allocation, node):
                if name in missing:
                    missing[name] -= amount
            short = tuple(name for name, amount in missing.items() if amount > 0)
            if not short:
                break
        for _, allocation in victims:
            self.outlook.end(allocation, -1)
        return None if short else victims

    def _give_back(self, job: _Job, total: Pairs) -> None:
        """Let those live whose end is not needed for the whole, the most harmful first."""
        ranks = sorted(
            ((self._offers.harm(allocation), allocation) for allocation in job.chosen.values()),
            key=lambda entry: (-entry[0], entry[1].granted_at, entry[1].id),
        )
        for _, allocation in ranks:
            self.outlook.end(allocation, -1)
            fits = all(
                self.outlook.room(placement.node, name) >= 0
                for placement in allocation.placements
                for name, _ in placement.resources.amounts()
            )
            others = [each for each in job.chosen.values() if each is not allocation]
            if fits and not any(job.right.bounds(total)) and job.right.suffices(total, others):
                del job.chosen[allocation.id]
            else:
                self.outlook.end(allocation)


def _part(aside: Aside, pieces: int) -> Pairs:
    """Return what so many pieces hold, and no more than is not used yet."""
    each = aside.reservation.resources.amounts()
    return tuple((name, min(amount * pieces, aside.unused[name])) for name, amount in each)


def _held_on(allocation: Allocation, node: NodeId) -> Iterator[tuple[AmountName, int]]:
    for placement in allocation.placements:
        if placement.node == node:
            yield from placement.resources.amounts()


def _needed(victims: list[Entry], node: NodeId, missing: Mapping[AmountName, int]) -> list[Entry]:
    """Leave out, the most harmful first, those without whom there is room as well; `missing` is at most 0."""
    left = dict(missing)
    needed: list[Entry] = []
    for rank, allocation in sorted(victims, key=lambda entry: entry[0], reverse=True):
        held: dict[AmountName, int] = {}
        for name, amount in _held_on(allocation, node):
            held[name] = held.get(name, 0) + amount
        if all(left[name] + held.get(name, 0) <= 0 for name in left):
            for name in left:
                left[name] += held.get(name, 0)
        else:
            needed.append((rank, allocation))
    return needed[::-1]
