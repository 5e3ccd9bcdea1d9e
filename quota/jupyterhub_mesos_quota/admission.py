"""Whether a request may start now, if not what stands in its way, and who of all that waits is next.

1. On whose promise would it stand (its own guarantee, its family's, none)?
2. Do the rules of the tree allow it (limits; for who is not inside, the caps too)?
3. Is there room under shared limits beside the claims of those on a promise?
4. Is there room for all of its replicas on the nodes, beside what is laid aside for others?

`judge` answers the four for one; `pick` finds the first in order for whom all are
answered well, and touches only what changed since it was last asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from jupyterhub_mesos_quota.agenda import Agenda
from jupyterhub_mesos_quota.bookings import Ask, Bookings, both
from jupyterhub_mesos_quota.claims import Holds
from jupyterhub_mesos_quota.contest import Key, Place
from jupyterhub_mesos_quota.domains import Domains
from jupyterhub_mesos_quota.lanes import Group, Lane
from jupyterhub_mesos_quota.line import WaitingLine
from jupyterhub_mesos_quota.model import NodeId, Placement, Request, RequestId, Reservation, TeamId
from jupyterhub_mesos_quota.placement import Withheld
from jupyterhub_mesos_quota.policy import Policy
from jupyterhub_mesos_quota.preempt import Taker, is_in_the_way, kept_for_takers
from jupyterhub_mesos_quota.sizes import Size
from jupyterhub_mesos_quota.tally import Tally
from jupyterhub_mesos_quota.tree import Amounts, TeamTree
from jupyterhub_mesos_quota.usage import Hindrance, Standing, Usage

_ONE_BY_ONE: Final = tuple((standing,) for standing in Standing)
_ALL_TOGETHER: Final = (tuple(Standing),)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a question: `placements` where it may start, else what stands in its way."""

    standing: Standing
    hindrance: Hindrance | None = None
    rivals: tuple[TeamId, ...] = ()  # whose claims it must not pass
    booked: tuple[Reservation, ...] = ()  # what it would take the room of
    makes_way_for: tuple[TeamId, ...] = ()  # whose higher priority room is being made for
    placements: tuple[Placement, ...] | None = None


@dataclass(frozen=True, slots=True)
class Pick:
    """Who is next, and where it goes."""

    group: Group
    place: Place
    placements: tuple[Placement, ...]


class Admission:
    """The state that a decision looks at, beside the book of requests."""

    def __init__(
        self, tree: TeamTree, policy: Policy, requests: Mapping[RequestId, Request], agenda: Agenda
    ) -> None:
        self.policy = policy
        self._requests = requests
        self.tally = Tally()
        self.pool = Domains(self.tally)
        self.now = 0.0
        self._clearing: Mapping[NodeId, Amounts] = {}
        self.bookings = Bookings(agenda, policy, self.pool)
        self.plant(tree, tree, self.new_usage(tree))

    def new_usage(self, tree: TeamTree) -> Usage:
        """Return the counters of a tree under which nobody holds anything."""
        return Usage(tree, self.policy.strategy, self.policy.half_life_seconds)

    def plant(self, tree: TeamTree, promised: TeamTree, usage: Usage) -> None:
        """Put a tree in force, with what is booked on top of it, and its counters; nobody waits yet."""
        self.tree = promised
        self.usage = usage
        self.bookings.plant(tree, usage, self.now)
        self.line = WaitingLine(
            usage,
            self.tally,
            has_ages=self.policy.patience_seconds is not None,
            tells_limits=bool(self.bookings),
        )
        self._holds: Holds | None = None
        self._held_at: tuple[int, int, Group | None] | None = None
        self.takers: tuple[Taker, ...] = ()
        self._measured = -1
        self._sitting_out: list[Group] = []

    # ---- one ------------------------------------------------------------------------------------

    def advance(self, at: float) -> None:
        """Let time pass up to `at`; it never runs backwards."""
        self.now = max(self.now, at)
        self.usage.advance(self.now)

    def judge(self, team: TeamId, size: Size) -> Verdict:
        """Answer the four questions for a request of `team`, as things stand."""
        self.prepare()
        account = self.usage.accounts[team]
        standing = self.usage.standing_of(account, size.total)
        hindrance = self.usage.hindrance_of(account, size.total, self.pool.free)
        if hindrance is not None:
            return Verdict(standing, hindrance)
        lane = self.line.lane_of(size)
        group = None if lane is None else lane.groups.get(account)
        if standing is not Standing.INSIDE:
            rivals = self._claimants_under_limits(team, size)
            if rivals:
                return Verdict(standing, rivals=rivals)
        ask = Ask(account, standing, size.limit)
        placements = self._place_beside_holds(ask, size, lane, group)
        if placements is None and self.pool.place(size) is not None:
            return self._what_withholds(size, ask, group)
        return Verdict(standing, placements=placements)

    def _what_withholds(self, size: Size, ask: Ask, group: Group | None) -> Verdict:
        """Say for what the room is laid aside that there would be."""
        withheld = self._held_by_claims(ask, group)
        if withheld and self.pool.place(size, withheld) is None:
            held_by = {hold.group.account.id for hold in self.holds() if hold.group is not group}
            return Verdict(ask.standing, rivals=tuple(sorted(held_by)))
        booked = tuple(aside.reservation for aside in self.bookings.binding(ask, self.now))
        if booked and self._place_beside_booked(size, ask, withheld) is None:
            return Verdict(ask.standing, booked=booked)
        takers = {taker.group.account.id for taker in self.takers if taker.group is not group}
        return Verdict(ask.standing, makes_way_for=tuple(sorted(takers)))

    def _claimants_under_limits(self, team: TeamId, size: Size) -> tuple[TeamId, ...]:
        full = [above for above in self.usage.accounts[team].path if above.is_claimed(size.total)]
        return tuple(
            sorted(
                {
                    group.account.id
                    for group in self.line.claims.of(Standing.INSIDE)
                    if any(above in group.account.path for above in full)
                    and not group.lane.size.names.isdisjoint(size.names)
                }
            )
        )

    # ---- all ------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Bring what is derived from the counters and the nodes up to date."""
        if self._measured != self.pool.version:
            self._measured = self.pool.version
            self.usage.measure_against(self.pool.capacity)
            self.line.warm_ruled()
        self.line.catch_up()
        if self.pool.loosened:
            for lane in self.line.lanes.values():
                self._warm(lane)
            self.pool.loosened.clear()

    def _warm(self, lane: Lane) -> None:
        """Note where a lane may have found room; a gang may have found it with other nodes together."""
        self.tally.entries += 1
        where = self.line.hot.get(lane, {})
        if where is None:
            return
        found = [node for node in self.pool.loosened if self.pool.fits_on(node, lane.size.each)]
        if found:
            self.line.hot[lane] = None if lane.size.replicas > 1 else {**where, **dict.fromkeys(found)}

    def _is_hot(self, lane: Lane) -> bool:
        """Say whether a lane may have room still."""
        where = self.line.hot[lane]
        if where is None:
            return True
        while where:
            node = next(iter(where))
            self.tally.entries += 1
            if self.pool.fits_on(node, lane.size.each):
                return True
            del where[node]
        return False

    def pick(self) -> Pick | None:
        """Return who is next of those that may start now, or None where nobody may."""
        self.prepare()
        passed: set[tuple[Lane, Standing]] = set()
        owners: list[Group] = []  # of holds, in lanes that were passed
        while (found := self._first(passed, owners)) is not None:
            group, standing = found
            is_owner = group in owners
            if is_owner:
                owners.remove(group)
            placements = self._room_for(group, standing)
            if placements is not None and group.head is not None:
                return Pick(group, group.head, placements)
            if not is_owner and group.lane in self.line.hot and group.standing is not None:
                passed.add((group.lane, standing))
                owners += self._owners_in(group.lane, standing, but=group)
        return None

    def _first(
        self, passed: set[tuple[Lane, Standing]], owners: list[Group]
    ) -> tuple[Group, Standing] | None:
        """Return the first in order of the lanes that may have room, and of the owners of holds."""
        if not self.line.hot and not owners:
            return None
        lanes = self._hot_lanes()
        by_promise = self.policy.strategy.ranks_by_promise
        for standings in _ONE_BY_ONE if by_promise else _ALL_TOGETHER:
            best = self._first_in(lanes, standings, passed)
            for group in owners:
                if group.head is not None and group.standing is not None and group.standing in standings:
                    entry = self.line.key(group, group.head)[1], group.standing
                    if best is None or entry < best:
                        best = entry
            if best is not None:
                return self.line.group_of(_place(best[0]).id), best[1]
        return None

    def _first_in(
        self, lanes: list[Lane], standings: tuple[Standing, ...], passed: set[tuple[Lane, Standing]]
    ) -> tuple[Key, Standing] | None:
        best: tuple[Key, Standing] | None = None
        for lane in lanes:
            for standing in standings:
                contest = lane.contests[standing]
                key = contest.first_key() if contest.groups else None
                if key is None or (passed and (lane, standing) in passed):
                    continue
                if best is None or key < best[0]:
                    best = key, standing
        return best

    def _hot_lanes(self) -> list[Lane]:
        """Return the lanes that may have room, and forget those that have none."""
        hot = self.line.hot
        for lane in [lane for lane in hot if not self._is_hot(lane)]:
            del hot[lane]
        return list(hot)

    def rest(self) -> None:
        """Say that nobody may start now: whoever sat out competes again from here on."""
        for group in self._sitting_out:
            if group:
                self.line.stand(group)
        self._sitting_out.clear()

    def _room_for(self, group: Group, standing: Standing) -> tuple[Placement, ...] | None:
        """Return where the head of a group may go; note what is learnt where it may not."""
        size = group.lane.size
        ask = Ask(group.account, standing, size.limit)
        placements = self._place_beside_holds(ask, size, group.lane, group)
        if placements is None:
            if self.pool.place(size) is None:
                self.line.hot.pop(group.lane, None)
            return None
        if standing is not Standing.INSIDE and self.usage.has_lend_caps:
            hindrance = self.usage.over_lend_cap(group.account, size.total, self.pool.free)
            if hindrance is not None:
                self._sitting_out.append(group)
                group.lane.sit_out(group)
                return None
        return placements

    def _place_beside_holds(
        self, ask: Ask, size: Size, lane: Lane | None, group: Group | None
    ) -> tuple[Placement, ...] | None:
        """Find room; what is laid aside is looked up only where there is room that it may spoil."""
        if lane is not None and lane not in self.line.hot:
            return None
        where = None if lane is None else self.line.hot[lane]
        placements = self.pool.place(size, where=where)
        if placements is None:
            return None
        withheld = self._held_by_claims(ask, group)
        if self.takers:
            if is_in_the_way(self.takers, ask.account, size.total, group):
                return None
            withheld = both(withheld, kept_for_takers(self.takers, group))
        if self.bookings:
            return self._place_beside_booked(size, ask, withheld)
        return placements if not withheld else self.pool.place(size, withheld, where)

    def _held_by_claims(self, ask: Ask, group: Group | None) -> Withheld:
        if ask.standing is Standing.INSIDE or not self.may_hold:
            return {}
        return self.holds().withheld(ask.standing, group)

    def _place_beside_booked(self, size: Size, ask: Ask, withheld: Withheld) -> tuple[Placement, ...] | None:
        if self.bookings.is_full(ask, size.total, self.now):
            return None
        withheld = both(withheld, self.bookings.withheld(ask, self.now))
        return self.pool.place(size, withheld) if withheld else self.pool.place(size)

    def withheld_from(self, group: Group) -> Withheld:
        """Return what is laid aside for claims and bookings, and not for a group."""
        size, account = group.lane.size, group.account
        ask = Ask(account, self.usage.standing_of(account, size.total), size.limit)
        withheld = self._held_by_claims(ask, group)
        return both(withheld, self.bookings.withheld(ask, self.now)) if self.bookings else withheld

    @property
    def may_hold(self) -> bool:
        """Whether room may be laid aside for somebody."""
        return bool(self.line.claims) or self.policy.patience_seconds is not None

    def _owners_in(self, lane: Lane, standing: Standing, but: Group) -> list[Group]:
        """Return the groups of a lane that have a hold or a booking, and that no rule of the tree stops."""
        owners = {hold.group: None for hold in self.holds() if hold.group.lane is lane}
        if self.bookings:
            owners |= {each: None for each in lane.groups.values() if self.bookings.has_owner(each.account)}
        owners |= {taker.group: None for taker in self.takers if taker.group.lane is lane}
        return [
            group
            for group in owners
            if group is not but and group.standing is standing and self._is_free_to_go(group)
        ]

    def _is_free_to_go(self, group: Group) -> bool:
        account, total = group.account, group.lane.size.total
        if self.usage.hindrance_of(account, total, self.pool.free) is not None:
            return False
        return group.standing is Standing.INSIDE or not any(above.is_claimed(total) for above in account.path)

    # ---- holds ----------------------------------------------------------------------------------

    def holds(self) -> Holds:
        """Return what is laid aside now."""
        starved = self._starved()
        stamp = self.pool.moves, self.line.claims.version, starved
        if self._holds is None or self._held_at != stamp:
            booked: Withheld = self.bookings.laid_aside(self.now) if self.bookings else {}
            self._holds = Holds(self.pool, self._wanted(starved), self._clearing, booked)
            self._held_at = stamp
        return self._holds

    def clear(
        self,
        clearing: Mapping[NodeId, Amounts],
        booked: tuple[NodeId, ...] = (),
        takers: tuple[Taker, ...] = (),
    ) -> bool:
        """Say where room is being made, where for what is booked, and for whom by priority.

        Returns whether that is otherwise than before.
        """
        if (clearing, booked, takers) == (self._clearing, self.bookings.clearing, self.takers):
            return False
        self._clearing = clearing
        self.bookings.clearing = booked
        self.takers = takers
        self._holds = None
        return True

    def _wanted(self, starved: Group | None) -> Iterator[tuple[Group, Standing]]:
        claims = chain(self.line.claims.of(Standing.INSIDE), self.line.claims.of(Standing.FAMILY))
        for group in islice(filter(self._needs_nodes, claims), self.policy.most_holds):
            yield group, group.standing or Standing.INSIDE
        if starved is not None:
            yield starved, Standing.BORROWS

    def _needs_nodes(self, group: Group) -> bool:
        """Say whether nodes are what a group waits for: no room laid aside helps against a rule."""
        size = group.lane.size
        if not self.pool.could_ever_hold(size):
            return False
        if self.bookings and self.bookings.serves(group.account, self.now):
            return False  # what is laid aside for what is booked gathers for it too
        if any(taker.group is group for taker in self.takers):
            return False
        return self.usage.hindrance_of(group.account, size.total, self.pool.free) is None

    def _starved(self) -> Group | None:
        """Return who of those that borrow has waited for longest, where that is beyond the patience."""
        patience = self.policy.patience_seconds
        if patience is None:
            return None
        found: tuple[Place, Group] | None = None
        for lane in self.line.lanes.values():
            key = None if lane.ages is None else lane.ages.first_key()
            if key is not None and (found is None or _place(key) < found[0]):
                group = self.line.group_of(_place(key).id)
                if self._needs_nodes(group):
                    found = _place(key), group
        if found is None or self.now - self._requests[found[0].id].submitted_at < patience:
            return None
        return found[1]


def _place(key: Key) -> Place:
    place = key[-1]
    assert isinstance(place, Place)  # noqa: S101 - keys end with a place
    return place
