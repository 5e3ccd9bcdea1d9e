"""What an operator may decide about the order and about taking back; a value, handed to the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from jupyterhub_mesos_quota.claims import MOST_HOLDS
from jupyterhub_mesos_quota.strategies import FAIR, Strategy


@dataclass(frozen=True, slots=True)
class Policy:
    """How the machine decides where there is a choice; seconds throughout.

    `half_life_seconds`: of past use, where the strategy counts it; None counts none.
    `patience_seconds`: a size that waits for so long without one starting gets
    room laid aside against everybody who borrows; None for never.
    """

    strategy: Strategy = FAIR
    half_life_seconds: float | None = None
    patience_seconds: float | None = None
    most_holds: int = MOST_HOLDS


DEFAULT_POLICY: Final = Policy()
