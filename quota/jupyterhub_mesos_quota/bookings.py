"""What is booked as decisions see it: how much of it is not used yet, on which nodes, and for whom.

A reservation *opens* some time before it begins: so long before that what is in the way can be warned,
stopped and gone by then. What it does not use yet is laid aside on nodes, those that have room
first, and its own team, with all below it, may use it. All others leave it alone:

1. *Until it opens* only who would borrow. Who ends in time may use it; so may who can be taken back in time.
2. *From then until its end* everybody. Until it begins, who ends in time may use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final, NamedTuple

from jupyterhub_mesos_quota.accounts import Account
from jupyterhub_mesos_quota.agenda import Agenda
from jupyterhub_mesos_quota.booking import is_on, overlaps
from jupyterhub_mesos_quota.model import NodeId, Reservation, ReservationId
from jupyterhub_mesos_quota.placement import NodePool, Withheld
from jupyterhub_mesos_quota.policy import Policy
from jupyterhub_mesos_quota.promises import with_reservations
from jupyterhub_mesos_quota.resources import AmountName
from jupyterhub_mesos_quota.sizes import Pairs
from jupyterhub_mesos_quota.tree import Amounts, TeamTree, add_amounts
from jupyterhub_mesos_quota.usage import Standing, Usage

MOST_ASIDE: Final = 16
"""Reservations with room laid aside at a time, the next to begin first: it is chosen anew as things move."""
MOST_PIECES: Final = 1 << 62
"""More pieces than anything has."""
MOST_LOOKED_AT: Final = 4_096
"""Nodes looked at for one reservation: of those with room, and of those without."""


class Ask(NamedTuple):
    """Who asks, on which promise, and for how long at most (None: without an end), in seconds."""

    account: Account
    standing: Standing
    limit: float | None


@dataclass(frozen=True, slots=True)
class Aside:
    """What one reservation does not use yet, by node: `pieces` in all, the last maybe in part."""

    reservation: Reservation
    account: Account
    unused: Mapping[AmountName, int]
    pieces: int
    missing: int  # of the pieces, those without room yet, on nodes or under a limit
    amounts: Mapping[NodeId, Amounts]

    @property
    def copies(self) -> Mapping[NodeId, int]:
        """How many pieces are laid aside on which node."""
        name, amount = self.reservation.resources.amounts()[0]
        return {node: amounts[name] // amount for node, amounts in self.amounts.items()}


class Bookings:
    """The agenda beside the nodes and the counters of one tree."""

    def __init__(self, agenda: Agenda, policy: Policy, pool: NodePool) -> None:
        self._agenda = agenda
        self._pool = pool
        self._clear_seconds = policy.clear_seconds
        grace = 0.0 if policy.reclaim is None else policy.reclaim.grace_seconds
        self._lead_seconds = policy.clear_seconds + grace
        self._min_runtime = None if policy.reclaim is None else policy.reclaim.min_runtime_seconds
        self._stamp: object = None
        self._asides: tuple[Aside, ...] = ()
        self._views: dict[frozenset[ReservationId], Withheld] = {}
        self.clearing: tuple[NodeId, ...] = ()  # where room is being made for what is booked

    def __bool__(self) -> bool:
        return len(self._agenda) > 0

    def plant(self, tree: TeamTree, usage: Usage, now: float) -> None:
        """Count under a tree as an admin wrote it; `usage` knows what is open by `now` beside it."""
        self._open = {reservation.id for reservation in self.open_at(now)}
        self._tree = tree
        self._usage = usage
        self._stamp = None

    # ---- time -----------------------------------------------------------------------------------

    def opens_at(self, reservation: Reservation) -> float:
        """Return when room begins to be made."""
        return reservation.starts_at - self._lead_seconds

    def cleared_at(self, reservation: Reservation) -> float:
        """Return when the last stop is sent, so that room is there at the begin."""
        return reservation.starts_at - self._clear_seconds

    def open_at(self, now: float) -> tuple[Reservation, ...]:
        """Return what is promised now, the next to begin first."""
        booked = self._agenda.booked.values()
        return tuple(each for each in booked if self.opens_at(each) <= now < each.ends_at)

    def promised_at(self, at: float) -> TeamTree:
        """Return what the teams are promised at a moment."""
        return with_reservations(
            self._tree, (each for each in self._agenda.booked.values() if is_on(each, at))
        )

    def next_due(self, now: float) -> float | None:
        """Return when the next of them opens or ends."""
        booked = self._agenda.booked.values()
        times = [time for each in booked for time in (self.opens_at(each), each.ends_at) if time > now]
        return min(times, default=None)

    # ---- what is laid aside ---------------------------------------------------------------------

    def asides(self) -> tuple[Aside, ...]:
        """Return what is laid aside as things stand."""
        stamp = self._pool.moves, self._agenda.version, self.clearing
        if stamp != self._stamp:
            self._stamp = stamp
            self._views.clear()
            self._asides = ()
            for reservation in islice(self._agenda.booked.values(), MOST_ASIDE):
                self._asides += (self._lay(reservation),)
        return self._asides

    def _lay(self, reservation: Reservation) -> Aside:
        account = self._usage.accounts[reservation.team]
        beside = [aside for aside in self._asides if overlaps(aside.reservation, reservation)]
        unused = self._unused(reservation, account, beside)
        each = reservation.resources.amounts()
        pieces = min(-(-unused[name] // amount) for name, amount in each)
        taken: dict[NodeId, Amounts] = {}
        for aside in beside:
            for node, amounts in aside.amounts.items():
                add_amounts(taken.setdefault(node, {}), amounts)
        chosen, missing = self._choose(each, pieces, taken)
        missing = max(missing, pieces - _most_under_limits(account, each))
        laid = {node: {name: amount * count for name, amount in each} for node, count in chosen.items()}
        return Aside(reservation, account, unused, pieces, missing, laid)

    def _unused(self, reservation: Reservation, account: Account, beside: Iterable[Aside]) -> Amounts:
        """Return what the team does not use yet: it uses what it holds above its guarantee, on no other one.

        No more than is promised: a limit that was lowered since may leave less.
        """
        guarantee = self._tree.guarantee(account.id)
        elsewhere: Amounts = {}
        for aside in beside:
            if account in aside.account.path:
                booked = dict(aside.reservation.total.amounts())
                add_amounts(elsewhere, {name: n - aside.unused[name] for name, n in booked.items()})
        unused: Amounts = {}
        for name, amount in reservation.total.amounts():
            used, promised = account.used.get(name, 0), guarantee.get(name, 0)
            left = min(amount, amount - (used - promised - elsewhere.get(name, 0)))
            if reservation.id in self._open:
                left = min(left, account.guarantee.get(name, 0) - max(used, promised))
            unused[name] = max(0, left)
        return unused

    def _choose(
        self, each: Pairs, pieces: int, taken: Mapping[NodeId, Amounts]
    ) -> tuple[Mapping[NodeId, int], int]:
        """Return pieces by node, and how many have no room yet.

        First where there is room, the tightest first, so that large room stays whole for others; then
        where it is being made or would be the soonest.
        """
        chosen: dict[NodeId, int] = {}
        missing = 0
        ways = (
            (self._has_now, self._pool.with_room_for(each)),
            (self._has_empty, chain(self.clearing, self._pool.emptiest(each))),
        )
        for has, order in ways:
            for node in islice(order, MOST_LOOKED_AT) if pieces else ():
                beside = taken.get(node, {})
                copies = min((has(node, name) - beside.get(name, 0)) // amount for name, amount in each)
                count = min(pieces, copies - chosen.get(node, 0))
                if count > 0:
                    chosen[node] = chosen.get(node, 0) + count
                    pieces -= count
                if not pieces:
                    break
            missing = missing or pieces
        return chosen, missing

    def _has_now(self, node: NodeId, name: AmountName) -> int:
        return self._pool.room_on(node).get(name, 0)

    def _has_empty(self, node: NodeId, name: AmountName) -> int:
        return self._pool.balance(node, name) + self._pool.used_on(node).get(name, 0)

    def open_asides(self, now: float) -> list[Aside]:
        """Return what is promised now and not used yet."""
        return [aside for aside in self.asides() if aside.pieces and self.opens_at(aside.reservation) <= now]

    def serves(self, account: Account, now: float) -> bool:
        """Say whether something is laid aside already for a team to use now."""
        return any(aside.account in account.path for aside in self.open_asides(now))

    def is_short(self, now: float) -> bool:
        """Say whether something that is promised now has no room yet."""
        return any(aside.missing for aside in self.open_asides(now))

    def has_owner(self, account: Account) -> bool:
        """Say whether something is booked for a team, or for one above it."""
        return any(aside.account in account.path for aside in self.asides())

    def laid_aside(self, now: float) -> Withheld:
        """Return what is promised now and not used yet, by node."""
        return _by_node(self.open_asides(now))

    # ---- who leaves it alone --------------------------------------------------------------------

    def withheld(self, ask: Ask, now: float) -> Withheld:
        """Return what one may not use, by node."""
        return self._view(frozenset(aside.reservation.id for aside in self.binding(ask, now)))

    def is_full(self, ask: Ask, total: Pairs, now: float) -> bool:
        """Say whether a limit that both share has no room for `total` beside what is booked under it."""
        for aside in self.binding(ask, now):
            for above in aside.account.path:
                if above.limit and above in ask.account.path and _lacks(above, total, aside.unused):
                    return True
        return False

    def binding(self, ask: Ask, now: float) -> list[Aside]:
        """Return what one must leave alone."""
        return [aside for aside in self.asides() if aside.pieces and self._binds(aside, ask, now)]

    def _binds(self, aside: Aside, ask: Ask, now: float) -> bool:
        booked = aside.reservation
        if aside.account in ask.account.path:
            return False
        if ask.limit is not None and now + ask.limit <= self.cleared_at(booked):
            return False
        opens_at = self.opens_at(booked)
        if now >= opens_at:
            return True
        if ask.standing is not Standing.BORROWS:
            return False
        return self._min_runtime is None or now + self._min_runtime > opens_at

    def _view(self, ids: frozenset[ReservationId]) -> Withheld:
        """Return, by node, the most that those hold at one moment."""
        view = self._views.get(ids)
        if view is None:
            asides = [aside for aside in self._asides if aside.reservation.id in ids]
            most: dict[NodeId, Amounts] = {}
            for first in asides:  # what is on at a time is the most when one of them begins
                at = first.reservation.starts_at
                _raise_to(most, _by_node([each for each in asides if is_on(each.reservation, at)]))
            view = self._views[ids] = most
        return view


def _most_under_limits(account: Account, each: Pairs) -> int:
    """Return how many pieces, the last maybe in part, the limits on a path have room for."""
    rooms = [
        -((above.used.get(name, 0) - above.limit[name]) // amount)
        for above in account.path
        for name, amount in each
        if name in above.limit
    ]
    return max(0, min(rooms, default=MOST_PIECES))


def _lacks(account: Account, total: Pairs, left: Mapping[AmountName, int]) -> bool:
    limit, used = account.limit, account.used
    return any(
        name in limit and name in left and used.get(name, 0) + left[name] + amount > limit[name]
        for name, amount in total
    )


def both(one: Withheld, other: Withheld) -> Withheld:
    """Return what is withheld by either."""
    if not one or not other:
        return one or other
    total = {node: dict(amounts) for node, amounts in one.items()}
    for node, amounts in other.items():
        add_amounts(total.setdefault(node, {}), amounts)
    return total


def _by_node(asides: Iterable[Aside]) -> Mapping[NodeId, Amounts]:
    total: dict[NodeId, Amounts] = {}
    for aside in asides:
        for node, amounts in aside.amounts.items():
            add_amounts(total.setdefault(node, {}), amounts)
    return total


def _raise_to(most: dict[NodeId, Amounts], other: Mapping[NodeId, Amounts]) -> None:
    for node, amounts in other.items():
        mine = most.setdefault(node, {})
        for name, amount in amounts.items():
            mine[name] = max(mine.get(name, 0), amount)
