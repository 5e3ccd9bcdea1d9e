"""A higher priority takes the place of a lower one of its own team: of whom, and what is kept for it.

Whom a request may take of is its *home*: its own team, or where that is guaranteed nothing itself,
all teams that share the nearest guarantee above. Never another team's, and of strictly lower priority
alone, so that nothing goes back and forth. The room that is made is laid aside for that request
against everybody, on nodes and under limits and caps, until it has started.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from jupyterhub_mesos_quota.accounts import Account
from jupyterhub_mesos_quota.lanes import Group
from jupyterhub_mesos_quota.model import NodeId
from jupyterhub_mesos_quota.placement import Withheld
from jupyterhub_mesos_quota.resources import AmountName
from jupyterhub_mesos_quota.sizes import Pairs
from jupyterhub_mesos_quota.tree import Amounts, add_amounts


@dataclass(frozen=True, slots=True)
class Taker:
    """A group whose head is being made room for, where that will be, and whether it will stand inside."""

    group: Group
    amounts: Mapping[NodeId, Amounts]
    is_inside: bool


NO_TAKERS: tuple[Taker, ...] = ()


def home(account: Account) -> Account:
    """Return the account whose work counts as one's own: the nearest that is guaranteed something."""
    return next((above for above in account.path if any(above.guarantee.values())), account)


def kept_for_takers(takers: Iterable[Taker], but: Group | None) -> Withheld:
    """Return what is laid aside for those who take, by node; a group may use its own."""
    total: dict[NodeId, Amounts] = {}
    for taker in takers:
        if taker.group is not but:
            for node, amounts in taker.amounts.items():
                add_amounts(total.setdefault(node, {}), amounts)
    return total


def is_in_the_way(takers: Iterable[Taker], account: Account, total: Pairs, but: Group | None) -> bool:
    """Say whether `total` would use up a limit or a cap that one who takes was made room under."""
    return any(_shares_a_bound(taker, account, total) for taker in takers if taker.group is not but)


def _shares_a_bound(taker: Taker, account: Account, total: Pairs) -> bool:
    asked = dict(taker.group.lane.size.total)
    mine = home(taker.group.account)
    is_kin = taker.is_inside and home(account) is mine
    for above in taker.group.account.path:
        if above in account.path:
            for name, amount in total:
                for room in _rooms(above, name, is_kin=is_kin and above is mine):
                    if name in asked and amount + asked[name] > room:
                        return True
    return False


def _rooms(account: Account, name: AmountName, *, is_kin: bool) -> Iterator[int]:
    """Yield what the limit and the borrow cap of a team leave; for one's kin what the guarantee does."""
    if is_kin:
        yield account.guarantee.get(name, 0) - account.committed.get(name, 0)
    if name in account.limit:
        yield account.limit[name] - account.used.get(name, 0)
    if name in account.borrow_cap:
        yield account.borrow_cap[name] - account.over(name)
