"""What may be taken back on one node, in order: the least harmful first, then from who is the most above.

Among equally harmful ones the team that stands the furthest above its guarantee gives first, and of it the
youngest. Taken one by one in this way, what is taken evens the borrowers out, and those that borrow a little
keep it: on a cluster's trace the mean wait is a quarter to almost a half less than by youth alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from heapq import heapify, heappop, heapreplace
from typing import Final

from jupyterhub_mesos_quota.model import Allocation, AllocationId, AllocationState, Facts, NodeId, TeamId

NOTHING_KNOWN: Final = Facts()


class Harm(IntEnum):
    """What is lost when an allocation ends; the smaller goes first."""

    WARNED = 0  # told already: to tell another would only disturb two
    IDLE = 1  # nobody uses it, or nobody has claimed it yet
    PARKABLE = 2  # lives on without its accelerators
    CHECKPOINTED = 3  # goes on from its checkpoint
    BUSY = 4  # begins anew


Rank = tuple[Harm, float, AllocationId]
"""The harm, then the youngest first: the second is the negated time of its start."""
Entry = tuple[Rank, Allocation]
Above = tuple[int, ...]
"""How far a team stands above its guarantee, from the top of the tree down; the smaller the further."""


class Offers:
    """What runs on one node and is old enough, by team."""

    def __init__(self) -> None:
        self._by_team: dict[TeamId, list[Entry]] = {}

    def add(self, rank: Rank, allocation: Allocation) -> None:
        """Offer an allocation, in any order."""
        entries = self._by_team.get(allocation.team)
        if entries is None:
            self._by_team[allocation.team] = [(rank, allocation)]
        else:
            entries.append((rank, allocation))

    def remove(self, allocation: Allocation) -> None:
        """Offer an allocation no more."""
        entries = self._by_team[allocation.team]
        entries[:] = [entry for entry in entries if entry[1].id != allocation.id]
        if not entries:
            del self._by_team[allocation.team]

    def __bool__(self) -> bool:
        return bool(self._by_team)

    def lay_out(self) -> Rank:
        """Put all in order; return the least rank."""
        for entries in self._by_team.values():
            entries.sort(key=lambda entry: entry[0])
        return min(entries[0][0] for entries in self._by_team.values())

    def __iter__(self) -> Iterator[Entry]:
        for entries in self._by_team.values():
            yield from entries

    def in_order(self, above: Callable[[TeamId], Above | None]) -> Iterator[Entry]:
        """Yield what may be taken, the next looked up after the one before was.

        `above` says how far a team stands above its guarantee by then, None where it is not above it.
        While this runs, no team may come to stand further above than it did.
        """
        heap: list[tuple[Harm, Above, Rank, TeamId, int]] = []
        for team, entries in self._by_team.items():
            if (how_far := above(team)) is not None:
                heap.append((entries[0][0][0], how_far, entries[0][0], team, 0))
        heapify(heap)
        while heap:
            _, known, rank, team, number = heap[0]
            how_far = above(team)
            if how_far is None:
                heappop(heap)
            elif how_far != known:  # less was above than thought: others may go first
                heapreplace(heap, (rank[0], how_far, rank, team, number))
            else:
                entries = self._by_team[team]
                yield entries[number]
                _go_on(heap, entries, known)


def _go_on(heap: list[tuple[Harm, Above, Rank, TeamId, int]], entries: list[Entry], known: Above) -> None:
    """Let the next of the team that was first stand in its place; how far above it is, is looked up then."""
    number, team = heap[0][4] + 1, heap[0][3]
    if number == len(entries):
        heappop(heap)
    else:
        rank = entries[number][0]
        heapreplace(heap, (rank[0], known, rank, team, number))


def began_at(allocation: Allocation) -> float:
    """Return since when an allocation runs, or since when it was granted."""
    return allocation.started_at or allocation.granted_at


class OfferBook:
    """Who may end, by node; kept from one plan to the next, which looks anew only at those that changed."""

    def __init__(self) -> None:
        self.facts: dict[AllocationId, Facts] = {}
        self.on_node: dict[NodeId, Offers] = {}
        self.by_harm: list[NodeId] = []  # nodes, that of the least harmful first
        self._known: dict[AllocationId, tuple[Allocation, Facts]] = {}
        self._first: dict[NodeId, Rank] = {}

    def harm(self, allocation: Allocation) -> Harm:
        """Return what is lost when an allocation ends."""
        facts = self.facts.get(allocation.id, NOTHING_KNOWN)
        if allocation.state is AllocationState.WARNED:
            return Harm.WARNED
        if facts.is_idle or allocation.state in {AllocationState.GRANTED, AllocationState.PARKED}:
            return Harm.IDLE
        if facts.is_parkable:
            return Harm.PARKABLE
        return Harm.CHECKPOINTED if facts.has_checkpoint else Harm.BUSY

    def update(self, offered: Iterable[Allocation]) -> None:
        """Take in who may end now; an allocation that moved is another value."""
        before, known = self._known, dict[AllocationId, tuple[Allocation, Facts]]()
        changed: dict[NodeId, None] = {}
        for allocation in offered:
            entry, facts = before.pop(allocation.id, None), self.facts.get(allocation.id, NOTHING_KNOWN)
            if entry is None or entry[0] is not allocation or entry[1] is not facts:
                if entry is not None:
                    self._drop(entry[0], changed)
                self._add(allocation, changed)
                entry = allocation, facts
            known[allocation.id] = entry
        for allocation, _ in before.values():
            self._drop(allocation, changed)
        self._known = known
        self._lay_out(changed)

    def _add(self, allocation: Allocation, changed: dict[NodeId, None]) -> None:
        rank = self.harm(allocation), -began_at(allocation), allocation.id
        for node in dict.fromkeys([placement.node for placement in allocation.placements]):
            offers = self.on_node.get(node)
            if offers is None:
                offers = self.on_node[node] = Offers()
            offers.add(rank, allocation)
            changed[node] = None

    def _drop(self, allocation: Allocation, changed: dict[NodeId, None]) -> None:
        for node in dict.fromkeys([placement.node for placement in allocation.placements]):
            self.on_node[node].remove(allocation)
            changed[node] = None

    def _lay_out(self, changed: Iterable[NodeId]) -> None:
        first = self._first
        for node in changed:
            if self.on_node[node]:
                first[node] = self.on_node[node].lay_out()
            else:
                del self.on_node[node]
                first.pop(node, None)
        if changed:
            self.by_harm = sorted(first, key=lambda node: (first[node], node))
