"""What is laid aside for those who wait on a promise, so that nobody on a weaker one takes it.

- A *claim* is a waiting group that stands on a promise. Under a limit that it
  shares with others, there must be room for the largest claim inside a
  guarantee beside whatever is given to those who are not.
- A *hold* lays room on chosen nodes aside for the head of a claim: what frees
  there gathers until it is enough. Everything else goes on being used. It is
  always the nodes that are the nearest to having room; as nobody weaker takes
  any of it, the nearest only comes nearer. The first `MOST_HOLDS` claims have one
  each, and one more is for who has waited for longer than the policy's patience.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final

from jupyterhub_mesos_quota.contest import Place
from jupyterhub_mesos_quota.domains import Domains, Members
from jupyterhub_mesos_quota.lanes import Group
from jupyterhub_mesos_quota.model import NodeId
from jupyterhub_mesos_quota.resources import ACCELERATOR_PREFIX, CPU_MILLIS, MEM_MIB, AmountName
from jupyterhub_mesos_quota.rules import Cost, share_out
from jupyterhub_mesos_quota.sizes import Size
from jupyterhub_mesos_quota.tree import Amounts
from jupyterhub_mesos_quota.usage import Standing, Usage

MOST_HOLDS: Final = 16
"""Holds at a time: who is behind so many still goes first where room frees, and each hold idles some."""

_Claim = tuple[Place, int, Group]
"""In order of place; the account's number breaks a tie that only damaged rows have."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What is laid aside for the head of one group, by node."""

    group: Group
    standing: Standing  # who stands on a weaker promise may not use it; of BORROWS nobody but its owner may
    amounts: Mapping[NodeId, Amounts]


class Claims:
    """The groups that stand on a promise, in order."""

    def __init__(self, usage: Usage) -> None:
        self._usage = usage
        self._sorted: dict[Standing, list[_Claim]] = {Standing.INSIDE: [], Standing.FAMILY: []}
        self._known: dict[Group, tuple[Standing, _Claim]] = {}
        self.version = 0  # grows when a claim comes, goes or moves

    def __len__(self) -> int:
        return len(self._known)

    def note(self, group: Group, standing: Standing | None) -> None:
        """Say where a group stands now, and who its head is; with None nobody of it waits."""
        head = group.head
        old = self._known.get(group)
        new: tuple[Standing, _Claim] | None = None
        if standing is not None and standing is not Standing.BORROWS and head is not None:
            new = standing, (head, group.account.number, group)
        if old is not None and new is not None and (old[0], old[1][0]) == (new[0], new[1][0]):
            return
        self.version += old is not None or new is not None
        if old is not None:
            claims = self._sorted[old[0]]
            del claims[bisect_left(claims, old[1][:2], key=lambda claim: claim[:2])]
            del self._known[group]
        if new is not None:
            insort(self._sorted[new[0]], new[1], key=lambda claim: claim[:2])
            self._known[group] = new
        if Standing.INSIDE in (old[0] if old else None, new[0] if new else None):
            self._claim_under_limits(group)

    def _claim_under_limits(self, group: Group) -> None:
        """Work out the largest claim under each limited account on the path anew."""
        for account in group.account.path:
            if not account.limit:
                continue
            most: Amounts = {}
            for _, _, other in self._sorted[Standing.INSIDE]:
                if account in other.account.path:
                    for name, amount in other.lane.size.total:
                        most[name] = max(most.get(name, 0), amount)
            if most != account.claimed:
                account.claimed = most
                self._usage.eased.note(account)

    def of(self, standing: Standing) -> Iterator[Group]:
        """Yield the claims of one standing, in order."""
        return (group for _, _, group in self._sorted[standing])


class Holds:
    """What is laid aside at one moment: a function of who waits and of what the nodes have free."""

    def __init__(
        self,
        pool: Domains,
        wanted: Iterable[tuple[Group, Standing]],
        clearing: Mapping[NodeId, Mapping[AmountName, int]],
        booked: Mapping[NodeId, Mapping[AmountName, int]],
    ) -> None:
        self._pool = pool
        self._booked = booked
        self._clearing = clearing
        self._taken: set[NodeId] = set()
        self._views: dict[tuple[Standing, Group | None], Mapping[NodeId, Amounts]] = {}
        self._by_group: dict[Group, Hold] = {}
        for group, standing in wanted:
            if len(self._taken) >= len(pool.nodes):
                break  # no node is left without a hold
            amounts = self._choose(group.lane.size)
            if amounts is not None:
                self._taken.update(amounts)
                self._by_group[group] = Hold(group, standing, amounts)

    def __iter__(self) -> Iterator[Hold]:
        return iter(self._by_group.values())

    def __len__(self) -> int:
        return len(self._by_group)

    def withheld(self, standing: Standing, group: Group | None) -> Mapping[NodeId, Amounts]:
        """Return what a group may not use: what is laid aside for others who go before it."""
        if not self._by_group or standing is Standing.INSIDE:
            return {}
        owner = group if group in self._by_group else None
        view = self._views.get((standing, owner))
        if view is None:
            view = self._views[standing, owner] = self._view(standing, owner)
        return view

    def _view(self, standing: Standing, owner: Group | None) -> Mapping[NodeId, Amounts]:
        view: dict[NodeId, Amounts] = {}
        for hold in self._by_group.values():
            binds = hold.standing < standing or hold.standing is Standing.BORROWS is standing
            if binds and hold.group is not owner:
                view.update(hold.amounts)  # no node has two holds
        return view

    def _choose(self, size: Size) -> Mapping[NodeId, Amounts] | None:
        """Choose nodes without a hold: where room is, else is being made, else the nearest to having it."""
        if size.rule is None:
            return self._gather(size, size.replicas, None)
        domains = self._pool.domains(size)
        known: dict[tuple[str, int], Mapping[NodeId, Amounts]] = {}

        def cost(zone: str, count: int) -> Cost | None:
            chosen = self._gather(size, count, domains[zone])
            if chosen is None:
                return None
            known[zone, count] = chosen
            return self._missing(chosen)

        shares = share_out(size.rule, size.replicas, list(domains), cost)
        if shares is None:
            return None
        return {node: amounts for share in shares for node, amounts in known[share].items()}

    def _missing(self, chosen: Mapping[NodeId, Amounts]) -> Cost:
        """Return what is not free yet of what is chosen: accelerators, CPU, memory."""
        accelerators = cpu = mem = 0
        for node, amounts in chosen.items():
            room, coming = self._pool.room_on(node), self._clearing.get(node, {})
            for name, amount in amounts.items():
                missing = max(0, amount - room.get(name, 0) - coming.get(name, 0))
                accelerators += missing * name.startswith(ACCELERATOR_PREFIX)
                cpu += missing * (name == CPU_MILLIS)
                mem += missing * (name == MEM_MIB)
        return accelerators, cpu, mem

    def _gather(self, size: Size, replicas: int, members: Members | None) -> Mapping[NodeId, Amounts] | None:
        chosen: dict[NodeId, Amounts] = {}
        missing = replicas
        for node, copies in self._copies(size):
            if members is not None and node not in members:
                continue
            if copies > 0 and node not in self._taken and node not in chosen:
                count = min(copies, missing)
                chosen[node] = {name: amount * count for name, amount in size.each}
                missing -= count
            if missing <= 0:
                return chosen
        return None

    def _copies(self, size: Size) -> Iterator[tuple[NodeId, int]]:
        if self._clearing:  # what was cleared first is room by now: the rest is being cleared to go with it
            for node in chain(self._pool.with_room_for(size.each), sorted(self._clearing)):
                yield node, self._copies_soon(node, size)
        for node in self._pool.emptiest(size.each):
            copies = self._pool.copies_when_empty(node, size.each)
            yield node, copies - self._copies_booked(node, size)

    def _copies_soon(self, node: NodeId, size: Size) -> int:
        """Return how many replicas a node holds when what is being cleared there is gone."""
        room, coming = self._pool.room_on(node), self._clearing.get(node, {})
        copies = [(room.get(name, 0) + coming.get(name, 0)) // amount for name, amount in size.each]
        return min(copies) - self._copies_booked(node, size) if room else 0

    def _copies_booked(self, node: NodeId, size: Size) -> int:
        """Return how many replicas what is booked on a node keeps away; it is not waited for."""
        booked = self._booked.get(node)
        if not booked:
            return 0
        return max(-(-booked.get(name, 0) // amount) for name, amount in size.each)
