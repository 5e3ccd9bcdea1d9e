"""How things would stand if some allocations ended and some requests started; it changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jupyterhub_mesos_quota.accounts import Account
from jupyterhub_mesos_quota.model import Allocation, NodeId
from jupyterhub_mesos_quota.placement import NodePool
from jupyterhub_mesos_quota.resources import AmountName
from jupyterhub_mesos_quota.sizes import Pairs
from jupyterhub_mesos_quota.strategies import WHOLE, Yard
from jupyterhub_mesos_quota.tree import Amounts
from jupyterhub_mesos_quota.usage import Usage


@dataclass(frozen=True, slots=True)
class Supposed:
    """What a team would hold, beside what it was promised."""

    used: Mapping[AmountName, int]
    guarantee: Mapping[AmountName, int]
    weight: int
    past: int


class Outlook:
    """The counters and nodes of now, and what is different ahead.

    A plan asks for the same shares for every node: they are remembered until the team is charged.
    """

    def __init__(self, usage: Usage, pool: NodePool) -> None:
        self._usage = usage
        self._pool = pool
        self._rooms: dict[NodeId, Amounts] = {}
        self._uses: dict[Account, Amounts] = {}
        self._shares: dict[Account, dict[Pairs, int]] = {}
        self._surpluses: dict[Account, int | None] = {}

    def end(self, allocation: Allocation, sign: int = +1) -> None:
        """Suppose that an allocation is gone; with `sign` -1 that it is there after all."""
        for placement in allocation.placements:
            self.give(placement.node, placement.resources.amounts(), sign)
        self.charge(self._usage.accounts[allocation.team], allocation.total.amounts(), -sign)

    def give(self, node: NodeId, pairs: Pairs, sign: int = +1) -> None:
        """Suppose that so much more is free on a node."""
        rooms = self._rooms.setdefault(node, {})
        for name, amount in pairs:
            rooms[name] = rooms.get(name, 0) + sign * amount

    def charge(self, account: Account, pairs: Pairs, sign: int = +1) -> None:
        """Suppose that a team holds so much more."""
        for above in account.path:
            uses = self._uses.setdefault(above, {})
            for name, amount in pairs:
                uses[name] = uses.get(name, 0) + sign * amount
            self._shares.pop(above, None)
            self._surpluses.pop(above, None)

    def nodes(self) -> list[NodeId]:
        """Return where something is supposed to be otherwise."""
        return list(self._rooms)

    def room(self, node: NodeId, name: AmountName) -> int:
        """Return how much would be free on a node; negative where it owes."""
        return self._pool.balance(node, name) + self._rooms.get(node, {}).get(name, 0)

    def missing(self, node: NodeId, each: Pairs) -> Amounts:
        """Return what of `each` would not be free on a node; negative where more is free."""
        balances, ahead = self._pool.balances(node, each), self._rooms.get(node, {})
        return {name: amount - balances[name] - ahead.get(name, 0) for name, amount in each}

    def used(self, account: Account, name: AmountName) -> int:
        """Return how much the team and those under it would hold."""
        return account.used.get(name, 0) + self._uses.get(account, {}).get(name, 0)

    def over(self, account: Account, name: AmountName) -> int:
        """Return how much of that is above the guarantee."""
        return self.used(account, name) - account.guarantee.get(name, 0)

    def is_above(self, account: Account) -> bool:
        """Say whether the team would hold more than its guarantee, in some amount."""
        return any(self.over(account, name) > 0 for name in account.used)

    def is_promised_on(self, account: Account, name: AmountName) -> bool:
        """Say whether a team would hold, itself, what its children are promised."""
        committed = account.committed.get(name, 0) + self._uses.get(account, {}).get(name, 0)
        return committed > account.guarantee.get(name, 0)

    def is_inside(self, account: Account, total: Pairs) -> bool:
        """Say whether `total` more would stand inside the team's guarantee, beside what is supposed of it."""
        ahead = self._uses.get(account, {})
        more = tuple((name, amount + max(0, ahead.get(name, 0))) for name, amount in total)
        return account.is_inside(more)

    def stands_inside(self, account: Account, total: Pairs) -> bool:
        """Say whether `total` more would stand inside the team's guarantee when those who end are gone."""
        ahead = self._uses.get(account, {})
        return account.is_inside(tuple((name, amount + ahead.get(name, 0)) for name, amount in total))

    def is_within(self, account: Account) -> bool:
        """Say whether all that the team would hold, itself, stands inside its guarantee."""
        return self.stands_inside(account, tuple((name, 0) for name in account.committed))

    def capped(self, account: Account, total: Pairs) -> Iterable[tuple[Account, AmountName, int]]:
        """Yield `(team, name, missing)` for every borrow cap on the path without room for `total`."""
        for above in account.path:
            for name, amount in total:
                cap = above.borrow_cap.get(name)
                if cap is not None and (missing := self.over(above, name) + amount - cap) > 0:
                    yield above, name, missing

    def limited(self, account: Account, total: Pairs) -> Iterable[tuple[Account, AmountName, int]]:
        """Yield `(team, name, missing)` for every limit on the path without room for `total`."""
        for above in account.path:
            for name, amount in total:
                bound = above.limit.get(name)
                if bound is not None and (missing := self.used(above, name) + amount - bound) > 0:
                    yield above, name, missing

    def share(self, account: Account, yard: Yard, more: Pairs = ()) -> int:
        """Return the weighted dominant share above the guarantee, without past use."""
        shares = self._shares.setdefault(account, {})
        if more not in shares:
            shares[more] = self._share(account, yard, dict(more))
        return shares[more]

    def _share(self, account: Account, yard: Yard, extra: Mapping[AmountName, int]) -> int:
        most = 0
        for name in {*account.used, *extra}:
            over = self.over(account, name) + extra.get(name, 0)
            if over > 0:
                most = max(most, over * WHOLE // (yard.get(name) or 1))
        return most // account.weight

    def surplus(self, account: Account) -> int | None:
        """Return the share of a team that holds more than its guarantee, in some amount; None of others."""
        if account not in self._surpluses:
            is_above = self.is_above(account)
            self._surpluses[account] = self.strategic_share(account) if is_above else None
        return self._surpluses[account]

    def strategic_share(self, account: Account) -> int:
        """Return the team's share as the strategy counts it, past use included."""
        used = {name: self.used(account, name) for name in account.used}
        supposed = Supposed(used, account.guarantee, account.weight, account.past)
        return self._usage.strategy.share(supposed, self._usage.yard)
