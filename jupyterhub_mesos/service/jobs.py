"""Training: a job's plan for `Generations`, and the progress that its tasks print."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

from jupyterhub_mesos.errors import NotFound
from jupyterhub_mesos.service.generations import Generations
from jupyterhub_mesos.service.launcher import Launcher
from jupyterhub_mesos.service.rows import JobRow, RequestRow, TaskPhase, TaskRow
from jupyterhub_mesos.service.store import Store
from jupyterhub_mesos.tasks import Endpoint, TaskContext, TaskId, TaskSpec
from jupyterhub_mesos.training import generation as training
from jupyterhub_mesos.wire import Job, ProgressEvent, ProgressView, TrainingPayload
from jupyterhub_mesos_quota.model import Allocation, RequestId

LOG_PIECE: Final = 1024 * 1024
MAX_LOG_BYTES: Final = 32 * 1024 * 1024
"""Of one task's output at most; progress lines beyond are not shown."""
MAX_EVENTS: Final = 1000
"""In one answer."""
MARK: Final = '"progress"'


@dataclass(frozen=True, slots=True)
class Training:
    """One job as a workload."""

    job: Job

    @property
    def role(self) -> str:
        """The job's one role."""
        return self.job.roles[0].name

    @property
    def ports(self) -> Sequence[str]:
        """What its role listens on."""
        return training.ports(self.job)

    @property
    def time_limit_seconds(self) -> float | None:
        """The job's own limit."""
        return self.job.time_limit_seconds

    def plan(self, ctx: TaskContext, generation: int, endpoints: Sequence[Endpoint]) -> Sequence[TaskSpec]:
        """Describe the tasks of one generation."""
        return training.plan(self.job, ctx, generation, endpoints)

    def after(self, job: JobRow, tasks: Sequence[TaskRow], expected: int) -> training.Decision:
        """Decide what follows from the tasks of a generation."""
        statuses = [task.status for task in tasks]
        return training.after(
            self.job, job.generation, statuses, expected=expected, restarts_used=job.restarts_used
        )


@dataclass(slots=True)
class _Tail:
    """How far a task's output was read, and the progress lines that were in it."""

    offset: int = 0
    rest: str = ""
    is_complete: bool = False


@dataclass(slots=True)
class _Progress:
    """The progress of one request: its events in the order in which they were found."""

    events: list[ProgressEvent]
    tails: dict[TaskId, _Tail]


class Jobs:
    """The driver of training requests."""

    def __init__(self, launcher: Launcher, generations: Generations) -> None:
        self._launcher = launcher
        self._ledger = launcher.ledger
        self._generations = generations
        self._progress: dict[RequestId, _Progress] = {}

    async def reconcile(self, row: RequestRow, allocation: Allocation) -> float | None:
        """Bring a training allocation a step further."""
        payload = row.info.payload
        if not isinstance(payload, TrainingPayload):
            raise TypeError(f"request {row.id} is no training")
        return await self._generations.reconcile(row, allocation, Training(payload.job))

    async def progress(self, request_id: RequestId, after: int) -> ProgressView:
        """Return what the tasks of a request printed as progress, from event number `after` on.

        The output is read when it is asked for, and each byte of it once while the service runs.
        """
        if await self._ledger.find(request_id) is None:
            raise NotFound(f"there is no request {request_id}")
        progress = self._progress.setdefault(request_id, _Progress([], {}))
        for task in await self._tasks(request_id):
            await self._read(task, progress)
        first = max(0, after)
        events = tuple(progress.events[first : first + MAX_EVENTS])
        return ProgressView(events=events, next_after=first + len(events))

    def drop(self, request_id: RequestId) -> None:
        """Forget what was read of a request; it is read again when asked for."""
        self._progress.pop(request_id, None)

    async def _tasks(self, request_id: RequestId) -> Sequence[TaskRow]:
        allocations = await self._ledger.read(lambda store: store.allocations_of(request_id))
        found: list[TaskRow] = []
        for allocation in allocations:
            live = self._ledger.tasks_of(allocation.id)
            found += live or await self._ledger.read(partial(Store.tasks_of, allocation_id=allocation.id))
        return found

    async def _read(self, task: TaskRow, progress: _Progress) -> None:
        tail = progress.tails.setdefault(task.id, _Tail())
        if task.phase is TaskPhase.RESERVED:
            return
        while not tail.is_complete and tail.offset < MAX_LOG_BYTES:
            try:
                chunk = await self._launcher.backend.logs(task.id, tail.offset, LOG_PIECE)
            except NotFound:  # not prepared yet, or forgotten with its folder
                return
            if chunk.offset != tail.offset:  # somebody else asked at the same time and was faster
                return
            is_news = chunk.next_offset > tail.offset
            tail.offset, tail.is_complete = chunk.next_offset, chunk.is_complete
            lines = (tail.rest + chunk.text).split("\n")
            tail.rest = lines.pop()
            progress.events += _events(task, lines)
            if not is_news:
                return


def _events(task: TaskRow, lines: Sequence[str]) -> Iterator[ProgressEvent]:
    for line in lines:
        data = _parsed(line)
        if data is not None:
            yield ProgressEvent(task=task.id, generation=task.generation, index=task.index, data=data)


def _parsed(line: str) -> dict[str, Any] | None:
    """Return a progress line's object; any other line is output like any other."""
    if MARK not in line or not line.lstrip().startswith("{"):
        return None
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    event = cast("dict[str, Any]", data)
    return event if event.get("event") == "progress" else None
