"""Taking back what was lent: which allocations end so that those inside their guarantee may start.

1. What is being stopped already is counted as free.
2. For each request that waits inside its guarantee, in order: if it would start
   then, nothing more is taken for it.
3. Else the least harmful allocations that make room for it, under limits and on
   nodes, are looked for among those of teams above their guarantee, the furthest above first. None that
   has not run for the policy's time; none of a team whose share is not larger
   than the taker's afterwards, so that nothing goes back and forth.
4. What turns out not to be needed is given back, the most harmful first. Where the room
   could not be made whole, nothing is taken at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import islice
from typing import Final

from jupyterhub_mesos_quota.accounts import Account
from jupyterhub_mesos_quota.admission import Admission
from jupyterhub_mesos_quota.domains import Members
from jupyterhub_mesos_quota.lanes import Group
from jupyterhub_mesos_quota.model import (
    Allocation,
    AllocationId,
    AllocationState,
    Facts,
    NodeId,
    Request,
    RequestId,
    TeamId,
)
from jupyterhub_mesos_quota.moves import DRAINABLE_STATES
from jupyterhub_mesos_quota.offers import Above, Entry, Harm, Offers, Rank
from jupyterhub_mesos_quota.outlook import Outlook
from jupyterhub_mesos_quota.policy import Reclaim
from jupyterhub_mesos_quota.resources import AmountName
from jupyterhub_mesos_quota.rules import Cost, share_out
from jupyterhub_mesos_quota.sizes import Pairs, Size
from jupyterhub_mesos_quota.usage import Standing

MOST_SERVED: Final = 32
"""Requests that one plan makes room for: the next plan, an event later, goes on."""


MOST_COMPARED: Final = 128
"""Nodes compared at a time, those with the least harmful first; the next only where these do not do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which allocations end, each with the team that it ends for, and when time alone changes the plan."""

    victims: Mapping[AllocationId, TeamId] = field(default_factory=dict[AllocationId, TeamId])
    look_again_at: float | None = None
    is_whole: bool = True  # everybody who waits inside is served by it


_Cost = tuple[tuple[int, ...], Above, float]
"""How many of each harm, the worst first; how far above who gives stands; the youngest."""


class Planner:
    """One plan; what is supposed of the future is in its outlook."""

    def __init__(
        self,
        admission: Admission,
        requests: Mapping[RequestId, Request],
        live: Iterable[Allocation],
        facts: Mapping[AllocationId, Facts],
        policy: Reclaim,
    ) -> None:
        self._admission = admission
        self._requests = requests
        self._policy = policy
        self._facts = facts
        self._outlook = Outlook(admission.usage, admission.pool)
        self._on_node: dict[NodeId, Offers] = {}
        self._victims: dict[AllocationId, TeamId] = {}
        self._look_again_at: float | None = None
        for allocation in live:
            if allocation.state is AllocationState.STOPPING:
                self._outlook.end(allocation)
            elif allocation.state in DRAINABLE_STATES and not requests[allocation.request_id].is_ending:
                self._offer(allocation)
        first = {node: offers.lay_out() for node, offers in self._on_node.items()}
        self._by_harm = sorted(first, key=lambda node: (first[node], node))

    def _offer(self, allocation: Allocation) -> None:
        ripe_at = (allocation.started_at or allocation.granted_at) + self._policy.min_runtime_seconds
        harm = self._harm(allocation)
        if ripe_at > self._admission.now and harm is not Harm.WARNED:
            known = self._look_again_at
            self._look_again_at = ripe_at if known is None else min(known, ripe_at)
            return
        rank = harm, -(allocation.started_at or allocation.granted_at), allocation.id
        for node in {placement.node: None for placement in allocation.placements}:
            self._on_node.setdefault(node, Offers()).add(rank, allocation)

    def _harm(self, allocation: Allocation) -> Harm:
        facts = self._facts.get(allocation.id, Facts())
        if allocation.state is AllocationState.WARNED:
            return Harm.WARNED
        if facts.is_idle or allocation.state in {AllocationState.GRANTED, AllocationState.PARKED}:
            return Harm.IDLE
        if facts.is_parkable:
            return Harm.PARKABLE
        return Harm.CHECKPOINTED if facts.has_checkpoint else Harm.BUSY

    # ---- one request after the other ------------------------------------------------------------

    def plan(self) -> Plan:
        """Make room for those who wait inside their guarantee."""
        is_unserved = False
        for group in self._waiting():
            is_unserved |= not self._serve(group)
        return Plan(self._victims, self._look_again_at if is_unserved else None, not is_unserved)

    def _waiting(self) -> Iterator[Group]:
        """Yield a group once for each of its requests, in order of the groups' heads."""
        left = MOST_SERVED
        for group in self._admission.line.claims.of(Standing.INSIDE):
            if not self._admission.pool.could_ever_hold(group.lane.size):
                continue
            for _ in range(min(left, len(group))):
                left -= 1
                yield group

    def _serve(self, group: Group) -> bool:
        account, size = group.account, group.lane.size
        if not self._outlook.is_inside(account, size.total):
            return True  # with those before it, it stands inside no more
        chosen: dict[AllocationId, Allocation] = {}
        placed: list[NodeId] = []
        served = self._make_room_under_limits(account, size.total, chosen)
        served = served and self._make_room_on_nodes(account, size, (chosen, placed))
        if not served:
            self._undo(chosen.values(), placed, size.each)
            return False
        self._give_back(account, size.total, chosen)
        self._outlook.charge(account, size.total)
        self._victims.update(dict.fromkeys(chosen, account.id))
        return True

    def _take(self, allocation: Allocation, chosen: dict[AllocationId, Allocation]) -> None:
        chosen[allocation.id] = allocation
        self._outlook.end(allocation)

    def _make_room_under_limits(
        self, account: Account, total: Pairs, chosen: dict[AllocationId, Allocation]
    ) -> bool:
        while (short := next(iter(self._outlook.limited(account, total)), None)) is not None:
            above, name, _ = short
            offered = {
                entry[1].id: entry
                for offers in self._on_node.values()
                for entry in offers
                if entry[1].id not in chosen and entry[1].total.get(name)
            }
            usable = (
                allocation
                for _, allocation in sorted(offered.values(), key=lambda entry: entry[0])
                if above in self._admission.usage.accounts[allocation.team].path
                and self._may_take(allocation, account, total, (name,))
            )
            victim = next(usable, None)
            if victim is None:
                return False
            self._take(victim, chosen)
        return True

    # ---- nodes ----------------------------------------------------------------------------------

    def _make_room_on_nodes(
        self,
        account: Account,
        size: Size,
        into: tuple[dict[AllocationId, Allocation], list[NodeId]],
    ) -> bool:
        """Place the replicas one by one where it costs least, in each zone as many as its rule says."""
        if size.rule is None:
            return self._make_room_among(None, account, size.each, size.replicas, into)
        domains = self._admission.pool.domains(size)

        def cost(zone: str, count: int) -> Cost | None:
            return self._try(domains[zone], account, size.each, count, into)

        shares = share_out(size.rule, size.replicas, list(domains), cost) or []
        is_made = [
            self._make_room_among(domains[zone], account, size.each, count, into) for zone, count in shares
        ]
        return bool(shares) and all(is_made)

    def _try(
        self,
        members: Members,
        account: Account,
        each: Pairs,
        count: int,
        into: tuple[dict[AllocationId, Allocation], list[NodeId]],
    ) -> Cost | None:
        """Return what it would cost to make room for so many among some nodes; nothing is taken."""
        chosen, placed = dict(into[0]), list(into[1])
        is_made = self._make_room_among(members, account, each, count, (chosen, placed))
        more = [allocation for id_, allocation in chosen.items() if id_ not in into[0]]
        self._undo(more, placed[len(into[1]) :], each)
        counts = [sum(self._harm(allocation) is harm for allocation in more) for harm in reversed(Harm)]
        return (
            (*counts, sum(allocation.started_at or allocation.granted_at for allocation in more))
            if is_made
            else None
        )

    def _undo(self, ended: Iterable[Allocation], placed: Iterable[NodeId], each: Pairs) -> None:
        for allocation in ended:
            self._outlook.end(allocation, -1)
        for node in placed:
            self._outlook.give(node, each)

    def _make_room_among(
        self,
        members: Members | None,
        account: Account,
        each: Pairs,
        count: int,
        into: tuple[dict[AllocationId, Allocation], list[NodeId]],
    ) -> bool:
        placed = into[1]
        wanted = len(placed) + count
        nodes = self._nodes_for(each, count, members)
        while len(placed) < wanted and (some := list(islice(nodes, MOST_COMPARED))):
            self._make_room_on(some, account, each, wanted, into)
        return len(placed) == wanted

    def _nodes_for(self, each: Pairs, replicas: int, members: Members | None) -> Iterator[NodeId]:
        """Yield where room is or will be, then where the end of the least harmful may make it."""
        if members is not None:
            mine = (node for node in self._admission.pool.with_room_for(each) if node in members)
            known = [*islice(mine, replicas), *self._outlook.nodes(), *self._by_harm]
            return iter(dict.fromkeys(node for node in known if node in members))
        with_room = islice(self._admission.pool.with_room_for(each), replicas)
        return iter(dict.fromkeys([*with_room, *self._outlook.nodes(), *self._by_harm]))

    def _make_room_on(
        self,
        nodes: Iterable[NodeId],
        account: Account,
        each: Pairs,
        replicas: int,
        into: tuple[dict[AllocationId, Allocation], list[NodeId]],
    ) -> None:
        chosen, placed = into
        costs = [
            (cost[0], node) for node in nodes if (cost := self._cost(node, account, each, chosen)) is not None
        ]
        heapify(costs)
        while costs and len(placed) < replicas:
            _, node = heappop(costs)
            cost = self._cost(node, account, each, chosen)  # anew: another's end may have freed it
            if cost is None:
                continue
            for allocation in cost[1]:
                self._take(allocation, chosen)
            self._outlook.give(node, each, -1)
            placed.append(node)
            again = self._cost(node, account, each, chosen)
            if again is not None:
                heappush(costs, (again[0], node))

    def _cost(
        self, node: NodeId, account: Account, each: Pairs, chosen: Mapping[AllocationId, Allocation]
    ) -> tuple[_Cost, list[Allocation]] | None:
        """Return the least harmful whose end makes room for a replica on a node, and what that costs."""
        if not self._admission.pool.copies_when_empty(node, each):
            return None
        missing = {name: amount - self._outlook.room(node, name) for name, amount in each}
        victims: list[tuple[Rank, Allocation]] = []
        supposed: list[Allocation] = []
        short = tuple(name for name, amount in missing.items() if amount > 0)
        for rank, allocation in self._lent_on(node, account) if short else ():
            if allocation.id in chosen or not self._may_take(allocation, account, each, short):
                continue
            victims.append((rank, allocation))
            self._outlook.end(allocation)
            supposed.append(allocation)
            for name, amount in _held_on(allocation, node):
                if name in missing:
                    missing[name] -= amount
            short = tuple(name for name, amount in missing.items() if amount > 0)
            if not short:
                break
        for allocation in supposed:
            self._outlook.end(allocation, -1)
        if any(amount > 0 for amount in missing.values()):
            return None
        needed = _needed(victims, node, missing)
        counts = tuple(sum(rank[0] is harm for rank, _ in needed) for harm in reversed(Harm))
        how_far = min((above for each in needed if (above := self._above(each[1].team, account))), default=())
        return (counts, how_far, sum(rank[1] for rank, _ in needed)), [allocation for _, allocation in needed]

    def _lent_on(self, node: NodeId, taker: Account) -> Iterator[Entry]:
        """Yield what is on a node of teams that stand above their guarantee, the least harmful first."""
        offers = self._on_node.get(node)
        return iter(()) if offers is None else offers.in_order(lambda team: self._above(team, taker))

    def _above(self, team: TeamId, taker: Account) -> Above | None:
        """Return how far a team stands above its guarantee, where it and the taker part and below."""
        shared = set(taker.path)
        lower = [above for above in self._admission.usage.accounts[team].path if above not in shared]
        if not all(self._outlook.is_above(above) for above in lower):
            return None
        return tuple(-self._outlook.strategic_share(above) for above in reversed(lower))

    def _may_take(
        self, allocation: Allocation, taker: Account, asked: Pairs, names: tuple[AmountName, ...]
    ) -> bool:
        """Say whether an allocation is lent, in one of the amounts that are missing, by the taker's side."""
        victim = self._admission.usage.accounts[allocation.team]
        held = [name for name in names if allocation.total.get(name)]
        if victim in taker.path:  # a team above that uses what it promised on
            return any(self._outlook.is_promised_on(victim, name) for name in held)
        shared = set(taker.path)
        lower = [above for above in victim.path if above not in shared]
        if not any(all(self._outlook.over(above, name) > 0 for above in lower) for name in held):
            return False
        mine = [above for above in taker.path if above not in set(victim.path)]
        if not mine:
            return True  # the victim stands under the taker's own team
        yard = self._admission.usage.yard
        return self._outlook.share(mine[-1], yard, asked) < self._outlook.share(lower[-1], yard)

    def _give_back(self, account: Account, total: Pairs, chosen: dict[AllocationId, Allocation]) -> None:
        """Let those live whose end is not needed for the whole, the most harmful first."""
        ranks = sorted(
            {allocation.id: (self._harm(allocation), allocation) for allocation in chosen.values()}.values(),
            key=lambda entry: (-entry[0], entry[1].granted_at, entry[1].id),
        )
        for _, allocation in ranks:
            self._outlook.end(allocation, -1)
            fits = all(
                self._outlook.room(placement.node, name) >= 0
                for placement in allocation.placements
                for name, _ in placement.resources.amounts()
            )
            if fits and not any(self._outlook.limited(account, total)):
                del chosen[allocation.id]
            else:
                self._outlook.end(allocation)


def _held_on(allocation: Allocation, node: NodeId) -> Iterator[tuple[AmountName, int]]:
    for placement in allocation.placements:
        if placement.node == node:
            yield from placement.resources.amounts()


def _needed(
    victims: list[tuple[Rank, Allocation]], node: NodeId, missing: Mapping[AmountName, int]
) -> list[tuple[Rank, Allocation]]:
    """Leave out, the most harmful first, those without whom there is room as well; `missing` is at most 0."""
    left = dict(missing)
    needed: list[tuple[Rank, Allocation]] = []
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
