"""What every team holds, counted up the tree as allocations come and go, and what follows for the next.

The counters are described at `accounts.Account`; each is changed on one path to
the root. `changes` is a log of the accounts that were charged, so that whoever
keeps something derived from them looks at those alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from jupyterhub_mesos_quota.accounts import Account
from jupyterhub_mesos_quota.model import TeamId
from jupyterhub_mesos_quota.past import Past, PastUse
from jupyterhub_mesos_quota.resources import NOTHING, AmountName, Resources
from jupyterhub_mesos_quota.sizes import Pairs, Size, size_of
from jupyterhub_mesos_quota.strategies import FAIR, WHOLE, Strategy, borrowed_share
from jupyterhub_mesos_quota.tree import Amounts, TeamTree

KEPT_CHANGES: Final = 4096
"""Changes remembered one by one; whoever was away for longer looks at everything anew."""


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


class ChangeLog:
    """The accounts that changed, in order; a reader keeps the number that it has read up to."""

    def __init__(self) -> None:
        self._accounts: list[Account] = []
        self._first = 0
        self.end = 0

    def note(self, account: Account) -> None:
        """Say that an account and those above it changed."""
        self._accounts.append(account)
        self.end += 1
        if len(self._accounts) > 2 * KEPT_CHANGES:
            del self._accounts[:KEPT_CHANGES]
            self._first += KEPT_CHANGES

    def note_all(self) -> None:
        """Say that every account changed."""
        self._accounts.clear()
        self.end += 1
        self._first = self.end

    def since(self, seen: int) -> list[Account] | None:
        """Return what changed after `seen`, or None where that is not known one by one."""
        return None if seen < self._first else self._accounts[seen - self._first :]


class Usage:
    """The counters of one tree; `free` in `hindrance` is the cluster's."""

    def __init__(
        self, tree: TeamTree, strategy: Strategy = FAIR, half_life_seconds: float | None = None
    ) -> None:
        self._tree = tree
        self.strategy = strategy
        self.total: Amounts = {}
        self.accounts: dict[TeamId, Account] = {}
        self.changes = ChangeLog()
        self.eased = ChangeLog()  # of those who may stand further ahead, or may have more, than before
        self.depth = 0
        has_past = strategy.has_past and half_life_seconds is not None
        self.past = Past(half_life_seconds) if has_past and half_life_seconds else None
        self._kept_in_all: Amounts = {}
        self.yard: Amounts = {}
        for team in reversed(tree.upwards()):
            parent = tree[team].parent
            above = None if parent is None else self.accounts[parent]
            self.accounts[team] = Account(tree, team, len(self.accounts), above)
            self.depth = max(self.depth, len(self.accounts[team].path))
        self.in_order = list(self.accounts.values())
        self.has_lend_caps = any(account.unlendable for account in self.in_order)
        for account in reversed(self.in_order):
            self._lay_floors(account)

    def _lay_floors(self, account: Account) -> None:
        above = account.above
        for name, amount in account.guarantee.items():
            kept = max(account.unlendable.get(name, 0), account.kept.get(name, 0))
            _add(self._kept_in_all if above is None else above.kept, name, kept)
            if above is not None:
                _add(above.committed, name, amount)

    # ---- counting -------------------------------------------------------------------------------

    def charge(self, team: TeamId, total: Pairs, sign: int = +1) -> None:
        """Add what an allocation of `team` holds; with `sign` -1 take it away."""
        account, in_all = self.accounts[team], self.total
        for name, amount in total:
            delta = sign * amount
            in_all[name] = in_all.get(name, 0) + delta
            _commit(account, name, delta)
            if self.has_lend_caps:
                self._keep(account, name, delta)
        for above in account.path:
            above.share = None
        if self.past is not None and self.yard:
            for above in account.path:
                self.past.hold(above, self._held(above))
        self.changes.note(account)
        if sign < 0:
            self.eased.note(account)

    def _keep(self, account: Account, name: AmountName, delta: int) -> None:
        for above in account.path:
            before, floor = above.kept.get(name, 0), above.unlendable.get(name, 0)
            above.kept[name] = before + delta
            delta = max(floor, before + delta) - max(floor, before)
            if not delta:
                return
        _add(self._kept_in_all, name, delta)

    def counters(self) -> Mapping[tuple[str, TeamId | None], Amounts]:
        """Return every counter that is not zero, for a recount to be compared with."""
        every: dict[tuple[str, TeamId | None], Amounts] = {
            ("total", None): self.total,
            ("kept", None): self._kept_in_all,
        }
        for team, account in self.accounts.items():
            every["used", team] = account.used
            every["committed", team] = account.committed
            every["kept", team] = account.kept
        return {key: {name: n for name, n in amounts.items() if n} for key, amounts in every.items()}

    # ---- what is held ---------------------------------------------------------------------------

    def used(self, team: TeamId) -> Mapping[AmountName, int]:
        """Return what the subtree of `team` holds."""
        return self.accounts[team].used

    def borrowed(self, team: TeamId) -> Amounts:
        """Return what the subtree of `team` holds above its guarantee."""
        account = self.accounts[team]
        above = {name: account.over(name) for name in account.used}
        return {name: amount for name, amount in above.items() if amount > 0}

    def would_borrow(self, account: Account, size: Size) -> Resources:
        """Return how much of what `size` asks for would stand above the team's own guarantee."""
        above: Amounts = {}
        is_whole = True
        for name, amount in size.total:
            over = account.committed.get(name, 0) + amount - account.guarantee.get(name, 0)
            is_whole &= over >= amount
            if over > 0:
                above[name] = min(amount, over)
        if not above:
            return NOTHING
        return size.whole if is_whole else Resources.from_amounts(above)

    # ---- what stands in the way of more ---------------------------------------------------------

    def standing(self, team: TeamId, asked: Resources) -> Standing:
        """Say whose promise `asked` would stand on; an amount on the weakest promise decides."""
        return self.standing_of(self.accounts[team], size_of(asked).total)

    def standing_of(self, account: Account, total: Pairs) -> Standing:
        """Say the same of an account."""
        if account.is_inside(total):
            return Standing.INSIDE
        if not account.is_family:  # nobody above has anything to give that was not promised on
            return Standing.BORROWS
        for name, amount in total:
            left = amount
            for above in account.path:
                left -= above.slack(name)
                if left <= 0:
                    break
            else:
                return Standing.BORROWS
        return Standing.FAMILY

    def hindrance(self, team: TeamId, asked: Resources, free: Mapping[AmountName, int]) -> Hindrance | None:
        """Return the first rule that forbids to give `asked` now: limits, then caps for who is not inside."""
        return self.hindrance_of(self.accounts[team], size_of(asked).total, free)

    def hindrance_of(
        self, account: Account, total: Pairs, free: Mapping[AmountName, int]
    ) -> Hindrance | None:
        """Return the same for an account."""
        limit = _over_limit(account, total)
        if limit is not None or account.is_inside(total):
            return limit
        return _over_borrow_cap(account, total) or self.over_lend_cap(account, total, free)

    def over_lend_cap(
        self, account: Account, total: Pairs, free: Mapping[AmountName, int]
    ) -> Hindrance | None:
        """Return the lend cap that forbids to give `total` now."""
        if not self.has_lend_caps:
            return None
        for name, amount in total:
            left = amount
            for above in account.path:
                before, bound = above.kept.get(name, 0), above.limit.get(name)
                if bound is not None and before + left > bound:
                    lender, room = self._keeper(account, name), max(0, bound - max(0, before))
                    return Hindrance(Rule.LEND_CAP, lender, name, amount, room, bound)
                left = max(0, left - above.kept_slack(name))
                if not left:
                    break
            # What the nodes have free must still hold what the lenders keep for themselves.
            short = left - self._lendable(name, free)
            idle = self._kept_in_all.get(name, 0) + left - self.total.get(name, 0) - amount
            if left and idle > 0 and short > 0:
                lender = self._keeper(account, name)
                return Hindrance(Rule.LEND_CAP, lender, name, amount, max(0, amount - short), idle)
        return None

    def _lendable(self, name: AmountName, free: Mapping[AmountName, int]) -> int:
        return free.get(name, 0) + self.total.get(name, 0) - self._kept_in_all.get(name, 0)

    def _keeper(self, account: Account, name: AmountName) -> TeamId:
        """Return the other team that keeps most of the amount for itself."""
        others = [other for other in self.in_order if other not in account.path] or self.in_order
        return max(others, key=lambda other: (_kept_idle(other, name), -other.number)).id

    # ---- the order ------------------------------------------------------------------------------

    def measure_against(self, capacity: Mapping[AmountName, int]) -> None:
        """Take the cluster's size for the measure of shares, in steps of an eighth.

        In steps, so that one node more or less does not put everybody's share anew.
        """
        yard = {name: _stepped(amount) for name, amount in capacity.items()}
        if yard != self.yard:
            self.yard = yard
            if self.past is not None:
                for account in self.in_order:
                    self.past.hold(account, self._held(account))
            self._put_shares_anew()

    def advance(self, at: float) -> None:
        """Let time pass up to `at`, in Unix seconds."""
        if self.past is not None and self.past.advance(int(at * 1000)):
            self._put_shares_anew()

    def recall(self, past: Iterable[PastUse]) -> None:
        """Take over what is known of the past of those teams that are there."""
        if self.past is None:
            return
        known = [(self.accounts[each.team], each) for each in past if each.team in self.accounts]
        for account, each in known:
            self.past.recall(account, each)
        self.past.catch_up()
        for account, _ in known if self.yard else ():  # before the first node, all goes on as it was
            self.past.hold(account, self._held(account))

    def _held(self, account: Account) -> int:
        """Return what counts for the past: nothing before the first node told how large the cluster is."""
        return min(WHOLE, borrowed_share(account, self.yard)) if self.yard else 0

    def _put_shares_anew(self) -> None:
        for account in self.in_order:
            account.share = None
        self.changes.note_all()
        self.eased.note_all()

    def share(self, account: Account) -> int:
        """Return by how much a team stands behind its siblings; the smaller goes first."""
        if account.share is None:
            account.share = self.strategy.share(account, self.yard)
        return account.share

    def shares(self, account: Account) -> tuple[int, ...]:
        """Return the shares on the path, the root first, up to the depth of the tree.

        Siblings are compared with each other, at the highest place where their paths part.
        """
        path = account.path
        shares = tuple(self.share(above) for above in reversed(path))
        return shares + (0,) * (self.depth - len(path))


def _add(amounts: Amounts, name: AmountName, more: int) -> None:
    amounts[name] = amounts.get(name, 0) + more


def _commit(account: Account, name: AmountName, delta: int) -> None:
    """Count a change up the path: what is used everywhere, what is committed as far as it is felt."""
    felt = delta
    for above in account.path:
        used = above.used
        used[name] = used.get(name, 0) + delta
        if felt:
            committed = above.committed
            before, floor = committed.get(name, 0), above.guarantee.get(name, 0)
            after = committed[name] = before + felt
            felt = (after if after > floor else floor) - (before if before > floor else floor)


def _stepped(amount: int) -> int:
    """Round up to the next of eight steps per doubling."""
    step = 1 << max(0, amount.bit_length() - 4)
    return -(-amount // step) * step


def _over_limit(account: Account, total: Pairs) -> Hindrance | None:
    for above in account.gates:
        for name, amount in total:
            bound, used = above.limit.get(name), above.used.get(name, 0)
            if bound is not None and used + amount > bound:
                rule = Rule.TEAM_LIMIT if above is account else Rule.PARENT_LIMIT
                return Hindrance(rule, above.id, name, amount, max(0, bound - max(0, used)), bound)
    return None


def _over_borrow_cap(account: Account, total: Pairs) -> Hindrance | None:
    for above in account.gates:
        for name, amount in total:
            bound, over = above.borrow_cap.get(name), above.over(name)
            if bound is not None and over + amount > bound:
                room = max(0, bound - max(0, over))
                return Hindrance(Rule.BORROW_CAP, above.id, name, amount, room, bound)
    return None


def _kept_idle(account: Account, name: AmountName) -> int:
    kept = account.unlendable.get(name, 0)
    return kept - min(account.used.get(name, 0), kept)
