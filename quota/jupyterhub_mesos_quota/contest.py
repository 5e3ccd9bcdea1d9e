"""Who is next among waiting groups: a knock-out up the team tree, kept from one decision to the next.

Every account has a *seat*, and offers the one above it the best of what stands
under it; the top seat's best is the winner. An account whose gate is shut (a limit,
a cap) offers nothing, so that a thousand groups behind one full limit cost nothing.

An offer is a key, the smaller the sooner: the shares from the account down to
the group's team, filled up with zeros to the depth of the tree, then the place.
Where shares do not count, only accounts with a gate stand between a group and the top.

What a team takes can only put it back, or shut a gate: its offer is looked at anew when
it comes up, and not before. What a team gives back may put it forward, or open
a gate: then the offers on its path are made anew, when somebody asks who is next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import heapify, heappop, heappush, heapreplace
from typing import Final, NamedTuple

from jupyterhub_mesos_quota.accounts import Account
from jupyterhub_mesos_quota.model import RequestId
from jupyterhub_mesos_quota.tally import Tally
from jupyterhub_mesos_quota.usage import Usage

LEAST_SWEPT: Final = 64
MOST_STALE: Final = 4
"""A heap is cleared of what is out of date when it is four times as long as what is valid, and some more."""


class Place(NamedTuple):
    """The place of a request within its group; ids break a tie that only damaged rows have."""

    minus_priority: int
    rank: int
    id: RequestId


Key = tuple[int | Place, ...]
Gate = Callable[[Account], bool]


class _Seat:
    """Where one account competes: what it offers, and what those below offer it."""

    __slots__ = ("above", "account", "best", "heap", "offer", "offering", "own", "share")

    def __init__(self, account: Account | None, above: _Seat | None) -> None:
        self.account = account  # None at the top
        self.above = above
        self.own: _Offer | None = None  # of the account's own group
        self.offer: _Offer | None = None  # to the seat above; it may stand behind that by now, never before
        self.best: _Offer | None = None  # what the offer was made of, with `share`
        self.share = 0
        self.heap: list[_Offer] = []  # from below; an entry that its seat does not offer any more is void
        self.offering = 0  # seats below that offer something


_Offer = tuple[int | Place | _Seat, ...]
"""A key, and the seat that offers it: keys differ in their places, so that seats are not compared.

In one tuple, not in two: a heap compares it at a third of the cost.
"""


class Contest:
    """The groups of one size that stand on one kind of promise."""

    def __init__(self, usage: Usage, gate: Gate, tally: Tally, *, is_by_share: bool) -> None:
        self.is_by_share = is_by_share
        self._usage = usage
        self._gate = gate
        self._tally = tally
        self.groups = 0  # that compete
        self._seats: dict[int, _Seat] = {}
        self._top = _Seat(None, None)
        self._stood: dict[Account, None] = {}  # whose group competes otherwise
        self._eased_seen = usage.eased.end
        self._winner: Key | None = None
        self._winner_at = -1

    def enter(self, account: Account, place: Place | None) -> None:
        """Let the head of an account's own group compete, or nothing of it."""
        seat = self._seats.get(account.number)
        self._winner_at = -1
        if place is None:
            if seat is not None and seat.own is not None:
                seat.own = None
                self.groups -= 1
                if not self.groups:
                    self._clear()
            return
        if seat is None:
            seat = self._seat(account)
        zeros = (0,) * (self._usage.depth - len(account.path)) if self.is_by_share else ()
        own: _Offer = (*zeros, place, seat)
        old, seat.own = seat.own, own
        if old is None or own < old:  # who stands further back is looked at anew when it comes up
            self.groups += old is None
            self._stood[account] = None

    def _seat(self, account: Account) -> _Seat:
        """Make a seat, and those between it and the top."""
        seat = self._seats.get(account.number)
        if seat is None:
            if not self._seats:
                self._eased_seen = self._usage.eased.end
            path = account.path if self.is_by_share else account.gates
            after = path[1:] if path and path[0] is account else path
            above = self._seat(after[0]) if after else self._top
            seat = self._seats[account.number] = _Seat(account, above)
        return seat

    def first_key(self) -> Key | None:
        """Return the winner's key: comparable between contests of one tree."""
        if not self.groups:
            return None
        usage = self._usage
        if self._stood or self._eased_seen != usage.eased.end:
            self._catch_up()
        elif self._winner_at == usage.changes.end:
            return self._winner
        first = self._first(self._top)
        self._winner = None if first is None else first[:-1]  # type: ignore[assignment]  # seats stand last alone
        self._winner_at = usage.changes.end
        return self._winner

    def _clear(self) -> None:
        self._seats.clear()
        self._stood.clear()
        self._top = _Seat(None, None)
        self._winner = None

    # ---- offers anew ----------------------------------------------------------------------------

    def _catch_up(self) -> None:
        """Make the offers anew of those who may stand further ahead than they offer, and of those above."""
        eased = self._usage.eased.since(self._eased_seen)
        self._eased_seen = self._usage.eased.end
        if eased is None:
            level = dict.fromkeys(self._seats.values())
        else:
            level = dict.fromkeys(self._lowest((*self._stood, *eased)))
        self._stood.clear()
        while level:  # each seat after all those below it
            self._tally.entries += len(level)
            over: dict[_Seat, None] = {}
            for seat in level:
                if seat.above is not None:
                    self._step_forward(seat, seat.above)
                    over[seat.above] = None
            level = over

    def _lowest(self, accounts: Iterable[Account]) -> Iterator[_Seat]:
        """Yield the lowest seat on the path of each; below it nobody competes."""
        seats = self._seats
        for account in accounts:
            seat = seats.get(account.number)
            if seat is None:
                for above in account.path if self.is_by_share else account.gates:
                    seat = seats.get(above.number)
                    if seat is not None:
                        break
            if seat is not None:
                yield seat

    def _step_forward(self, seat: _Seat, above: _Seat) -> None:
        """Let a seat offer the best that it may have: below it some may stand behind what they offer."""
        old = seat.offer
        offer = self._offer(seat, above, _best(seat))
        if offer is old or offer is None:
            return
        heap = above.heap
        self._tally.entries += len(heap).bit_length()
        if heap and heap[0] is old:
            heapreplace(heap, offer)
            return
        heappush(heap, offer)
        if len(heap) > LEAST_SWEPT + MOST_STALE * above.offering:
            heap[:] = [entry for entry in heap if _by(entry).offer is entry]
            heapify(heap)

    def _first(self, seat: _Seat) -> _Offer | None:
        """Return the best of a seat, each who comes up looked at anew until one stands where it offered."""
        heap = seat.heap
        while heap:
            self._tally.entries += 1
            offer = heap[0]
            below = _by(offer)
            if below.offer is not offer:
                heappop(heap)
                continue
            now = self._offer(below, seat, self._first(below) if below.heap else below.own)
            if now is None:
                heappop(heap)
            elif now is offer:
                break
            else:
                heapreplace(heap, now)
                if heap[0] is now:
                    break
        return _best(seat)

    def _offer(self, seat: _Seat, above: _Seat, best: _Offer | None) -> _Offer | None:
        """Return what a seat offers now, the very same where nothing changed."""
        account = seat.account
        if account is None or best is None or (account.is_gated and not self._gate(account)):
            best, share = None, 0
        elif self.is_by_share:
            share = self._usage.share(account) if account.share is None else account.share
        else:
            share = 0
        if best is seat.best and share == seat.share:
            return seat.offer
        above.offering += (best is not None) - (seat.offer is not None)
        seat.best, seat.share = best, share
        if best is None:
            seat.offer = None
        else:
            seat.offer = (share, *best[:-1], seat) if self.is_by_share else (*best[:-1], seat)
        return seat.offer


def _by(offer: _Offer) -> _Seat:
    seat = offer[-1]
    assert isinstance(seat, _Seat)  # noqa: S101 - the seat that offers stands last
    return seat


def _best(seat: _Seat) -> _Offer | None:
    """Return the first that stands at a seat or is offered to it."""
    heap, own = seat.heap, seat.own
    while heap and _by(heap[0]).offer is not heap[0]:
        heappop(heap)
    if heap and (own is None or heap[0] < own):
        return heap[0]
    return own
