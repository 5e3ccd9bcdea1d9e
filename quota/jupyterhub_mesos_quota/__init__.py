"""The decision core: pure, deterministic, the standard library alone."""

from jupyterhub_mesos_quota.book import Forgotten
from jupyterhub_mesos_quota.errors import (
    IllegalMove,
    InvariantBroken,
    OverLimit,
    QuotaError,
    RefusedRequest,
    TreeError,
    UnknownAllocation,
    UnknownRequest,
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
    "QuotaError",
    "QuotaMachine",
    "RefusedRequest",
    "TeamTree",
    "TreeError",
    "UnknownAllocation",
    "UnknownRequest",
    "UnknownTeam",
]
