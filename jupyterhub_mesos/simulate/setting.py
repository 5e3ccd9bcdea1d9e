"""Under which quotas a trace is replayed, and on what: a value."""

from __future__ import annotations

from dataclasses import dataclass, field

from jupyterhub_mesos.simulate.delays import Delays
from jupyterhub_mesos_quota.model import Node, Team
from jupyterhub_mesos_quota.policy import DEFAULT_POLICY, Policy


@dataclass(frozen=True, slots=True)
class Setting:
    """Teams and policy as the service would have them, and the nodes that are there all the time."""

    teams: tuple[Team, ...]
    nodes: tuple[Node, ...]
    policy: Policy = DEFAULT_POLICY
    delays: Delays = field(default_factory=Delays)
