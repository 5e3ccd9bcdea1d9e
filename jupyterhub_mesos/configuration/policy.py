"""policy.yaml: how the decision core decides where there is a choice, for a replay to try.

The keys are the fields of the core's `Policy`, with times in the hours and minutes that a person thinks in.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from jupyterhub_mesos.configuration.document import read
from jupyterhub_mesos.configuration.problems import validated
from jupyterhub_mesos.wire.base import Wire
from jupyterhub_mesos_quota.policy import DEFAULT_POLICY, Policy, Preempt, Reclaim
from jupyterhub_mesos_quota.strategies import STRATEGIES

MINUTE_S: Final = 60.0
HOUR_S: Final = 3600.0
DEFAULT_RECLAIM: Final = Reclaim()
DEFAULT_PREEMPT: Final = Preempt()

Span = Annotated[float, Field(ge=0, allow_inf_nan=False)]
LongSpan = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ReclaimModel(Wire):
    """How a lent guarantee is taken back; the key alone (`reclaim: {}`) takes it back with the defaults."""

    min_runtime_minutes: Span = DEFAULT_RECLAIM.min_runtime_seconds / MINUTE_S
    grace_minutes: Span = DEFAULT_RECLAIM.grace_seconds / MINUTE_S
    requeues_first: bool = DEFAULT_RECLAIM.requeues_first

    def value(self) -> Reclaim:
        """Return the core's value."""
        return Reclaim(
            min_runtime_seconds=self.min_runtime_minutes * MINUTE_S,
            grace_seconds=self.grace_minutes * MINUTE_S,
            requeues_first=self.requeues_first,
        )


class PreemptModel(Wire):
    """How a higher priority takes running work of its own team; the key alone takes it with the defaults."""

    min_runtime_minutes: Span = DEFAULT_PREEMPT.min_runtime_seconds / MINUTE_S
    grace_minutes: Span = DEFAULT_PREEMPT.grace_seconds / MINUTE_S

    def value(self) -> Preempt:
        """Return the core's value."""
        return Preempt(self.min_runtime_minutes * MINUTE_S, self.grace_minutes * MINUTE_S)


class PolicyModel(Wire):
    """A policy as written in a file; what is left out is as the core has it by itself."""

    strategy: Literal["fair", "lowest-use", "fifo"] = "fair"
    half_life_hours: LongSpan | None = None
    patience_minutes: LongSpan | None = None
    reclaim: ReclaimModel | None = None
    preempt: PreemptModel | None = None
    budget_grace_minutes: Span = DEFAULT_POLICY.budget_grace_seconds / MINUTE_S
    notice_minutes: Span = DEFAULT_POLICY.notice_seconds / MINUTE_S
    clear_seconds: Span = DEFAULT_POLICY.clear_seconds

    def value(self) -> Policy:
        """Return the core's value."""
        half_life, patience = self.half_life_hours, self.patience_minutes
        return Policy(
            strategy=STRATEGIES[self.strategy],
            half_life_seconds=None if half_life is None else half_life * HOUR_S,
            patience_seconds=None if patience is None else patience * MINUTE_S,
            budget_grace_seconds=self.budget_grace_minutes * MINUTE_S,
            notice_seconds=self.notice_minutes * MINUTE_S,
            clear_seconds=self.clear_seconds,
            reclaim=None if self.reclaim is None else self.reclaim.value(),
            preempt=None if self.preempt is None else self.preempt.value(),
        )


def load_policy(path: Path) -> Policy:
    """Read a policy file; raise `InvalidFile` with every problem and its line."""
    document = read(path)
    model = validated(document, PolicyModel)
    document.check()
    if model is None:  # pragma: no cover  (a model that does not hold noted its problems)
        raise AssertionError(f"{path} does not hold, and nothing says why")
    return model.value()
