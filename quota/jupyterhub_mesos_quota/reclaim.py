"""What is taken back, and for what: room for what is booked and for those who wait inside their guarantee.

1. What is being stopped already is counted as free, and so is what ends by itself before a booking begins.
2. For each reservation that is open, the next to begin first, room is made for all that it
   does not use yet, as far as it can be.
3. For each request that waits inside its guarantee, in order: if it would start
   then, nothing more is taken for it. Else the least harmful allocations that make room for it,
   under limits and on nodes, are looked for among those of teams above their guarantee.
4. What turns out not to be needed is given back, the most harmful first. Where the room of a
   request could not be made whole, nothing is taken for it at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from jupyterhub_mesos_quota.admission import Admission
from jupyterhub_mesos_quota.bookings import Aside
from jupyterhub_mesos_quota.events import StopReason
from jupyterhub_mesos_quota.lanes import Group
from jupyterhub_mesos_quota.model import (
    Allocation,
    AllocationId,
    AllocationState,
    Facts,
    Request,
    RequestId,
    TeamId,
)
from jupyterhub_mesos_quota.moments import tell_moment
from jupyterhub_mesos_quota.moves import DRAINABLE_STATES
from jupyterhub_mesos_quota.policy import Reclaim
from jupyterhub_mesos_quota.rights import Booked, LentOut, Over, Ripeness
from jupyterhub_mesos_quota.room import RoomMaker
from jupyterhub_mesos_quota.sizes import size_of
from jupyterhub_mesos_quota.usage import Standing

MOST_SERVED: Final = 32
"""Requests that one plan makes room for: the next plan, an event later, goes on."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """What an allocation ends for, in a person's words too; it is stopped `not_before` a moment."""

    reason: StopReason
    why: str
    grace_seconds: float
    not_before: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Which allocations end, each with what for, and when time alone changes the plan."""

    victims: Mapping[AllocationId, Purpose] = field(default_factory=dict[AllocationId, Purpose])
    look_again_at: float | None = None
    is_whole: bool = True  # everybody who waits inside, and all that is booked, is served by it


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
        self._policy = policy
        self._ripeness = Ripeness(admission.now, policy.min_runtime_seconds)
        self._victims: dict[AllocationId, Purpose] = {}
        self._look_again_at: float | None = None
        ending: list[Allocation] = []
        offered: list[Allocation] = []
        horizon = self._horizon()
        for allocation in live:
            if allocation.state is AllocationState.STOPPING:
                ending.append(allocation)
            elif allocation.ends_at is not None and allocation.ends_at <= horizon:
                ending.append(allocation)
                self._look_again_at = horizon
            elif allocation.state in DRAINABLE_STATES and not requests[allocation.request_id].is_ending:
                offered.append(allocation)
        self._maker = RoomMaker(admission, offered, facts)
        for allocation in ending:
            self._maker.outlook.end(allocation)

    def _horizon(self) -> float:
        """Return up to when what ends by itself is let be: when the last that opened is to be clear."""
        bookings, now = self._admission.bookings, self._admission.now
        times = [bookings.cleared_at(aside.reservation) for aside in bookings.open_asides(now)]
        return max((time for time in times if time > now), default=now)

    def plan(self) -> Plan:
        """Make room for what is booked, then for those who wait inside their guarantee."""
        is_whole = True
        for aside in self._admission.bookings.open_asides(self._admission.now):
            is_whole &= self._keep(aside)
        for group in self._waiting():
            is_whole &= self._serve(group)
        times = [self._look_again_at, None if is_whole else self._ripeness.look_again_at]
        again = min((time for time in times if time is not None), default=None)
        return Plan(self._victims, again, is_whole)

    # ---- what is booked -------------------------------------------------------------------------

    def _keep(self, aside: Aside) -> bool:
        """Make room for what is left of a reservation; say whether all of it has room."""
        bookings, reservation = self._admission.bookings, aside.reservation
        over = self._over_at_begin(aside)
        accounts, outlook = self._admission.usage.accounts, self._maker.outlook
        right = Booked(outlook, accounts, self._ripeness, aside.account, over)
        size = size_of(reservation.resources, aside.pieces)
        victims, count = self._maker.make_most(aside.account, size, right, aside.copies)
        begins = tell_moment(reservation.starts_at)
        purpose = Purpose(
            StopReason.RESERVED,
            f"team {reservation.team} has booked its room from {begins}",
            self._policy.grace_seconds,
            bookings.cleared_at(reservation),
        )
        self._victims.update(dict.fromkeys(victims, purpose))
        return count == aside.pieces

    def _over_at_begin(self, aside: Aside) -> Over:
        """Return how far a team would stand above what it is promised when a reservation begins."""
        outlook = self._maker.outlook
        begins = max(aside.reservation.starts_at, self._admission.now)
        promised = self._admission.bookings.promised_at(begins)
        return lambda account, name: outlook.used(account, name) - promised.guarantee(account.id).get(name, 0)

    # ---- one request after the other ------------------------------------------------------------

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
        account, size, outlook = group.account, group.lane.size, self._maker.outlook
        if not outlook.is_inside(account, size.total):
            return True  # with those before it, it stands inside no more
        right = LentOut(self._admission, outlook, self._ripeness, account)
        victims = self._maker.make(account, size, right)
        if victims is None:
            return False
        self._victims.update(dict.fromkeys(victims, self._given_back_to(account.id)))
        return True

    def _given_back_to(self, team: TeamId) -> Purpose:
        why = f"team {team} takes its guarantee back"
        return Purpose(StopReason.RECLAIMED, why, self._policy.grace_seconds)
