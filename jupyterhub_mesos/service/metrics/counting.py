"""Counts what happens, where it happens: commits, the hub's answers, our own.

Counters begin at 0 with each process, as Prometheus expects. What is counted
of the ledger is durable: a batch that was rolled back counts as failed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram

from jupyterhub_mesos.configuration.databases import Database
from jupyterhub_mesos.errors import LedgerError, Unavailable
from jupyterhub_mesos.service.changes import Commit
from jupyterhub_mesos.service.hub_api import HubStarts, StartAnswer
from jupyterhub_mesos.service.metrics import definitions as of
from jupyterhub_mesos.service.metrics.definitions import METRICS, Metric, MetricKind
from jupyterhub_mesos.service.rows import Batch, RequestRow, ServerKey
from jupyterhub_mesos.service.store import Store
from jupyterhub_mesos_quota.events import BudgetReached, Grant, StopAllocation, WarnAllocation
from jupyterhub_mesos_quota.model import AllocationId, RequestId

REFUSED: Final = "refused"
UNAVAILABLE: Final = "unavailable"
T = TypeVar("T")


class Measures:
    """The counters and histograms, in a registry of their own; safe to use from any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        made = {metric: self._made(metric) for metric in METRICS if metric.kind is not MetricKind.GAUGE}
        self._counters = {metric: each for metric, each in made.items() if isinstance(each, Counter)}
        self._histograms = {metric: each for metric, each in made.items() if isinstance(each, Histogram)}

    def count(self, metric: Metric, *labels: str) -> None:
        """Count once."""
        counter = self._counters[metric]
        (counter.labels(*labels) if labels else counter).inc()

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Put a value into a histogram."""
        histogram = self._histograms[metric]
        (histogram.labels(*labels) if labels else histogram).observe(value)

    def timed(self, metric: Metric) -> AbstractContextManager[object]:
        """Put the seconds that the block takes into a histogram without labels."""
        return self._histograms[metric].time()

    def deciding(self, calls: int) -> AbstractContextManager[object]:
        """Note a batch of so many callers, and the time in which it is decided."""
        self.observe(of.BATCHED, calls)
        return self.timed(of.DECIDED)

    def committed(self, commit: Commit, row: Callable[[RequestId], RequestRow | None]) -> None:
        """Count what a commit did; `row` finds the request of a grant."""
        for action in commit.actions:
            match action:
                case Grant():
                    self._granted(action, row(action.allocation.request_id))
                case StopAllocation():
                    self.count(of.STOPPED, action.reason)
                case WarnAllocation():
                    self.count(of.WARNED)
                case BudgetReached():
                    self.count(of.BUDGETS_REACHED, action.team, str(action.percent))
                case _:
                    pass  # the states that follow are no news of their own

    def _granted(self, grant: Grant, row: RequestRow | None) -> None:
        if row is None:  # granted and over in one batch
            return
        self.count(of.GRANTED, row.request.kind)
        if row.request.allocations == 1:  # who was taken back has waited before
            self.observe(of.WAITED, max(grant.at - row.request.submitted_at, 0.0), row.request.kind)

    def _made(self, metric: Metric) -> Counter | Histogram:
        if metric.kind is MetricKind.HISTOGRAM:
            return Histogram(
                metric.name, metric.says, metric.labels, registry=self.registry, buckets=metric.buckets
            )
        return Counter(metric.name, metric.says, metric.labels, registry=self.registry)


class MeasuredStore(Store):
    """A store that says how long its commits take, and what was refused in them."""

    def __init__(self, database: Database, measures: Measures) -> None:
        super().__init__(database)
        self._measures = measures

    def write(self, batch: Batch) -> None:
        """Write a batch, and count it."""
        try:
            with self._measures.timed(of.COMMITTED):
                super().write(batch)
        except LedgerError:
            self._measures.count(of.COMMITS_FAILED)
            raise
        for row in batch.audit:
            if row.what == REFUSED:
                self._measures.count(of.REFUSED, str(row.data.get("code", "")))


class MeasuredHub:
    """A hub whose answers are counted."""

    def __init__(self, hub: HubStarts, measures: Measures) -> None:
        self._hub = hub
        self._measures = measures

    async def start_server(
        self, user: str, server_name: str, grant: AllocationId, options: Mapping[str, Any]
    ) -> StartAnswer:
        """Ask the hub to start a server that claims `grant`."""
        try:
            answer = await self._hub.start_server(user, server_name, grant, options)
        except Unavailable:
            self._measures.count(of.HUB_CALLED, "start", UNAVAILABLE)
            raise
        self._measures.count(of.HUB_CALLED, "start", answer)
        return answer

    async def servers(self) -> frozenset[ServerKey]:
        """List the servers that the hub believes to run, to start or to stop."""
        try:
            found = await self._hub.servers()
        except Unavailable:
            self._measures.count(of.HUB_CALLED, "list", UNAVAILABLE)
            raise
        self._measures.count(of.HUB_CALLED, "list", "ok")
        return found

    async def knows(self, user: str) -> bool:
        """Say whether the hub has a user of that name."""
        try:
            known = await self._hub.knows(user)
        except Unavailable:
            self._measures.count(of.HUB_CALLED, "look", UNAVAILABLE)
            raise
        self._measures.count(of.HUB_CALLED, "look", "ok")
        return known
