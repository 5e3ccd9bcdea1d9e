"""One row of a trace: who asked for what, when, and for how long it ran."""

from __future__ import annotations

from dataclasses import dataclass

from jupyterhub_mesos_quota.model import WorkloadKind
from jupyterhub_mesos_quota.resources import Resources


@dataclass(frozen=True, slots=True)
class Job:
    """Somebody asked for `replicas` x `resources`, all or none, and used them for `duration_s`.

    Times are in seconds, from whatever moment the trace counts from. Jobs of one `session` (the cells of a
    notebook) run one after the other: where one is late, those after it come as much later, so that the time
    between them, in which a person thinks, is kept.
    """

    id: str
    team: str
    user: str
    kind: WorkloadKind
    submit_s: float
    duration_s: float
    replicas: int
    resources: Resources
    priority: int = 0
    max_seconds: float | None = None
    session: str | None = None
