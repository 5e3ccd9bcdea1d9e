"""What one team holds and what it was promised, laid out so that a decision reads it without a search."""

from __future__ import annotations

from collections.abc import Mapping

from jupyterhub_mesos_quota.model import TeamId
from jupyterhub_mesos_quota.resources import AmountName, Bounds, Unlimited
from jupyterhub_mesos_quota.sizes import Pairs
from jupyterhub_mesos_quota.tree import Amounts, TeamTree

Finite = Mapping[AmountName, int]
"""Bounds by name; what is not named is unlimited."""


class Account:
    """One team's counters beside its promises; `Usage` is their only writer.

    - `used`: what the subtree's allocations hold.
    - `committed`: what the team's own allocations hold and its children claim; a
      child claims its guarantee, or what it is committed to where that is more.
    - `kept`: the same with the part of a guarantee that may not be lent instead of the whole.
    - `claimed`: the most that one claim under the team asks for, by name; see `claims.py`.
    """

    __slots__ = (
        "borrow_cap",
        "children",
        "claimed",
        "committed",
        "gates",
        "guarantee",
        "has_rest",
        "id",
        "is_family",
        "is_gated",
        "kept",
        "limit",
        "number",
        "past",
        "path",
        "share",
        "unlendable",
        "used",
        "weight",
    )

    def __init__(self, tree: TeamTree, team: TeamId, number: int, above: Account | None) -> None:
        self.id = team
        self.number = number
        self.path: tuple[Account, ...] = (self, *(above.path if above else ()))
        self.children: list[Account] = []
        self.guarantee: Finite = tree.guarantee(team)
        self.limit = _finite(tree[team].limit)
        self.borrow_cap = _finite(tree[team].borrow)
        self.unlendable = _unlendable(tree, team)
        self.weight = tree[team].weight
        self.has_rest = _has_rest(tree, team)
        self.is_family = any(other.has_rest for other in self.path[1:])
        self.is_gated = bool(self.limit or self.borrow_cap)
        self.gates: tuple[Account, ...] = tuple(each for each in self.path if each.is_gated)
        self.used: Amounts = {}
        self.committed: Amounts = {}
        self.kept: Amounts = {}
        self.claimed: Amounts = {}
        self.past = 0  # decayed past use, in the unit of `share`
        self.share: int | None = None  # None until it is asked for
        if above is not None:
            above.children.append(self)

    @property
    def above(self) -> Account | None:
        """The team right above."""
        return self.path[1] if len(self.path) > 1 else None

    def slack(self, name: AmountName) -> int:
        """Return how much of the team's own promise nobody holds and no child was promised."""
        return max(0, self.guarantee.get(name, 0) - self.committed.get(name, 0))

    def kept_slack(self, name: AmountName) -> int:
        """Return how much of what may not be lent is idle."""
        return max(0, self.unlendable.get(name, 0) - self.kept.get(name, 0))

    def is_inside(self, total: Pairs) -> bool:
        """Say whether `total` more would stand inside the team's own guarantee."""
        guarantee, committed = self.guarantee, self.committed
        for name, amount in total:  # noqa: SIM110 - every decision comes by here, and all() costs twice
            if committed.get(name, 0) + amount > guarantee.get(name, 0):
                return False
        return True

    def is_over_limit(self, total: Pairs) -> bool:
        """Say whether `total` more would break the team's limit."""
        limit, used = self.limit, self.used
        return any(name in limit and used.get(name, 0) + amount > limit[name] for name, amount in total)

    def is_over_borrow_cap(self, total: Pairs) -> bool:
        """Say whether `total` more would break the team's borrow cap."""
        caps = self.borrow_cap
        return any(name in caps and self.over(name) + amount > caps[name] for name, amount in total)

    def is_claimed(self, total: Pairs) -> bool:
        """Say whether the limit has no room for `total` beside what is claimed under it."""
        limit, used, claimed = self.limit, self.used, self.claimed
        return any(
            name in limit and name in claimed and used.get(name, 0) + claimed[name] + amount > limit[name]
            for name, amount in total
        )

    def over(self, name: AmountName) -> int:
        """Return what is used above the guarantee; negative where some of it is idle."""
        return self.used.get(name, 0) - self.guarantee.get(name, 0)


def _finite(bounds: Bounds) -> Finite:
    return {name: bound for name, bound in bounds.by_name if not isinstance(bound, Unlimited)}


def _unlendable(tree: TeamTree, team: TeamId) -> Finite:
    lend = _finite(tree[team].lend)
    return {
        name: amount - lend[name]
        for name, amount in tree.guarantee(team).items()
        if name in lend and amount > lend[name]
    }


def _has_rest(tree: TeamTree, team: TeamId) -> bool:
    """Say whether a parent is guaranteed more than its children together: a rest for all of them."""
    promised: Amounts = {}
    for child in tree.children(team):
        for name, amount in tree.guarantee(child).items():
            promised[name] = promised.get(name, 0) + amount
    return bool(tree.children(team)) and any(
        amount > promised.get(name, 0) for name, amount in tree.guarantee(team).items()
    )
