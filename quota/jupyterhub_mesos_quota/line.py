"""Everything that waits: lanes by size, groups by team, and where each group stands now."""

from __future__ import annotations

from collections.abc import Iterator

from jupyterhub_mesos_quota.accounts import Account
from jupyterhub_mesos_quota.claims import Claims
from jupyterhub_mesos_quota.contest import Key, Place
from jupyterhub_mesos_quota.lanes import Group, Lane
from jupyterhub_mesos_quota.model import NodeId, Request, RequestId
from jupyterhub_mesos_quota.resources import AmountName, Resources
from jupyterhub_mesos_quota.rules import PlacementRule, tidy_rule
from jupyterhub_mesos_quota.sizes import Pairs, Size, size_of, stepped_limit
from jupyterhub_mesos_quota.tally import Tally
from jupyterhub_mesos_quota.usage import Standing, Usage

_LaneKey = tuple[Resources, int, PlacementRule | None, float | None]
"""A size in short: what a replica takes, how many, where they may stand, how long they may run."""
OrderKey = tuple[int, Key]
"""The class of the promise, then the key of the contests; smaller is sooner."""


def _key_of(size: Size) -> _LaneKey:
    return size.resources, size.replicas, size.rule, size.limit


def place_of(request: Request) -> Place:
    """Return the place of `request` within its group."""
    return Place(-request.priority, request.rank, request.id)


class WaitingLine:
    """Everything that waits under one team tree; a new tree needs a new line."""

    def __init__(self, usage: Usage, tally: Tally, *, has_ages: bool, tells_limits: bool = False) -> None:
        self.claims = Claims(usage)
        self.lanes: dict[_LaneKey, Lane] = {}
        # Lanes that may have room for one more, and where it may be; None where that is not known.
        self.hot: dict[Lane, dict[NodeId, None] | None] = {}
        self.version = 0  # grows when a request comes or goes
        self._has_ages = has_ages
        self._tells_limits = tells_limits  # how long one may run makes a size of its own
        self._usage = usage
        self._tally = tally
        self._group_of: dict[RequestId, Group] = {}
        self._groups: dict[Account, list[Group]] = {}
        self._seen = usage.changes.end
        self._rest_seen: dict[Account, dict[AmountName, int]] = {}

    def __len__(self) -> int:
        return len(self._group_of)

    def add(self, request: Request) -> Group:
        """Let `request` wait, at its own place."""
        self.version += 1
        account = self._usage.accounts[request.team]
        lane = self._lane(request)
        group = lane.groups.get(account)
        if group is None:
            group = Group(account, lane)
            lane.join(group)
            self._groups.setdefault(account, []).append(group)
        place = place_of(request)
        group.add(place)
        self._group_of[request.id] = group
        if group.head == place:
            self.stand(group)
        return group

    def remove(self, request: Request) -> None:
        """Take `request` out of the line."""
        self.version += 1
        group = self._group_of.pop(request.id)
        was_head = group.head
        group.remove(place_of(request))
        if not group:
            self._stand_at(group, None)
            self._drop(group)
        elif group.head != was_head:
            self._stand_at(group, group.standing)

    def size_for(self, request: Request, size: Size | None = None) -> Size:
        """Return the size that a request asks for, as this line tells them apart.

        `size` is that without a time limit, of a caller that knows it.
        """
        if size is not None and not self._tells_limits:
            return size
        return size_of(*self._key_for(request))

    def _key_for(self, request: Request) -> _LaneKey:
        rule, limit = request.rule, None
        if rule is not None:
            rule = tidy_rule(rule, request.replicas)
        if self._tells_limits and request.max_seconds is not None:
            limit = stepped_limit(request.max_seconds)
        return request.resources, request.replicas, rule, limit

    def _lane(self, request: Request) -> Lane:
        key = self._key_for(request)
        lane = self.lanes.get(key)
        if lane is None:
            lane = Lane(size_of(*key), self._usage, self._tally, has_ages=self._has_ages)
            self.lanes[key] = lane
            self.hot[lane] = None
        return lane

    def _drop(self, group: Group) -> None:
        account, lane = group.account, group.lane
        lane.leave(group)
        self._groups[account].remove(group)
        if not self._groups[account]:
            del self._groups[account]
        if not lane.groups:
            del self.lanes[_key_of(lane.size)]
            self.hot.pop(lane, None)

    def warm_ruled(self) -> None:
        """Say that lanes with a placement rule may have room: the nodes changed, and with them the zones."""
        self.hot.update(dict.fromkeys(lane for lane in self.lanes.values() if lane.size.rule is not None))

    # ---- where each group stands ----------------------------------------------------------------

    def stand(self, group: Group) -> None:
        """Find out anew where a group stands, and let its head compete there."""
        self._tally.entries += 1
        self._stand_at(group, self._usage.standing_of(group.account, group.lane.size.total))

    def _stand_at(self, group: Group, standing: Standing | None) -> None:
        group.lane.stand(group, standing)
        if self._usage.strategy.ranks_by_promise:
            self.claims.note(group, standing)

    def catch_up(self) -> None:
        """Look anew at the groups whose team, or a team above, was charged."""
        changes = self._usage.changes
        while self._seen != changes.end:
            changed = changes.since(self._seen)
            self._seen = changes.end
            if changed is None:
                for group in list(self.groups()):
                    self.stand(group)
            for account in dict.fromkeys([each for low in changed or () for each in low.path]):
                if account in self._groups or account.has_rest:
                    self._stand_all(account)

    def _stand_all(self, account: Account) -> None:
        for group in self._groups.get(account, ()):
            self._stand_anew(group)
        if account.has_rest:
            names = account.guarantee
            seen = self._rest_seen.get(account)
            now = self._rest_seen[account] = {name: account.slack(name) for name in names}
            if seen != now:
                for lane in self.lanes.values():
                    if seen is None or _is_felt(lane.size.total, seen, now):
                        self._stand_below(account, lane)

    def _stand_below(self, account: Account, lane: Lane) -> None:
        for group in list(lane.groups.values()):
            if account in group.account.path:
                self._stand_anew(group)

    def _stand_anew(self, group: Group) -> None:
        """Let a group stand where it stands now; its head is the same, so its lane renews the offers."""
        self._tally.entries += 1
        if self._usage.standing_of(group.account, group.lane.size.total) is not group.standing:
            self.stand(group)

    # ---- who waits ------------------------------------------------------------------------------

    def group_of(self, id_: RequestId) -> Group:
        """Return the group that a request waits in."""
        return self._group_of[id_]

    def lane_of(self, size: Size) -> Lane | None:
        """Return the lane of a size, or None where nobody waits for it."""
        return self.lanes.get(_key_of(size))

    def groups(self) -> Iterator[Group]:
        """Yield each group that somebody waits in."""
        return (group for lane in self.lanes.values() for group in lane.groups.values())

    def key(self, group: Group, place: Place) -> OrderKey:
        """Return the key that orders all that waits, as things stand now."""
        promise, shares = self._before_place(group)
        return promise, (*shares, place)

    def _before_place(self, group: Group) -> tuple[int, tuple[int, ...]]:
        """Return what orders a group: its promise, where that counts, and its shares."""
        usage = self._usage
        standing = usage.standing_of(group.account, group.lane.size.total)
        by_promise = usage.strategy.ranks_by_promise
        promise = int(standing) if by_promise else 0
        if not usage.strategy.is_by_share or (by_promise and standing is Standing.INSIDE):
            return promise, ()
        return promise, usage.shares(group.account)

    def ordered(self) -> list[RequestId]:
        """Return everything that waits, the next first, as shares stand now."""
        alike: dict[tuple[int, tuple[int, ...]], list[Place]] = {}
        for group in self.groups():
            alike.setdefault(self._before_place(group), []).extend(group)
        return [place.id for ahead in sorted(alike) for place in sorted(alike[ahead])]


def _is_felt(total: Pairs, before: dict[AmountName, int], after: dict[AmountName, int]) -> bool:
    """Say whether a rest that changed matters to a size: what is more than it asks for does not."""
    return any(min(amount, before.get(name, 0)) != min(amount, after.get(name, 0)) for name, amount in total)
