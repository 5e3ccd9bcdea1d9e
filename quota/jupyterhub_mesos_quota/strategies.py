"""Who goes before whom, as small named strategies: how far ahead of its siblings a team is.

- `fair`: what is held above the guarantee, as the largest part of the cluster
  (dominant resource fairness, Ghodsi et al., NSDI 2011, as Kueue applies it to
  cohorts), with decayed past use, divided by the team's weight.
- `lowest-use`: the largest part of the guarantee that is used, with decayed past
  use in parts of the guarantee, divided by the team's weight.
- `fifo`: one queue by priority and age, whoever's promise it stands on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from jupyterhub_mesos_quota.resources import AmountName

WHOLE: Final = 10**12
"""The share of a team that borrows the whole cluster at weight 1: shares are whole trillionths of it."""

Yard = Mapping[AmountName, int]
"""The cluster's size, by amount."""


class Holder(Protocol):
    """What a share rests on: an account as it is, or as it would be."""

    @property
    def used(self) -> Mapping[AmountName, int]:
        """What it holds, by amount."""
        ...

    @property
    def guarantee(self) -> Mapping[AmountName, int]:
        """What it was promised."""
        ...

    @property
    def weight(self) -> int:
        """What divides its share."""
        ...

    @property
    def past(self) -> int:
        """Its decayed past use, in the unit of a share."""
        ...


@dataclass(frozen=True, slots=True)
class Strategy:
    """How waiting requests are ordered; `share` is the smaller the sooner, in trillionths."""

    name: str
    share: Callable[[Holder, Yard], int]
    is_by_share: bool = True  # shares count at all
    ranks_by_promise: bool = True  # who stands on a better promise goes first
    has_past: bool = False  # past use counts where the policy gives it a half-life


def borrowed_share(account: Holder, yard: Yard) -> int:
    """Return the largest part of the cluster that a team holds above its guarantee."""
    guarantee, most = account.guarantee, 0
    for name, used in account.used.items():
        over = used - guarantee.get(name, 0)
        if over > 0:
            most = max(most, over * WHOLE // (yard.get(name) or 1))
    return most


def _fair(account: Holder, yard: Yard) -> int:
    return (borrowed_share(account, yard) + account.past) // account.weight


def _lowest_use(account: Holder, yard: Yard) -> int:
    parts = (used * WHOLE // (account.guarantee.get(name) or 1) for name, used in account.used.items())
    return (max(parts, default=0) + _past_of_guarantee(account, yard)) // account.weight


def _past_of_guarantee(account: Holder, yard: Yard) -> int:
    """Return past use, a part of the cluster, as a part of what the team was promised of it."""
    if not account.past:
        return 0
    promised = (amount * WHOLE // (yard.get(name) or 1) for name, amount in account.guarantee.items())
    return account.past * WHOLE // (max(promised, default=0) or 1)


def _none(_account: Holder, _yard: Yard) -> int:
    return 0


FAIR: Final = Strategy("fair", _fair, has_past=True)
LOWEST_USE: Final = Strategy("lowest-use", _lowest_use, has_past=True)
FIFO: Final = Strategy("fifo", _none, is_by_share=False, ranks_by_promise=False)

STRATEGIES: Final[Mapping[str, Strategy]] = {strategy.name: strategy for strategy in (FAIR, LOWEST_USE, FIFO)}
