"""Who is next among waiting groups: a knock-out up the team tree, kept from one decision to the next.

Every account offers the one above it the best of what stands under it; the
root's offer is the winner. When an account changed, only the offers on its path
are made anew. An account whose gate is shut (a limit, a cap) offers nothing, so
that a thousand groups behind one full limit cost nothing.

An offer is a key, the smaller the sooner: the shares from the account down to
the group's team, filled up with zeros to the depth of the tree, then the place.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from jupyterhub_mesos_quota.accounts import NOBODY, Account
from jupyterhub_mesos_quota.model import RequestId
from jupyterhub_mesos_quota.tally import Tally

LEAST_SWEPT: Final = 64
MOST_STALE: Final = 4
"""A heap is cleared of what is out of date when it is four times as long as what is valid, and some more."""


class Place(NamedTuple):
    """The place of a request within its group; ids break a tie that only damaged rows have."""

    minus_priority: int
    rank: int
    id: RequestId


Key = tuple[int | Place, ...]
_Entry = tuple[Key, int]
"""A key, and the number of the account that offers it."""
_TOP: Final = NOBODY
"""The heap of what the roots offer."""

Gate = Callable[[Account], bool]
Share = Callable[[Account], int]


class Contest:
    """The groups of one size that stand on one kind of promise."""

    def __init__(self, depth: int, share: Share | None, gate: Gate, tally: Tally) -> None:
        self._depth = depth
        self._share = share  # None where shares do not count
        self._gate = gate
        self._tally = tally
        self._own: dict[int, Key] = {}
        self._offers: dict[int, Key] = {}
        self._heaps: dict[int, list[_Entry]] = {}
        self._live: dict[int, int] = {}  # valid entries per heap

    @property
    def is_going(self) -> bool:
        """Whether anybody competes, or did when this was last made anew."""
        return bool(self._own or self._offers)

    def enter(self, account: Account, place: Place | None) -> None:
        """Let the head of an account's own group compete, or nothing of it; `refresh` tells those above."""
        number, old = account.number, self._own.get(account.number)
        if place is None:
            if old is not None:
                del self._own[number]
                self._live[number] -= 1
            return
        zeros = (0,) * (self._depth - len(account.path)) if self._share is not None else ()
        key: Key = (*zeros, place)
        if key != old:
            self._own[number] = key
            self._put(number, key, number, is_new=old is None)

    def refresh(self, account: Account) -> None:
        """Make the offers on the path of an account anew."""
        offers, heaps, share, gate = self._offers, self._heaps, self._share, self._gate
        for each in account.path:
            number = each.number
            if number not in heaps and number not in offers:
                continue  # nobody under it competes here
            self._tally.entries += 1
            best = self._best(number)
            new: Key | None = None
            if best is not None and gate(each):
                new = best if share is None else (share(each), *best)
            old = offers.get(number)
            if old == new:
                continue
            above = each.above_number
            if new is None:
                del offers[number]
                self._live[above] -= 1
            else:
                offers[number] = new
                self._put(above, new, number, is_new=old is None)

    def first_key(self) -> Key | None:
        """Return the winner's key: comparable between contests of one tree."""
        return self._best(_TOP)

    def _best(self, number: int) -> Key | None:
        heap = self._heaps.get(number)
        if heap is None:
            return None
        while heap:
            key, by = heap[0]
            self._tally.entries += 1
            if (self._own if by == number else self._offers).get(by) == key:
                return key
            heappop(heap)
        del self._heaps[number]
        return None

    def _put(self, number: int, key: Key, by: int, *, is_new: bool) -> None:
        heap = self._heaps.setdefault(number, [])
        self._live[number] = live = self._live.get(number, 0) + is_new
        heappush(heap, (key, by))
        self._tally.entries += len(heap).bit_length()
        if len(heap) > LEAST_SWEPT + MOST_STALE * live:
            heap[:] = {entry: None for entry in heap if self._is_valid(number, entry)}
            heapify(heap)

    def _is_valid(self, number: int, entry: _Entry) -> bool:
        key, by = entry
        return (self._own if by == number else self._offers).get(by) == key
