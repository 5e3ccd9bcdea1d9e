"""Every metric, as data: docs/reference/metrics.md, the registry and the dashboard are held against it.

Names: `jupyterhub_mesos_<noun>_<verb>_<unit>`. No label names a person, a
request or a node, so that there are as many series as teams, flavors and
routes, however many people there are. An *amount* is `cpu_millis` (thousandths
of a core), `mem_mib` (MiB) or `accelerator/FLAVOR` (whole ones).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PREFIX: Final = "jupyterhub_mesos_"


class MetricKind(StrEnum):
    """What Prometheus knows of."""

    GAUGE = "gauge"  # how it stands now
    COUNTER = "counter"  # how often since this process began; its name ends in `_total`
    HISTOGRAM = "histogram"  # how long or how much, each time


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; `buckets` (upper bounds, in the name's unit) of a histogram alone."""

    noun_verb_unit: str
    kind: MetricKind
    says: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """The name that Prometheus shows."""
        return PREFIX + self.noun_verb_unit


_FAST: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""Seconds around what a commit and a decision are to take (1 ms and 15 ms), up to a stuck disk."""
_WAITS: Final = (1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0, 12 * 3600.0, 24 * 3600.0, 7 * 86400.0)
"""Seconds from "at once" over a coffee and a working day to a week."""
_CALLS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
"""Callers in one transaction, up to the ledger's largest batch."""

CAPACITY_OFFERED: Final = Metric(
    "capacity_offered_amount", MetricKind.GAUGE, "What the nodes that take new work have in all.", ("amount",)
)
CAPACITY_USED: Final = Metric(
    "capacity_used_amount", MetricKind.GAUGE, "What is given out, on all nodes.", ("amount",)
)
CAPACITY_FREE: Final = Metric(
    "capacity_free_amount", MetricKind.GAUGE, "What is free on nodes that take new work.", ("amount",)
)
NODES: Final = Metric(
    "nodes_known_count", MetricKind.GAUGE, "Nodes, by whether they take new work.", ("schedulable",)
)
TEAM_USED: Final = Metric(
    "team_used_amount", MetricKind.GAUGE, "What a team and those below it hold.", ("team", "amount")
)
TEAM_GUARANTEED: Final = Metric(
    "team_guaranteed_amount", MetricKind.GAUGE, "What a team is guaranteed.", ("team", "amount")
)
TEAM_BORROWED: Final = Metric(
    "team_borrowed_amount", MetricKind.GAUGE, "What a team holds above its guarantee.", ("team", "amount")
)
TEAM_WAITING: Final = Metric(
    "team_waiting_requests",
    MetricKind.GAUGE,
    "Requests of a team and of those below it that wait.",
    ("team",),
)
QUEUE_WAITING: Final = Metric("queue_waiting_requests", MetricKind.GAUGE, "Requests that wait, of all teams.")
STREAMS_OPEN: Final = Metric(
    "streams_open_count", MetricKind.GAUGE, "Pages that listen to events (server-sent events)."
)
COMPLAINTS: Final = Metric(
    "service_missing_parts", MetricKind.GAUGE, "How many of the parts that `/ready` asks do not answer."
)
GRANTED: Final = Metric(
    "allocations_granted_total", MetricKind.COUNTER, "Grants, by kind of workload.", ("kind",)
)
STOPPED: Final = Metric(
    "allocations_stopped_total",
    MetricKind.COUNTER,
    "Stops sent, by reason: `ended`, `reclaimed`, `preempted`, `over-budget`, `time-limit`, `drained`, "
    "`reserved`, `user-left`.",
    ("reason",),
)
WARNED: Final = Metric(
    "allocations_warned_total", MetricKind.COUNTER, "Owners told that their workload will be stopped."
)
REFUSED: Final = Metric(
    "changes_refused_total",
    MetricKind.COUNTER,
    "Changes that were refused and audited, by the problem's code.",
    ("code",),
)
WAITED: Final = Metric(
    "requests_waited_seconds",
    MetricKind.HISTOGRAM,
    "From a request to its first grant, by kind of workload.",
    ("kind",),
    _WAITS,
)
BUDGETS_REACHED: Final = Metric(
    "budgets_reached_total",
    MetricKind.COUNTER,
    "How often a team, or a user of it, reached so many percent of a budget.",
    ("team", "percent"),
)
DECIDED: Final = Metric(
    "ledger_decided_seconds",
    MetricKind.HISTOGRAM,
    "Time in which the decision core handles one batch; the event loop is held for so long.",
    buckets=_FAST,
)
COMMITTED: Final = Metric(
    "ledger_committed_seconds",
    MetricKind.HISTOGRAM,
    "Time in which one batch is made durable.",
    buckets=_FAST,
)
BATCHED: Final = Metric(
    "ledger_batched_calls",
    MetricKind.HISTOGRAM,
    "Callers whose changes are one batch (group commit).",
    buckets=_CALLS,
)
COMMITS_FAILED: Final = Metric(
    "ledger_failed_total", MetricKind.COUNTER, "Batches that could not be made durable."
)
HUB_CALLED: Final = Metric(
    "hub_called_total",
    MetricKind.COUNTER,
    "Calls of the hub's REST API, by call and outcome; `unavailable` is one that the hub did not answer.",
    ("call", "outcome"),
)
HTTP_ANSWERED: Final = Metric(
    "http_answered_total",
    MetricKind.COUNTER,
    "Answers over HTTP, by method, route and status; a stream counts when it ends.",
    ("method", "route", "status"),
)

METRICS: Final = (
    *(CAPACITY_OFFERED, CAPACITY_USED, CAPACITY_FREE, NODES),
    *(TEAM_USED, TEAM_GUARANTEED, TEAM_BORROWED, TEAM_WAITING),
    *(QUEUE_WAITING, WAITED, GRANTED, STOPPED, WARNED, REFUSED, BUDGETS_REACHED),
    *(DECIDED, COMMITTED, BATCHED, COMMITS_FAILED),
    *(HUB_CALLED, HTTP_ANSWERED, STREAMS_OPEN, COMPLAINTS),
)
