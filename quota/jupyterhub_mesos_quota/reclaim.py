"""What is taken, and for what: for what is booked, for who waits inside a guarantee, for a higher priority.

1. What is being stopped already is counted as free, and so is what ends by itself before a booking begins.
2. For each reservation that is open, the next to begin first, room is made for all that it
   does not use yet, as far as it can be.
3. For each request that waits inside its guarantee, in order: if it would start
   then, nothing more is taken for it. Else the least harmful allocations that make room for it,
   under limits and on nodes, are looked for among those of teams above their guarantee, the furthest
   above first.
4. For who waits with a higher priority than something that runs of its own team, in order, the same is
   looked for among that.
5. What turns out not to be needed is given back, the most harmful first. Where the room of a
   request could not be made whole, nothing is taken for it at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from jupyterhub_mesos_quota.accounts import Account
from jupyterhub_mesos_quota.admission import Admission
from jupyterhub_mesos_quota.bookings import Aside
from jupyterhub_mesos_quota.events import StopReason
from jupyterhub_mesos_quota.lanes import Group
from jupyterhub_mesos_quota.model import (
    Allocation,
    AllocationId,
    AllocationState,
    NodeId,
    Request,
    RequestId,
    TeamId,
)
from jupyterhub_mesos_quota.moments import tell_moment
from jupyterhub_mesos_quota.moves import DRAINABLE_STATES
from jupyterhub_mesos_quota.offers import OfferBook
from jupyterhub_mesos_quota.outlook import Outlook
from jupyterhub_mesos_quota.placement import Withheld
from jupyterhub_mesos_quota.policy import Policy, Preempt, Reclaim
from jupyterhub_mesos_quota.preempt import Taker, home
from jupyterhub_mesos_quota.rights import Booked, ByPriority, Elder, LentOut, Over, Ripeness
from jupyterhub_mesos_quota.room import RoomMaker
from jupyterhub_mesos_quota.tree import Amounts, add_amounts
from jupyterhub_mesos_quota.usage import Standing

MOST_SERVED: Final = 32
"""Requests that one plan makes room for: the next plan, an event later, goes on."""
MOST_PRIORITY: Final = 1 << 62
"""A higher priority than anything has."""
NO_RECLAIM: Final = Reclaim()
NO_PREEMPT: Final = Preempt()


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
    takers: tuple[Taker, ...] = ()  # whom it serves by priority


class Planner:
    """One plan; what is supposed of the future is in its outlook."""

    def __init__(
        self,
        admission: Admission,
        requests: Mapping[RequestId, Request],
        live: Iterable[Allocation],
        offers: OfferBook,
        policy: Policy,
    ) -> None:
        self._admission = admission
        self._requests = requests
        self._preempt = policy.preempt
        self._reclaim = policy.reclaim or NO_RECLAIM
        self._ripeness = Ripeness(admission.now, self._reclaim.min_runtime_seconds)
        self._ripe_for_priority = Ripeness(admission.now, (policy.preempt or NO_PREEMPT).min_runtime_seconds)
        self._takes_back = policy.reclaim is not None
        self._victims: dict[AllocationId, Purpose] = {}
        self._takers: list[Taker] = []
        self._served: set[Group] = set()
        self._promoted: set[Group] = set()
        self._look_again_at: float | None = None
        ending: list[Allocation] = []
        offered: list[Allocation] = []
        horizon = self._horizon()
        for allocation in live:
            if allocation.state is AllocationState.STOPPING:
                ending.append(allocation)
            elif allocation.state not in DRAINABLE_STATES or requests[allocation.request_id].is_ending:
                continue
            elif allocation.ends_at is not None and horizon is not None and allocation.ends_at <= horizon:
                ending.append(allocation)
                self._look_again_at = horizon
            else:
                offered.append(allocation)
        self._lowest = self._lowest_by_home([*offered, *ending]) if policy.preempt else {}
        accounts = admission.usage.accounts
        self._freeing = {home(accounts[allocation.team]) for allocation in ending}
        offers.update(offered)
        self._maker = RoomMaker(admission, offers)
        for allocation in ending:
            self._maker.outlook.end(allocation)

    def _horizon(self) -> float | None:
        """Return up to when what ends by itself is let be: when the last that opened is to be clear."""
        bookings, now = self._admission.bookings, self._admission.now
        times = [bookings.cleared_at(aside.reservation) for aside in bookings.open_asides(now)]
        return max((time for time in times if time > now), default=None)

    def plan(self) -> Plan:
        """Make room for what is booked, then for those who wait inside their guarantee."""
        kept = {taker.group: taker.is_inside for taker in self._admission.takers}
        is_whole = not self._takes_back or self._keep_all()
        self._promote_all(group for group, is_inside in kept.items() if is_inside)
        is_whole &= not self._takes_back or self._serve_all()
        self._promote_all(kept)
        self._promote_all(self._admission.line.groups())
        times = (
            self._look_again_at,
            None if is_whole else self._ripeness.look_again_at,
            self._ripe_for_priority.look_again_at,
        )
        again = min((time for time in times if time is not None), default=None)
        return Plan(self._victims, again, is_whole, tuple(self._takers))

    def _keep_all(self) -> bool:
        asides = self._admission.bookings.open_asides(self._admission.now)
        kept = [self._keep(aside) for aside in asides]
        return all(kept)

    def _serve_all(self) -> bool:
        unserved: Group | None = None
        for group in self._waiting():
            is_left = group is not unserved and group not in self._promoted
            if is_left and not self._serve(group):
                unserved = group  # nothing changed for the next of the same
        return unserved is None

    # ---- what is booked -------------------------------------------------------------------------

    def _keep(self, aside: Aside) -> bool:
        """Make room for what is left of a reservation; say whether all of it has room."""
        bookings, reservation = self._admission.bookings, aside.reservation
        over = self._over_at_begin(aside)
        accounts, outlook = self._admission.usage.accounts, self._maker.outlook
        right = Booked(outlook, accounts, self._ripeness, aside.account, over)
        victims, count = self._maker.make_most(aside, right)
        begins = tell_moment(reservation.starts_at)
        purpose = Purpose(
            StopReason.RESERVED,
            f"team {reservation.team} has booked its room from {begins}",
            self._reclaim.grace_seconds,
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
        made = self._maker.make(account, size, right)
        if made is None:
            return False
        self._victims.update(dict.fromkeys(made.victims, self._given_back_to(account.id)))
        self._served.add(group)
        return True

    def _given_back_to(self, team: TeamId) -> Purpose:
        why = f"team {team} takes its guarantee back"
        return Purpose(StopReason.RECLAIMED, why, self._reclaim.grace_seconds)

    # ---- a higher priority of the same home -----------------------------------------------------

    def _promote_all(self, groups: Iterable[Group]) -> None:
        """Make room for who waits with a higher priority than something that runs of its own home.

        For whom it was being made already it goes on being made, before others are looked at.
        """
        if self._preempt is None:
            return
        able = [
            (group.head, group.account.number, group)
            for group in groups
            if group.head is not None
            and group not in self._served
            and -group.head.minus_priority > self._lowest.get(home(group.account), MOST_PRIORITY)
        ]
        for head, _, group in sorted(able, key=lambda entry: entry[:2])[:MOST_SERVED]:
            self._promote(group, -head.minus_priority, self._preempt)

    def _lowest_by_home(self, running: Iterable[Allocation]) -> dict[Account, int]:
        lowest: dict[Account, int] = {}
        for allocation in running:
            mine = home(self._admission.usage.accounts[allocation.team])
            priority = self._requests[allocation.request_id].priority
            lowest[mine] = min(priority, lowest.get(mine, priority))
        return lowest

    def _promote(self, group: Group, priority: int, preempt: Preempt) -> None:
        account, size, outlook = group.account, group.lane.size, self._maker.outlook
        kin = [(each.account, each.lane.size.total) for each in self._kin_of(group)]
        claims = self._admission.line.claims
        insiders_wait = _has_others(group, claims.of(Standing.INSIDE))
        others_wait = _has_others(group, chain(claims.of(Standing.FAMILY), self._starved()))
        taker = ByPriority(account, priority, insiders_wait, others_wait, kin)
        right = Elder(self._admission, outlook, self._ripe_for_priority, taker, self._requests)
        mine = {node for taker in self._admission.takers if taker.group is group for node in taker.amounts}
        withheld = {  # what was laid aside for it already stays its own
            node: amounts
            for node, amounts in self._admission.withheld_from(group).items()
            if node not in mine
        }
        _lay(outlook, withheld, -1)
        made = self._maker.make(account, size, right)
        _lay(outlook, withheld, +1)
        if made is None:
            return
        self._served.add(group)
        if not (made.victims or home(account) in self._freeing):
            return  # what comes of itself is for whoever is next
        why = f"a request of team {account.id} with a higher priority takes its place"
        purpose = Purpose(StopReason.PREEMPTED, why, preempt.grace_seconds)
        self._victims.update(dict.fromkeys(made.victims, purpose))
        amounts: dict[NodeId, Amounts] = {}
        for node in made.placed:
            add_amounts(amounts.setdefault(node, {}), dict(size.each))
        self._takers.append(Taker(group, amounts, outlook.is_within(account)))
        self._promoted.add(group)

    def _kin_of(self, group: Group) -> list[Group]:
        mine = home(group.account)
        groups = self._admission.line.groups()
        return [each for each in groups if each is not group and home(each.account) is mine]

    def _starved(self) -> Iterator[Group]:
        return (hold.group for hold in self._admission.holds() if hold.standing is Standing.BORROWS)


def _has_others(group: Group, groups: Iterable[Group]) -> bool:
    return any(each is not group for each in groups)


def _lay(outlook: Outlook, withheld: Withheld, sign: int) -> None:
    """Suppose that what is withheld on nodes is not there; with `sign` +1 that it is after all."""
    for node, amounts in withheld.items():
        outlook.give(node, tuple(amounts.items()), sign)
