"""The decision core: pure, deterministic, the standard library alone."""

from jupyterhub_mesos_quota.book import Forgotten
from jupyterhub_mesos_quota.errors import (
    IllegalMove,
    InvariantBroken,
    Overbooked,
    OverLimit,
    QuotaError,
    RefusedRename,
    RefusedRequest,
    RefusedReservation,
    TreeError,
    UnknownAllocation,
    UnknownRequest,
    UnknownReservation,
    UnknownTeam,
)
from jupyterhub_mesos_quota.explain import Explanation
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.tree import TeamTree

__all__ = [
    "Explanation",
    "Forgotten",
    "IllegalMove",
    "InvariantBroken",
    "OverLimit",
    "Overbooked",
    "QuotaError",
    "QuotaMachine",
    "RefusedRename",
    "RefusedRequest",
    "RefusedReservation",
    "TeamTree",
    "TreeError",
    "UnknownAllocation",
    "UnknownRequest",
    "UnknownReservation",
    "UnknownTeam",
]
