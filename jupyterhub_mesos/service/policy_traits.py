"""The policy of the decision core as an operator configures it, with the product's defaults.

The names are those of `policy.yaml`, which a replay reads, so that what was tried there can be set here.
docs/explanation/decisions.md says why the defaults are what they are.
"""

from __future__ import annotations

import math
from typing import Any, Final

from traitlets import Bool, Enum, Float, HasTraits

from jupyterhub_mesos.configuration.policy import HOUR_S, MINUTE_S
from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos_quota.policy import Policy, Preempt, Reclaim
from jupyterhub_mesos_quota.strategies import FAIR, STRATEGIES

HALF_LIFE_HOURS: Final = 168.0
PATIENCE_MINUTES: Final = 10_080.0
MIN_RUNTIME_MINUTES: Final = 10.0
GRACE_MINUTES: Final = 5.0
BUDGET_GRACE_MINUTES: Final = 10.0
NOTICE_MINUTES: Final = 10.0
CLEAR_SECONDS: Final = 60.0
STOP_GRACE_SECONDS: Final = 10.0


def _span(minutes_or_hours: float, help_: str) -> Any:
    return Float(minutes_or_hours, min=0.0, help=help_).tag(config=True)


class PolicyTraits(HasTraits):
    """The keys under `c.CapacityService` that say who goes first, and what is taken back from whom."""

    strategy = Enum(
        tuple(sorted(STRATEGIES)),
        default_value=FAIR.name,
        help="Who goes first among those who borrow: `fair` (the smallest part of the cluster above its "
        "guarantee), `lowest-use` (the smallest part of its guarantee used), both with past use, `fifo` (one "
        "queue by priority and age, whoever's guarantee it stands on). Default: fair.",
    ).tag(config=True)
    half_life_hours = _span(
        HALF_LIFE_HOURS,
        "Hours after which half of what a team borrowed is forgotten in the order of `fair` and "
        "`lowest-use`; 0 counts no past. Default: 168, a week.",
    )
    patience_minutes = _span(
        PATIENCE_MINUTES,
        "Minutes after which room is laid aside for the request that waits longest above its team's "
        "guarantee, so that smaller ones do not pass it for ever; 0 for never. Default: 10080, a week.",
    )
    reclaim = Bool(
        True,
        help="Whether a guarantee that was lent is taken back for a request that waits inside it: the least "
        "harmful is stopped and waits again at its old place. Without it, lenders wait until borrowers end "
        "by themselves. Default: True.",
    ).tag(config=True)
    reclaim_min_runtime_minutes = _span(
        MIN_RUNTIME_MINUTES,
        "Minutes that everything runs before it is taken back. Default: 10.",
    )
    reclaim_grace_minutes = _span(
        GRACE_MINUTES,
        "Minutes between a notebook's warning and its stop, when it is taken back; 0 stops at once, as "
        "jobs are. Default: 5.",
    )
    preempt = Bool(
        False,
        help="Whether a request takes running work of lower priority of its own team. Only admins of a team "
        "give a priority above 0. Default: False, it waits until something of its team ends.",
    ).tag(config=True)
    preempt_min_runtime_minutes = _span(
        MIN_RUNTIME_MINUTES,
        "Minutes that everything runs before it is taken for a higher priority. Default: 10.",
    )
    preempt_grace_minutes = _span(
        GRACE_MINUTES,
        "Minutes between a notebook's warning and its stop, when it is taken for a higher priority. "
        "Default: 5.",
    )
    budget_grace_minutes = _span(
        BUDGET_GRACE_MINUTES,
        "Minutes between the end of a budget of accelerator-hours and the stop of what runs on it. "
        "Default: 10.",
    )
    notice_minutes = _span(
        NOTICE_MINUTES,
        "Minutes before the end of a session's time limit at which its owner is told. Default: 10.",
    )
    clear_seconds = _span(
        CLEAR_SECONDS,
        "Seconds that a stop takes until its room is free, as reservations reckon: so long before one begins "
        "is stopped what is in its way. More than `stop_grace_seconds`. Default: 60.",
    )
    stop_grace_seconds = _span(
        STOP_GRACE_SECONDS,
        "Seconds between SIGTERM and SIGKILL of whatever is stopped: for a job that is taken back, the time "
        "to write its checkpoint. A pipeline has its own. Default: 10.",
    )

    def policy(self) -> Policy:
        """Return what was configured as the core's value; raises `InvalidInput` for no length of time."""
        for name, trait in PolicyTraits.class_own_traits().items():
            if isinstance(trait, Float) and not math.isfinite(getattr(self, name)):
                raise InvalidInput(
                    f"{getattr(self, name)} is no length of time: write a number; 0 where the setting's help "
                    "says that it means never",
                    where=f"CapacityService.{name}",
                )
        return Policy(
            strategy=STRATEGIES[self.strategy],
            half_life_seconds=self.half_life_hours * HOUR_S or None,
            patience_seconds=self.patience_minutes * MINUTE_S or None,
            budget_grace_seconds=self.budget_grace_minutes * MINUTE_S,
            notice_seconds=self.notice_minutes * MINUTE_S,
            clear_seconds=self.clear_seconds,
            reclaim=self._reclaim() if self.reclaim else None,
            preempt=self._preempt() if self.preempt else None,
        )

    def _reclaim(self) -> Reclaim:
        return Reclaim(self.reclaim_min_runtime_minutes * MINUTE_S, self.reclaim_grace_minutes * MINUTE_S)

    def _preempt(self) -> Preempt:
        return Preempt(self.preempt_min_runtime_minutes * MINUTE_S, self.preempt_grace_minutes * MINUTE_S)


def product_policy() -> Policy:
    """Return the policy of an installation whose operator says nothing of it."""
    return PolicyTraits().policy()
