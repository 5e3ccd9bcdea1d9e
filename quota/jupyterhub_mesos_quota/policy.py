"""What an operator may decide about the order and about taking back; a value, handed to the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from jupyterhub_mesos_quota.claims import MOST_HOLDS
from jupyterhub_mesos_quota.strategies import FAIR, Strategy


@dataclass(frozen=True, slots=True)
class Reclaim:
    """How a lent guarantee is taken back.

    `min_runtime_seconds`: nobody is taken before it has run for so long.
    `grace_seconds`: between a notebook's warning and its stop; other workloads are stopped at once.
    `requeues_first`: who was stopped to wait again goes before all of its priority, not at its old rank.
    """

    min_runtime_seconds: float = 0.0
    grace_seconds: float = 300.0
    requeues_first: bool = False


@dataclass(frozen=True, slots=True)
class Preempt:
    """How a request takes running work of lower priority of its own team.

    `min_runtime_seconds`: nobody is taken before it has run for so long. `grace_seconds`: between a
    notebook's warning and its stop.
    """

    min_runtime_seconds: float = 0.0
    grace_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Policy:
    """How the machine decides where there is a choice; seconds throughout.

    `half_life_seconds`: of past use, where the strategy counts it; None counts none.
    `patience_seconds`: who borrows and has waited for so long gets
    room laid aside against everybody who borrows; None for never.
    `budget_grace_seconds`: between a budget's end and the stop of what runs on it.
    `notice_seconds`: before a time limit is reached, its owner is told.
    `clear_seconds`: between a stop and when its room is free, as reservations reckon with it.
    `reclaim`: None where guarantees wait until what is lent ends by itself.
    `preempt`: None where a higher priority waits until what runs of its team ends by itself.
    """

    strategy: Strategy = FAIR
    half_life_seconds: float | None = None
    patience_seconds: float | None = None
    most_holds: int = MOST_HOLDS
    budget_grace_seconds: float = 600.0
    notice_seconds: float = 600.0
    clear_seconds: float = 60.0
    reclaim: Reclaim | None = None
    preempt: Preempt | None = None


DEFAULT_POLICY: Final = Policy()
