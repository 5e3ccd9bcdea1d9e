"""What the machine knows beside requests, allocations, teams and nodes: a value for the ledger to keep."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from jupyterhub_mesos_quota.budgets import Spent
from jupyterhub_mesos_quota.model import NodeId, Reservation, TeamId, UserName
from jupyterhub_mesos_quota.past import PastUse


@dataclass(frozen=True, slots=True)
class Kept:
    """Past use per team, what was spent of budgets, and the levers that an admin pulled.

    `budget_stops` says for whom, and when, what runs on a budget that is used up is stopped.
    `paused` are the teams whose queues are paused (None: all of it),
    `cordoned` the nodes that take nothing new, `reservations` what is booked and not over.
    `at` is the last moment that was told of, in Unix seconds: what is booked is open or not by then.
    """

    past: tuple[PastUse, ...] = ()
    spent: tuple[Spent, ...] = ()
    budget_stops: tuple[tuple[TeamId, UserName | None, float], ...] = ()
    paused: frozenset[TeamId | None] = frozenset()
    cordoned: frozenset[NodeId] = frozenset()
    reservations: tuple[Reservation, ...] = ()
    at: float = field(default=0.0, compare=False)


NOTHING_KEPT: Final = Kept()
