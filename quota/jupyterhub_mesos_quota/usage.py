"""What every team holds, counted up the tree as allocations come and go, and what follows for the next.

Three counters per team and amount, each changed on one path to the root:

- *used*: what the subtree's allocations hold.
- *committed*: what the team's own allocations hold and its children claim; a
  child claims its guarantee, or what it is committed to where that is more.
- *kept*: the same with the part of a guarantee that may not be lent instead of the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from fractions import Fraction

from jupyterhub_mesos_quota.model import TeamId
from jupyterhub_mesos_quota.resources import AmountName, Bound, Resources, Unlimited
from jupyterhub_mesos_quota.tree import Amounts, TeamTree, add_amounts


class Standing(IntEnum):
    """Whose promise a request stands on; a smaller one goes first."""

    INSIDE = 0  # inside its team's own guarantee
    FAMILY = 1  # above it, inside what a team above is guaranteed and has not promised on
    BORROWS = 2  # above every guarantee on its path


class Rule(StrEnum):
    """The rule of the tree that forbids a grant for now."""

    TEAM_LIMIT = "team-limit"
    PARENT_LIMIT = "parent-limit"
    BORROW_CAP = "borrow-cap"
    LEND_CAP = "lend-cap"


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Which rule forbids a grant, at which team, and by how much.

    `room` is how much of the amount `name` the rule leaves, `asked` what is asked for.
    """

    rule: Rule
    team: TeamId
    name: AmountName
    asked: int
    room: int
    bound: int


class Usage:
    """The counters of one tree; `free` in `hindrance` is the cluster's."""

    def __init__(self, tree: TeamTree) -> None:
        self._tree = tree
        self.total: Amounts = {}
        self._used: dict[TeamId, Amounts] = {team: {} for team in tree}
        self._committed: dict[TeamId, Amounts] = {team: {} for team in tree}
        self._kept: dict[TeamId, Amounts] = {team: {} for team in tree}
        self._unlendable = {team: _unlendable(tree, team) for team in tree}
        self._kept_in_all: Amounts = {}
        self.version = 0
        for team in tree.upwards():
            self._lay_floors(team)

    def _lay_floors(self, team: TeamId) -> None:
        parent = self._tree[team].parent
        kept = {
            name: max(self._unlendable[team].get(name, 0), self._kept[team].get(name, 0))
            for name in self._tree.guarantee(team)
        }
        add_amounts(self._kept_in_all if parent is None else self._kept[parent], kept)
        if parent is not None:
            add_amounts(self._committed[parent], self._tree.guarantee(team))

    def charge(self, team: TeamId, resources: Resources) -> None:
        """Add what an allocation of `team` holds; a negative amount takes it away."""
        self.version += 1
        for name, amount in resources.amounts():
            add_amounts(self.total, {name: amount})
            for above in self._tree.path(team):
                add_amounts(self._used[above], {name: amount})
            for above, before, delta in self._climb_committed(team, name, amount):
                self._committed[above][name] = before + delta
            for keeper, before, delta in self._climb_kept(team, name, amount):
                kept = self._kept_in_all if keeper is None else self._kept[keeper]
                kept[name] = before + delta

    def counters(self) -> Mapping[tuple[str, TeamId | None], Amounts]:
        """Return every counter that is not zero, for a recount to be compared with."""
        every: dict[tuple[str, TeamId | None], Amounts] = {
            ("total", None): self.total,
            ("kept", None): self._kept_in_all,
        }
        groups = (("used", self._used), ("committed", self._committed), ("kept", self._kept))
        for word, counters in groups:
            every.update({(word, team): amounts for team, amounts in counters.items()})
        return {key: {name: n for name, n in amounts.items() if n} for key, amounts in every.items()}

    def used(self, team: TeamId) -> Mapping[AmountName, int]:
        """Return what the subtree of `team` holds."""
        return self._used[team]

    def borrowed(self, team: TeamId) -> Amounts:
        """Return what the subtree of `team` holds above its guarantee."""
        guarantee = self._tree.guarantee(team)
        above = {name: amount - guarantee.get(name, 0) for name, amount in self._used[team].items()}
        return {name: amount for name, amount in above.items() if amount > 0}

    def would_borrow(self, team: TeamId, asked: Resources) -> Amounts:
        """Return how much of `asked` would stand above the team's own guarantee."""
        guarantee, committed = self._tree.guarantee(team), self._committed[team]
        above: Amounts = {}
        for name, amount in asked.amounts():
            over = committed.get(name, 0) + amount - guarantee.get(name, 0)
            if over > 0:
                above[name] = min(amount, over)
        return above

    def standing(self, team: TeamId, asked: Resources) -> Standing:
        """Say whose promise `asked` would stand on; an amount on the weakest promise decides."""
        return max(
            (self._standing_of(team, name, amount) for name, amount in asked.amounts()),
            default=Standing.INSIDE,
        )

    def _standing_of(self, team: TeamId, name: AmountName, amount: int) -> Standing:
        for above, before, delta in self._climb_committed(team, name, amount):
            if before + delta <= self._tree.guarantee(above).get(name, 0):
                return Standing.INSIDE if above == team else Standing.FAMILY
        return Standing.BORROWS

    def hindrance(self, team: TeamId, asked: Resources, free: Mapping[AmountName, int]) -> Hindrance | None:
        """Return the first rule that forbids to give `asked` now: limits, then caps for a borrower."""
        limit = self._over_limit(team, asked)
        if limit is not None or self.standing(team, asked) is Standing.INSIDE:
            return limit
        return self._over_borrow_cap(team, asked) or self._over_lend_cap(team, asked, free)

    def _over_limit(self, team: TeamId, asked: Resources) -> Hindrance | None:
        for above in self._tree.path(team):
            limits = self._tree[above].limit
            for name, amount in asked.amounts():
                bound, used = limits.get(name), self._used[above].get(name, 0)
                if exceeds(used + amount, bound):
                    rule = Rule.TEAM_LIMIT if above == team else Rule.PARENT_LIMIT
                    return _hindrance(rule, above, name, amount, used, bound)
        return None

    def _over_borrow_cap(self, team: TeamId, asked: Resources) -> Hindrance | None:
        for above in self._tree.path(team):
            caps = self._tree[above].borrow
            for name, amount in asked.amounts():
                over = self._used[above].get(name, 0) - self._tree.guarantee(above).get(name, 0)
                if over + amount > 0 and exceeds(over + amount, caps.get(name)):
                    return _hindrance(Rule.BORROW_CAP, above, name, amount, over, caps.get(name))
        return None

    def _over_lend_cap(
        self, team: TeamId, asked: Resources, free: Mapping[AmountName, int]
    ) -> Hindrance | None:
        for name, amount in asked.amounts():
            for above, before, delta in self._climb_kept(team, name, amount):
                if delta == 0:
                    continue
                if above is None:
                    # What the nodes have free must still hold what the lenders keep for themselves.
                    idle = before + delta - self.total.get(name, 0) - amount
                    room = free.get(name, 0) - amount - idle
                    if idle > 0 and room < 0:
                        lender = self._keeper(team, name)
                        return Hindrance(Rule.LEND_CAP, lender, name, amount, max(0, room + amount), idle)
                elif exceeds(before + delta, bound := self._tree[above].limit.get(name)):
                    lender = self._keeper(team, name)
                    return _hindrance(Rule.LEND_CAP, lender, name, amount, before, bound)
        return None

    def _keeper(self, team: TeamId, name: AmountName) -> TeamId:
        """Return the other team that keeps most of the amount for itself."""
        others = [other for other in self._tree if other not in self._tree.path(team)] or list(self._tree)
        return max(
            others, key=lambda other: self._unlendable[other].get(name, 0) - self._own_idle(other, name)
        )

    def _own_idle(self, team: TeamId, name: AmountName) -> int:
        return min(self._used[team].get(name, 0), self._unlendable[team].get(name, 0))

    def shares(self, team: TeamId, capacity: Mapping[AmountName, int]) -> tuple[Fraction, ...]:
        """Return the weighted dominant share above the guarantee of each team on the path, the root first.

        After dominant resource fairness (Ghodsi et al., NSDI 2011), as Kueue applies it to cohorts:
        siblings are compared with each other, at the highest place where their paths part.
        """
        return tuple(self.share(above, capacity) for above in reversed(self._tree.path(team)))

    def share(self, team: TeamId, capacity: Mapping[AmountName, int]) -> Fraction:
        """Return the largest part of the cluster that the team borrows, divided by its weight."""
        parts = (
            Fraction(amount, max(1, capacity.get(name, 0))) for name, amount in self.borrowed(team).items()
        )
        return max(parts, default=Fraction(0)) / self._tree[team].weight

    def _climb_committed(
        self, team: TeamId, name: AmountName, delta: int
    ) -> Iterator[tuple[TeamId, int, int]]:
        """Yield `(team, before, delta)` up the path, as far as a change by `delta` is felt."""
        for above in self._tree.path(team):
            before = self._committed[above].get(name, 0)
            yield above, before, delta
            floor = self._tree.guarantee(above).get(name, 0)
            delta = max(floor, before + delta) - max(floor, before)
            if delta == 0:
                return

    def _climb_kept(
        self, team: TeamId, name: AmountName, delta: int
    ) -> Iterator[tuple[TeamId | None, int, int]]:
        """Do the same for what is kept; the cluster comes last, as `None`."""
        for above in self._tree.path(team):
            before = self._kept[above].get(name, 0)
            yield above, before, delta
            floor = self._unlendable[above].get(name, 0)
            delta = max(floor, before + delta) - max(floor, before)
            if delta == 0:
                return
        yield None, self._kept_in_all.get(name, 0), delta


def exceeds(amount: int, bound: Bound) -> bool:
    """Say whether `amount` is above `bound`."""
    return not isinstance(bound, Unlimited) and amount > bound


def _unlendable(tree: TeamTree, team: TeamId) -> Amounts:
    lend = tree[team].lend
    amounts: Amounts = {}
    for name, amount in tree.guarantee(team).items():
        bound = lend.get(name)
        amounts[name] = 0 if isinstance(bound, Unlimited) else max(0, amount - bound)
    return amounts


def _hindrance(rule: Rule, team: TeamId, name: AmountName, asked: int, used: int, bound: Bound) -> Hindrance:
    assert not isinstance(bound, Unlimited)  # noqa: S101 - only a finite bound hinders
    return Hindrance(rule, team, name, asked, max(0, bound - max(0, used)), bound)
