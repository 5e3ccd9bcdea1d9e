"""Joins what the ledger wants with what the backend says, one allocation at a time.

Everything that happened, a commit, a status, a time that came, only has an
allocation *looked at*; what is to be done is read from the rows then.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from typing import Final, TypeVar

from jupyterhub_mesos.backends.base import Backend
from jupyterhub_mesos.backends.timed import TimedBackend
from jupyterhub_mesos.errors import CapacityError
from jupyterhub_mesos.lake.connections import Connections
from jupyterhub_mesos.pipeline import plan as pipeline
from jupyterhub_mesos.service.generations import Generations
from jupyterhub_mesos.service.holding.keeper import Keeper
from jupyterhub_mesos.service.hub_api import HubStarts
from jupyterhub_mesos.service.jobs import Jobs
from jupyterhub_mesos.service.launcher import (
    UNKNOWN_TO_BACKEND,
    ControllerSettings,
    LakeMounts,
    Launcher,
    closing,
)
from jupyterhub_mesos.service.leavers import Leavers
from jupyterhub_mesos.service.ledger import Change, Commit, Ledger
from jupyterhub_mesos.service.notebooks import Notebooks
from jupyterhub_mesos.service.offers import Offers
from jupyterhub_mesos.service.pipelines import Pipelines
from jupyterhub_mesos.service.progress import Progress
from jupyterhub_mesos.service.retention import Retention
from jupyterhub_mesos.service.rows import RequestRow, TaskPhase, TaskRow, TaskUpdate
from jupyterhub_mesos.service.servers import Servers
from jupyterhub_mesos.service.vitals import Vitals
from jupyterhub_mesos.service.workqueue import WorkQueue
from jupyterhub_mesos.serving.plan import serving_token
from jupyterhub_mesos.tasks import Endpoint, TaskState, TaskStatus
from jupyterhub_mesos_quota.events import (
    AllocationLost,
    AllocationReturned,
    GoneReason,
    NodeRemoved,
    NodeSeen,
    TimePassed,
)
from jupyterhub_mesos_quota.model import Allocation, AllocationId, AllocationState, RequestId, WorkloadKind

__all__ = ["Controller", "ControllerSettings", "LakeMounts"]

log: Final = logging.getLogger(__name__)
K = TypeVar("K", bound=Hashable)

WATCH: Final = "watch"
CAPACITY: Final = "capacity"
HUB: Final = "hub"
RETENTION: Final = "retention"
TIME: Final = "time"
HOLDING: Final = "holding"
LOOK_SECONDS: Final = 0.2
"""The least between two looks at what is due by time alone: many commits make one look."""
HEARD_AT_ONCE: Final = 500
"""Statuses of tasks that are being written down; the ledger makes one commit of what waits for it."""
SILENT_ROUNDS: Final = 3
"""Reports of its nodes that a backend may miss before `/health` says so."""
ROUNDS: Final = (WATCH, CAPACITY, HUB, RETENTION, TIME, HOLDING)


def jitter() -> float:
    """Return a factor that spreads retries."""
    return random.uniform(0.75, 1.0)  # noqa: S311  spreads retries; nothing secret hangs on it


class Controller:
    """Owns the reconcile of every allocation; `run` is its whole life."""

    def __init__(
        self,
        ledger: Ledger,
        backend: Backend,
        lake: LakeMounts,
        hub: HubStarts | None,
        settings: ControllerSettings,
    ) -> None:
        self._ledger = ledger
        backend = self._backend = TimedBackend(backend, settings.backend_seconds)
        self._settings = settings
        backoff = settings.backoff_seconds, settings.backoff_cap_seconds
        self._allocations = WorkQueue[AllocationId](*backoff, jitter)
        self._posts = WorkQueue[AllocationId](*backoff, jitter)
        self._families = WorkQueue[RequestId](*backoff, jitter)
        self._rounds = WorkQueue[str](*backoff, jitter)
        self.vitals = Vitals(ledger.clock, SILENT_ROUNDS * settings.capacity_seconds)
        self._launcher = Launcher(ledger, backend, lake, settings)
        self._offers = Offers(ledger, hub, settings, self._posts)
        self._leavers = Leavers(ledger, hub)
        self.keeper = Keeper(ledger, settings.confirm_minutes)
        self._retention = Retention(ledger, backend, settings.output_seconds)
        generations = Generations(self._launcher)
        self.progress = Progress(self._launcher)
        self.jobs = Jobs(generations)
        self.servers = Servers(generations)
        self.pipelines = Pipelines(self._launcher, generations, self.progress)
        self.notebooks = Notebooks(
            self._launcher,
            look=self.look,
            offer=self._offers.offer,
            count_failure=self._offers.count_failure,
        )
        self._unsubscribe: Callable[[], None] | None = None
        self._time_told_at = 0.0

    # ---- life ----------------------------------------------------------------------------------

    async def open(self) -> None:
        """Ask the backend what really runs, join it with the ledger, report the nodes; both are open."""
        self._unsubscribe = self._ledger.subscribe(self._committed)
        await self._join()
        await self._report_nodes()
        for allocation_id in tuple(self._ledger.machine.allocations):
            self.look(allocation_id)
        self._clear_up_after(frozenset(row.id for row in self._ledger.rows()))

    async def run(self) -> None:
        """Work until cancelled."""
        for name in ROUNDS:
            self._rounds.add(name)
        async with asyncio.TaskGroup() as group:
            for _ in range(self._settings.workers):
                group.create_task(self._work(self._allocations, self._reconcile))
            for _ in range(self._settings.post_window):
                group.create_task(self._work(self._posts, self._offers.step))
            group.create_task(self._work(self._families, self.pipelines.end_jobs_of))
            for _ in ROUNDS:
                group.create_task(self._work(self._rounds, self._round))

    async def close(self) -> None:
        """Let go after `run` was cancelled; what runs goes on."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._allocations.clear()
        self._posts.clear()
        self._families.clear()
        self._rounds.clear()

    def look(self, allocation_id: AllocationId) -> None:
        """Have an allocation reconciled soon."""
        self._allocations.add(allocation_id)

    @property
    def connections(self) -> Connections:
        """The data sources beside the lake's folders."""
        return self._settings.connections

    def secret(self, allocation_id: AllocationId) -> str:
        """Return the secret that an allocation shares with us."""
        return self._launcher.secret(allocation_id)

    def serving_token(self, request_id: RequestId) -> str | None:
        """Return what the model server of a request asks its callers for; None where nothing runs."""
        allocation = self._ledger.allocation_of(request_id)
        return None if allocation is None else serving_token(self._launcher.secret(allocation.id))

    def endpoint(self, request_id: RequestId) -> Endpoint | None:
        """Return where the first replica of what runs of a request listens."""
        allocation = self._ledger.allocation_of(request_id)
        tasks = self._ledger.tasks_of(allocation.id) if allocation is not None else ()
        newest = max((task.generation for task in tasks), default=0)
        for task in tasks:
            if task.generation == newest and task.index == 0 and task.phase is TaskPhase.RUNNING:
                return task.endpoint
        return None

    async def _work(self, queue: WorkQueue[K], step: Callable[[K], Awaitable[float | None]]) -> None:
        async def settled(key: K) -> float | None:
            await self._ledger.settled()  # nothing is done on the word of what is not durable yet
            return await step(key)

        await queue.work(settled)

    # ---- the rounds ------------------------------------------------------------------------------

    async def _round(self, name: str) -> float | None:
        """Do one of the things that go on all the time; return when to do it again."""
        if name == CAPACITY:
            await self._ledger.check_owner()
            await self._report_nodes()
            return self._settings.capacity_seconds
        if name == TIME:
            return await self._pass_time()
        if name == HOLDING:
            return await self.keeper.step()
        if name == HUB:
            with self.vitals.hub():
                await self._offers.compare()
                await self._leavers.look()
            return self._settings.hub_seconds
        if name == RETENTION:
            await self._retention.step()
            return self._settings.retention_seconds
        with self.vitals.watch():
            statuses = self._backend.watch()
            async with closing(statuses):
                await self._hear_all(statuses)
        return self._settings.backoff_seconds  # the backend ended the watch: begin another one

    async def _pass_time(self) -> float:
        """Tell the machine that time has passed, where something is due by it; return when to look again.

        Its patience with who waits ends without a deadline: where it has some, it is told now and then.
        """
        longest, has_patience = self._settings.time_seconds, self._ledger.policy.patience_seconds is not None
        at, due = self._ledger.clock(), self._ledger.machine.next_deadline()
        is_late = has_patience and not 0 <= at - self._time_told_at < longest
        if is_late or (due is not None and due <= at):
            self._time_told_at = at
            await self._ledger.apply(Change(TimePassed(at), why="time passed"))
            due = self._ledger.machine.next_deadline()
        return longest if due is None else min(max(due - at, LOOK_SECONDS), longest)

    async def _report_nodes(self) -> None:
        """Tell the machine of nodes that are new, changed or gone."""
        nodes = {node.id: node for node in await self._backend.capacity()}
        self.vitals.backend_answered()
        known = self._ledger.machine.reported_nodes  # not `nodes`: an admin may have closed one
        at = self._ledger.clock()
        changes = [
            Change(NodeSeen(at, node), why=f"reported by {self._backend.name}")
            for node in nodes.values()
            if known.get(node.id) != node
        ]
        changes += [
            Change(NodeRemoved(at, node), why="not reported any more") for node in known if node not in nodes
        ]
        if changes:
            await self._ledger.apply(*changes)

    async def _hear_all(self, statuses: AsyncIterator[TaskStatus]) -> None:
        """Write down every status, in order; what comes together is one commit."""
        places = asyncio.Semaphore(HEARD_AT_ONCE)

        async def heard(status: TaskStatus) -> None:
            try:
                await self._heard(status)
            finally:
                places.release()

        broken: CapacityError | None = None
        try:
            async with asyncio.TaskGroup() as group:
                try:
                    async for status in statuses:
                        await places.acquire()
                        group.create_task(heard(status))
                except CapacityError as error:  # what was heard before is written down all the same
                    broken = error
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        if broken is not None:
            raise broken

    async def _heard(self, status: TaskStatus) -> None:
        row = self._ledger.task(status.id)
        if row is None:
            await self._stray(status)
            return
        update = TaskUpdate.of(status)
        if update.applied(row, row.at) is not row:
            log.info("task %s: %s -> %s", status.id, row.phase.value, status.state.value)
            await self._ledger.apply(Change(None, (update,), who=self._backend.name))

    async def _stray(self, status: TaskStatus) -> None:
        """Stop a task that the ledger does not know; what is gone keeps its output."""
        if status.state is not TaskState.GONE:
            log.warning("task %s: it runs and is not in the ledger; it is stopped", status.id)
            await self._backend.stop(status.id, self._settings.stop_grace_seconds)

    async def _join(self) -> None:
        """Join ledger and backend both ways, after a time in which nobody looked."""
        statuses = {status.id: status for status in await self._backend.tasks()}
        for status in statuses.values():
            await self._heard(status)
        rows = tuple(self._ledger.memory.tasks.values())
        updates = [_missing(row) for row in rows if not row.is_gone and row.id not in statuses]
        await self._ledger.apply(Change(None, tuple(update for update in updates if update is not None)))

    # ---- the reconcile ---------------------------------------------------------------------------

    def _committed(self, commit: Commit) -> None:
        if commit.requests or commit.allocations:
            self._rounds.add_after(TIME, LOOK_SECONDS)
            self._rounds.add_after(HOLDING, LOOK_SECONDS)
        for allocation_id in commit.allocations:
            self.look(allocation_id)
        for request_id in commit.requests:
            if self._ledger.row(request_id) is None:
                self._offers.drop_request(request_id)
                self.progress.drop(request_id)
        self._clear_up_after(commit.requests)

    def _clear_up_after(self, changed: frozenset[RequestId]) -> None:
        """Have the jobs of pipelines that are over ended soon."""
        for request_id in self.pipelines.ended(changed):
            self._families.add(request_id)

    async def _reconcile(self, allocation_id: AllocationId) -> float | None:
        """Bring one allocation a step further; return after how long to look again, if by time alone."""
        allocation = self._ledger.machine.allocations.get(allocation_id)
        row = self._ledger.row(allocation.request_id) if allocation is not None else None
        if allocation is None or row is None or allocation.state is AllocationState.GONE:
            self._drop(allocation_id)
            return None
        if allocation.state is AllocationState.STOPPING:
            return await self._stop(allocation)
        if await self._moved_with_its_node(allocation):
            return None
        if allocation.state is AllocationState.RUNNING:
            self._offers.drop_request(row.id)
        return await self._drive(row, allocation)

    async def _drive(self, row: RequestRow, allocation: Allocation) -> float | None:
        match row.request.kind:
            case WorkloadKind.NOTEBOOK:
                return await self.notebooks.reconcile(row, allocation)
            case WorkloadKind.TRAINING:
                return await self.jobs.reconcile(row, allocation)
            case WorkloadKind.SERVING:
                return await self.servers.reconcile(row, allocation)
            case WorkloadKind.PIPELINE:
                return await self.pipelines.reconcile(row, allocation)

    async def _stop(self, allocation: Allocation) -> float | None:
        """Stop everything of an allocation; it is gone when the backend says so of every task."""
        row = self._ledger.row(allocation.request_id)
        is_pipeline = row is not None and row.request.kind is WorkloadKind.PIPELINE
        grace = pipeline.STOP_GRACE_SECONDS if is_pipeline else None
        again = await self._launcher.stop(self._ledger.tasks_of(allocation.id), grace)
        if again is None:
            await self._launcher.finish(allocation, GoneReason.STOPPED, None, "it was stopped")
        return again

    async def _moved_with_its_node(self, allocation: Allocation) -> bool:
        """Follow the node of an allocation into silence and back; say whether there is nothing else to do."""
        tasks = self._ledger.tasks_of(allocation.id)
        is_silent = any(task.phase is TaskPhase.LOST for task in tasks)
        at = self._ledger.clock()
        if allocation.state is AllocationState.LOST:
            if not is_silent and not all(task.is_gone for task in tasks):
                await self._ledger.apply(
                    Change(AllocationReturned(at, allocation.id), why="its node answers")
                )
                return True
            return is_silent
        if is_silent and allocation.state is not AllocationState.GRANTED:
            await self._ledger.apply(Change(AllocationLost(at, allocation.id), why="its node is silent"))
            return True
        return False

    def _drop(self, allocation_id: AllocationId) -> None:
        self._launcher.drop(allocation_id)
        self._offers.drop(allocation_id)
        self.notebooks.drop(allocation_id)


def _missing(row: TaskRow) -> TaskUpdate | None:
    """Say what it means that the backend does not know a task."""
    if row.phase is TaskPhase.RESERVED:
        return None
    if row.phase is TaskPhase.STARTING:  # its launch was cut off before the first step: it is repeated
        return TaskUpdate(row.id, TaskPhase.RESERVED)
    return TaskUpdate(row.id, TaskPhase.GONE, None, UNKNOWN_TO_BACKEND)
