"""What every kind of workload does with the tasks of an allocation: reserve, launch, stop, end.

Each irreversible step is stored before the next is taken; everything may be
repeated after a crash. The caller has the allocation to itself (the work queue).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

from jupyterhub_mesos.backends.base import Backend
from jupyterhub_mesos.errors import BackendError, InvalidInput, WorkloadError
from jupyterhub_mesos.lake import handout
from jupyterhub_mesos.lake.connections import Connections
from jupyterhub_mesos.service.holding.standing import CONFIRM_MINUTES
from jupyterhub_mesos.service.ledger import Change, Ledger
from jupyterhub_mesos.service.rows import (
    JobRow,
    Outcome,
    Record,
    RequestRow,
    TaskPhase,
    TaskRow,
    TaskUpdate,
)
from jupyterhub_mesos.tasks import (
    Mount,
    MountMode,
    TaskContext,
    TaskId,
    TaskSpec,
    TaskState,
    task_id,
    verbatim,
)
from jupyterhub_mesos_quota.events import AllocationGone, AllocationStarted, GoneReason
from jupyterhub_mesos_quota.model import Allocation, AllocationId, AllocationState, Request

log: Final = logging.getLogger(__name__)

NEVER_STARTED: Final = "it was never started"
UNKNOWN_TO_BACKEND: Final = "the backend no longer knows it: its machine was restarted, or it was removed"


class LakeMounts(Protocol):
    """The data lake as the controller uses it."""

    def prepare(self, team: str) -> Path:
        """Make the team's folder where it is missing."""
        ...

    def mounts(self, team: str, user: str) -> tuple[Mount, ...]:
        """Return what the team's tasks see of the lake."""
        ...

    def env(self, team: str) -> Mapping[str, str]:
        """Return the variables that lead the team's tasks to the lake."""
        ...

    def groups(self, team: str) -> tuple[int, ...]:
        """Return the group ids of the team's tasks, by which its members share files."""
        ...


@dataclass(frozen=True, slots=True)
class ControllerSettings:
    """How the controller works; times in seconds.

    `start_timeout_seconds`: from the claim, or from a generation's begin, until everything runs.
    `time_seconds`: the longest between two looks at the clock, so that a clock that was set is noticed.
    `claim_seconds`: from a start that the hub took until its claim.
    `give_up_after`: failed starts of a notebook until its request ends.
    `confirm_minutes`: for how long a start that its owner confirmed may look for room.
    `backend_seconds`: for how long an answer of the backend, or a step of a launch, is waited for.
    `output_seconds`: for how long the output of an allocation that is gone is kept.
    `api_url`: where tasks reach this service, its prefix included.
    `environments`: the Python prefix that an admin ships, by profile; tasks see each of them, read-only.
    `connections`: the data sources beside the lake's folders.
    `job_key`: what the secret that a job's replicas share is derived from; the same after a restart.
    """

    python: str = sys.executable
    api_url: str = ""
    connections: Connections = field(default_factory=Connections)
    start_timeout_seconds: float = 300.0
    capacity_seconds: float = 10.0
    hub_seconds: float = 60.0
    time_seconds: float = 30.0
    claim_seconds: float = 15.0
    launch_wait_seconds: float = 2.0
    output_seconds: float = 7 * 86400.0
    retention_seconds: float = 600.0
    post_window: int = 10
    workers: int = 64
    stop_grace_seconds: float = 10.0
    backend_seconds: float = 60.0
    backoff_seconds: float = 0.5
    backoff_cap_seconds: float = 30.0
    give_up_after: int = 5
    confirm_minutes: int = CONFIRM_MINUTES
    environments: Mapping[str, str] = field(default_factory=dict[str, str])
    job_key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)


class Launcher:
    """Tasks between ledger and backend; what it remembers is only what a repetition would find anyway."""

    def __init__(
        self, ledger: Ledger, backend: Backend, lake: LakeMounts, settings: ControllerSettings
    ) -> None:
        self.ledger = ledger
        self.backend = backend
        self.settings = settings
        self._lake = lake
        self._launched: set[TaskId] = set()
        self._stopped_at: dict[TaskId, float] = {}

    # ---- begin ---------------------------------------------------------------------------------

    async def reserve(
        self, allocation: Allocation, generation: int, role: str, ports: Sequence[str]
    ) -> tuple[TaskRow, ...]:
        """Choose an endpoint for each placement; the rows are not stored yet."""
        rows: list[TaskRow] = []
        for index, placement in enumerate(allocation.placements):
            endpoint = await self.backend.reserve(placement.node, ports)
            name = task_id(allocation.id, generation, role, index)
            at = self.ledger.clock()
            rows.append(
                TaskRow(name, allocation.id, role, index, generation, placement.node, endpoint, at=at)
            )
        return tuple(rows)

    async def context(self, request: Request, allocation: Allocation) -> TaskContext:
        """Return what a workload's plan needs; makes the team's folder in the lake."""
        await asyncio.to_thread(self._lake.prepare, request.team)
        connections = self.settings.connections.of((request.team,))
        secret = self.secret(allocation.id)
        return TaskContext(
            allocation_id=allocation.id,
            user=request.user,
            team=request.team,
            placements=allocation.placements,
            python=self.settings.python,
            mounts=(*self._lake.mounts(request.team, request.user), *self._environments()),
            env={
                "CAPACITY_TEAM": verbatim(request.team),  # whom what it starts is charged to
                **self._lake.env(request.team),
                **handout.environment(
                    connections, self.settings.api_url, handout.lake_token(allocation.id, secret)
                ),
                "JOB_SECRET": secret,
            },
            files=handout.files(connections, self.settings.python),
            groups=await asyncio.to_thread(self._lake.groups, request.team),
        )

    def _environments(self) -> Iterator[Mount]:
        """Show tasks what admins ship, wherever it lies; one that was removed keeps nobody from starting."""
        for prefix in sorted(set(self.settings.environments.values())):
            if Path(prefix).is_dir():
                yield Mount(prefix, prefix, MountMode.READ_ONLY)

    def secret(self, allocation_id: AllocationId) -> str:
        """Return what the tasks of an allocation, and only they, share with us; the same after a restart."""
        return hmac.new(self.settings.job_key, allocation_id.encode(), hashlib.sha256).hexdigest()

    @asynccontextmanager
    async def launching(self, row: RequestRow, job: JobRow) -> AsyncGenerator[None]:
        """Tell a request's owner why its launch failed.

        What cannot succeed is taken here: everything of the allocation is being stopped from then on,
        for that reason. What may, a `BackendError`, is raised again for the work queue to retry.
        """
        try:
            yield
        except (InvalidInput, WorkloadError) as error:
            log.info("allocation %s: it cannot start: %s", job.allocation_id, error)
            await self.write(replace(job, is_stopping=f"It cannot start: {error}"))
        except BackendError as error:
            message = f"The start failed and is tried again: {error}"
            if message != row.message:
                await self.write(Outcome(row.id, None, message))
            raise

    async def launch(self, spec: TaskSpec) -> None:
        """Launch one task, or find it launched; every checkpoint is stored before the next step.

        Raises `WorkloadError` for a task that the backend could not start and that is gone.
        """
        row = self.ledger.task(spec.id)
        if row is None or spec.id in self._launched:
            return
        if row.phase not in {TaskPhase.RESERVED, TaskPhase.STARTING}:
            return
        await self.write(TaskUpdate(spec.id, TaskPhase.STARTING))
        try:
            if not await self._while_wanted(spec, self._take_steps(spec)):
                return
        except BackendError as error:
            if await self._is_gone(spec.id):  # a repetition would find it gone, and start nothing
                raise WorkloadError(str(error)) from error
            raise
        self._launched.add(spec.id)
        log.info("task %s: launched on %s", spec.id, spec.node)

    async def _while_wanted(self, spec: TaskSpec, steps: Coroutine[Any, Any, None]) -> bool:
        """Await the steps of a launch; give it up, and say so, once the end of its request is wanted."""
        taking = asyncio.ensure_future(steps)
        unwanted = asyncio.ensure_future(self.ledger.until(lambda: self._is_unwanted(spec.allocation_id)))
        try:
            await asyncio.wait((taking, unwanted), return_when=asyncio.FIRST_COMPLETED)
            if not taking.done():
                return False
            await taking
            return True
        finally:
            for each in (taking, unwanted):
                each.cancel()
            await asyncio.gather(taking, unwanted, return_exceptions=True)

    def _is_unwanted(self, allocation_id: AllocationId) -> bool | None:
        """Answer True where nobody waits for an allocation's start any more, else nothing."""
        allocation = self.ledger.machine.allocations.get(allocation_id)
        row = self.ledger.row(allocation.request_id) if allocation is not None else None
        return True if row is None or row.request.is_ending else None

    async def _take_steps(self, spec: TaskSpec) -> None:
        checkpoints = self.backend.launch(spec)
        async with closing(checkpoints):
            async for checkpoint in checkpoints:
                step = {"step": checkpoint.step, **dict(checkpoint.data)}
                await self.write(TaskUpdate(checkpoint.task_id, checkpoint=step))

    async def _is_gone(self, name: TaskId) -> bool:
        statuses = await self.backend.tasks()
        return any(status.id == name and status.state is TaskState.GONE for status in statuses)

    async def started(self, allocation: Allocation, tasks: Sequence[TaskRow]) -> None:
        """Say that every task runs, if so and if it is news."""
        runs = bool(tasks) and all(task.phase is TaskPhase.RUNNING for task in tasks)
        if runs and allocation.state is AllocationState.STARTING:
            event = AllocationStarted(self.ledger.clock(), allocation.id)
            quiet = Outcome(allocation.request_id, None)  # what was said of failed starts is over
            await self.ledger.apply(Change(event, (quiet,), why="every task runs"))

    def is_overdue(self, tasks: Sequence[TaskRow]) -> bool:
        """Say whether tasks that do not run yet have had their time to start."""
        return self.overdue_in(tasks) <= 0

    def overdue_in(self, tasks: Sequence[TaskRow]) -> float:
        """Return how many seconds tasks that do not run yet have left."""
        began = min((task.at for task in tasks), default=self.ledger.clock())
        return began + self.settings.start_timeout_seconds - self.ledger.clock()

    # ---- end -----------------------------------------------------------------------------------

    async def stop(self, tasks: Sequence[TaskRow], grace_seconds: float | None = None) -> float | None:
        """Ask for the end of tasks; those that never came to life are gone at once.

        Returns after how long to look again, None when all of them are gone.
        """
        live = [task for task in tasks if not task.is_gone]
        if not live:
            return None
        grace = self.settings.stop_grace_seconds if grace_seconds is None else grace_seconds
        known = {status.id: status for status in await self.backend.tasks()}
        for task in live:
            status = known.get(task.id)
            if status is None:
                await self.write(_vanished(task))
            elif status.state is TaskState.GONE:
                await self.write(TaskUpdate.of(status))
            else:
                await self._stop(task, grace)
        return 2 * grace + 1

    async def _stop(self, task: TaskRow, grace: float) -> None:
        """Send the stop once, and once more where it has had no effect for long."""
        now = self.ledger.clock()
        if now - self._stopped_at.get(task.id, -1e12) > 2 * grace:
            self._stopped_at[task.id] = now
            log.info("task %s: stop sent", task.id)
            await self.backend.stop(task.id, grace)

    async def finish(
        self, allocation: Allocation, reason: GoneReason, outcome: Outcome | None, why: str
    ) -> None:
        """Free an allocation; every one of its tasks is gone."""
        event = AllocationGone(self.ledger.clock(), allocation.id, reason)
        records = (outcome,) if outcome is not None else ()
        await self.ledger.apply(Change(event, records, why=why))
        log.info("allocation %s: gone (%s)", allocation.id, reason.value)

    # --------------------------------------------------------------------------------------------

    def tasks(self, allocation_id: AllocationId, generation: int | None = None) -> tuple[TaskRow, ...]:
        """Return the tasks of an allocation, or of one of its generations."""
        rows = self.ledger.tasks_of(allocation_id)
        return rows if generation is None else tuple(row for row in rows if row.generation == generation)

    def job(self, allocation_id: AllocationId) -> JobRow | None:
        """Return how far the generations of an allocation have come."""
        return self.ledger.memory.jobs.get(allocation_id)

    async def write(self, *records: Record) -> None:
        """Store records alone."""
        await self.ledger.apply(Change(None, records))

    def drop(self, allocation_id: AllocationId) -> None:
        """Forget an allocation that is gone."""
        prefix = f"{allocation_id}-g"
        self._launched = {name for name in self._launched if not name.startswith(prefix)}
        self._stopped_at = {name: at for name, at in self._stopped_at.items() if not name.startswith(prefix)}


@asynccontextmanager
async def closing(steps: AsyncIterator[object]) -> AsyncGenerator[None]:
    """Close what a backend yields from, where we leave it early: it may hold a lock."""
    try:
        yield
    finally:
        if isinstance(steps, AsyncGenerator):
            await steps.aclose()


def _vanished(task: TaskRow) -> TaskUpdate:
    never = task.phase in {TaskPhase.RESERVED, TaskPhase.STARTING}
    return TaskUpdate(task.id, TaskPhase.GONE, None, NEVER_STARTED if never else UNKNOWN_TO_BACKEND)


def ending(task: TaskRow) -> str:
    """Say how a task ended, for its request's page."""
    if task.message:
        said = task.message
        return said if task.exit_code is None else f"{said} (exit code {task.exit_code})"
    if task.exit_code is None:
        return "it ended, and nobody learnt its exit code"
    if task.exit_code > 128:
        return f"it was ended by signal {task.exit_code - 128} (exit code {task.exit_code})"
    return f"it ended with exit code {task.exit_code}"
