"""What the machine knows beside requests, allocations, teams and nodes: a value for the ledger to keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from jupyterhub_mesos_quota.model import NodeId, TeamId
from jupyterhub_mesos_quota.past import PastUse


@dataclass(frozen=True, slots=True)
class Kept:
    """Past use per team, and the levers that an admin pulled.

    `paused` are the teams whose queues are paused (None: all of it),
    `cordoned` the nodes that take nothing new.
    """

    past: tuple[PastUse, ...] = ()
    paused: frozenset[TeamId | None] = frozenset()
    cordoned: frozenset[NodeId] = frozenset()


NOTHING_KEPT: Final = Kept()
