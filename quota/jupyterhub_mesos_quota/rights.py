"""By which right something that runs is taken, and of whom: a guarantee's, a reservation's, a priority's.

Nobody is taken before it ran for the time of the right, unless it was warned already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple, Protocol

from jupyterhub_mesos_quota.accounts import Account
from jupyterhub_mesos_quota.admission import Admission
from jupyterhub_mesos_quota.model import Allocation, AllocationState, Request, RequestId, TeamId
from jupyterhub_mesos_quota.offers import Above, began_at
from jupyterhub_mesos_quota.outlook import Outlook
from jupyterhub_mesos_quota.preempt import home
from jupyterhub_mesos_quota.resources import AmountName
from jupyterhub_mesos_quota.sizes import Pairs

Names = tuple[AmountName, ...]
Over = Callable[[Account, AmountName], int]
"""How much of an amount a team holds above what it is promised."""


class Right(Protocol):
    """Whether an allocation may end for somebody; `names` are the amounts that are missing."""

    def allows(self, allocation: Allocation, asked: Pairs, names: Names) -> bool:
        """Say whether it may be taken for a replica, or a request, of `asked`."""
        ...

    def above(self, team: TeamId) -> Above | None:
        """Return how far a team stands above its guarantee: the further, the sooner it gives; or None."""
        ...

    def bounds(self, total: Pairs) -> Iterable[tuple[Account, AmountName, int]]:
        """Yield `(team, name, missing)` for every bound without room for `total`."""
        ...

    def suffices(self, total: Pairs, chosen: Iterable[Allocation]) -> bool:
        """Say whether `total` goes first once those are gone."""
        ...


class ByPriority(NamedTuple):
    """Who takes by priority.

    `insiders_wait`, and `others_wait` on a family's promise or for too long; `kin` are the others of its
    home that wait.
    """

    account: Account
    priority: int
    insiders_wait: bool
    others_wait: bool
    kin: Sequence[tuple[Account, Pairs]]


class Ripeness:
    """Who has run for long enough; `look_again_at` is when the first does who was asked about and has not."""

    def __init__(self, now: float, min_runtime_seconds: float) -> None:
        self._now = now
        self._min_runtime_seconds = min_runtime_seconds
        self.look_again_at: float | None = None

    def has(self, allocation: Allocation) -> bool:
        """Say whether one may be taken by now."""
        ripe_at = began_at(allocation) + self._min_runtime_seconds
        if ripe_at <= self._now or allocation.state is AllocationState.WARNED:
            return True
        known = self.look_again_at
        self.look_again_at = ripe_at if known is None else min(known, ripe_at)
        return False


class LentOut:
    """The right of a guarantee: what stands above its own guarantee gives back, on the taker's side.

    Only a team whose share is larger than the taker's will be afterwards, so that nothing goes
    back and forth.
    """

    def __init__(self, admission: Admission, outlook: Outlook, ripeness: Ripeness, taker: Account) -> None:
        self._usage = admission.usage
        self._outlook = outlook
        self._ripeness = ripeness
        self._taker = taker
        self._forks: dict[TeamId, list[Account]] = {}

    def allows(self, allocation: Allocation, asked: Pairs, names: Names) -> bool:
        """Say whether an allocation is lent, in one of the amounts that are missing."""
        victim = self._usage.accounts[allocation.team]
        held = [name for name in names if allocation.total.get(name)]
        if victim in self._taker.path:  # a team above that uses what it promised on
            is_lent = any(self._outlook.is_promised_on(victim, name) for name in held)
        else:
            is_lent = is_above(victim, self._taker, held, self._outlook.over)
            is_lent = is_lent and self._has_larger_share(victim, asked)
        return is_lent and self._ripeness.has(allocation)

    def _has_larger_share(self, victim: Account, asked: Pairs) -> bool:
        mine = [above for above in self._taker.path if above not in set(victim.path)]
        if not mine:
            return True  # the victim stands under the taker's own team
        lower = _below_the_fork(victim, self._taker)
        yard = self._usage.yard
        return self._outlook.share(mine[-1], yard, asked) < self._outlook.share(lower[-1], yard)

    def above(self, team: TeamId) -> Above | None:
        """Return how far a team stands above its guarantee, where it and the taker part and below."""
        lower = self._forks.get(team)
        if lower is None:  # asked for on every node
            lower = self._forks[team] = _below_the_fork(self._usage.accounts[team], self._taker)
        how_far: list[int] = []
        for each in reversed(lower):
            surplus = self._outlook.surplus(each)
            if surplus is None:
                return None
            how_far.append(-surplus)
        return tuple(how_far)

    def bounds(self, total: Pairs) -> Iterable[tuple[Account, AmountName, int]]:
        """Yield the limits: caps bind nobody inside a guarantee."""
        return self._outlook.limited(self._taker, total)

    def suffices(self, total: Pairs, chosen: Iterable[Allocation]) -> bool:
        """Say that who is inside a guarantee goes first."""
        return True


class Booked:
    """The right of a reservation: what will stand above its guarantee when it begins makes way.

    Shares do not count: who makes way stands above its guarantee and takes nothing back.
    """

    def __init__(
        self,
        outlook: Outlook,
        accounts: Mapping[TeamId, Account],
        ripeness: Ripeness,
        taker: Account,
        over: Over,
    ) -> None:
        self._outlook = outlook
        self._accounts = accounts
        self._ripeness = ripeness
        self._taker = taker
        self._over = over  # by what is promised when it begins

    def allows(self, allocation: Allocation, asked: Pairs, names: Names) -> bool:
        """Say whether an allocation is not promised to anybody by then, in one of the amounts missing."""
        victim = self._accounts[allocation.team]
        if self._taker in victim.path:
            return False  # its own team's work stands on it
        held = [name for name in names if allocation.total.get(name)]
        if victim in self._taker.path:
            is_free = any(self._over(victim, name) > 0 for name in held)
        else:
            is_free = is_above(victim, self._taker, held, self._over)
        return is_free and self._ripeness.has(allocation)

    def above(self, team: TeamId) -> Above | None:
        """Return how far a team stands above its guarantee; None for the own, and who will not be above."""
        victim = self._accounts[team]
        lower = _below_the_fork(victim, self._taker)
        is_own = self._taker in victim.path
        if is_own or not all(any(self._over(each, name) > 0 for name in each.used) for each in lower):
            return None
        return _how_far(self._outlook, lower)

    def bounds(self, total: Pairs) -> Iterable[tuple[Account, AmountName, int]]:
        """Yield the limits."""
        return self._outlook.limited(self._taker, total)

    def suffices(self, total: Pairs, chosen: Iterable[Allocation]) -> bool:
        """Say that what is booked is its team's alone."""
        return True


class Elder:
    """The right of a higher priority: what runs of its own home with a strictly lower one makes way.

    What is borrowed is not passed on while somebody waits on a better promise, or would by then.
    """

    def __init__(
        self,
        admission: Admission,
        outlook: Outlook,
        ripeness: Ripeness,
        taker: ByPriority,
        requests: Mapping[RequestId, Request],
    ) -> None:
        self._usage = admission.usage
        self._outlook = outlook
        self._ripeness = ripeness
        self._account = taker.account
        self._home = home(taker.account)
        self._taker = taker
        self._requests = requests

    def allows(self, allocation: Allocation, asked: Pairs, names: Names) -> bool:
        """Say whether an allocation is one's own, matters, and is of a lower priority."""
        is_mine = home(self._usage.accounts[allocation.team]) is self._home
        is_lower = self._requests[allocation.request_id].priority < self._taker.priority
        matters = any(allocation.total.get(name) for name in names)
        return is_mine and is_lower and matters and self._ripeness.has(allocation)

    def above(self, team: TeamId) -> Above | None:
        """Say that all of the own home stand alike."""
        return () if home(self._usage.accounts[team]) is self._home else None

    def bounds(self, total: Pairs) -> Iterable[tuple[Account, AmountName, int]]:
        """Yield the limits, and the borrow caps where it would not stand inside the guarantee."""
        yield from self._outlook.limited(self._account, total)
        if not self._outlook.stands_inside(self._account, total):
            yield from self._outlook.capped(self._account, total)

    def suffices(self, total: Pairs, chosen: Iterable[Allocation]) -> bool:
        """Say whether no rule will stop it."""
        if any(self.bounds(total)):
            return False
        if self._outlook.stands_inside(self._account, total):
            return True
        # What lenders keep for themselves hangs on all that is idle then: it is not foretold.
        if self._taker.insiders_wait or self._usage.has_lend_caps or self._is_claimed(total):
            return False
        freed = ((self._usage.accounts[each.team], each.total.amounts()) for each in chosen)
        rivals = chain(self._taker.kin, freed)
        if any(self._outlook.stands_inside(account, theirs) for account, theirs in rivals):
            return False
        if self._home is not self._account and self._outlook.stands_inside(self._home, total):
            return True
        return not (self._taker.others_wait or self._account.is_family)

    def _is_claimed(self, total: Pairs) -> bool:
        return any(
            name in above.limit
            and name in above.claimed
            and self._outlook.used(above, name) + above.claimed[name] + amount > above.limit[name]
            for above in self._account.path
            for name, amount in total
        )


def is_above(victim: Account, taker: Account, names: list[AmountName], over: Over) -> bool:
    """Say whether, of one of the amounts, all on the victim's side hold more than they are promised."""
    lower = _below_the_fork(victim, taker)
    return any(all(over(above, name) > 0 for above in lower) for name in names)


def _how_far(outlook: Outlook, lower: list[Account]) -> Above:
    return tuple(-outlook.strategic_share(above) for above in reversed(lower))


def _below_the_fork(victim: Account, taker: Account) -> list[Account]:
    shared = set(taker.path)
    return [above for above in victim.path if above not in shared]
