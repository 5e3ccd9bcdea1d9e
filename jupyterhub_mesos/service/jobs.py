"""Training: a job's plan for `Generations`, and the progress that its tasks print."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
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
MAX_LINE: Final = 64 * 1024
"""Characters of a progress line; a longer line is output like any other."""
MAX_KEPT: Final = 10_000
"""Events of one request that are kept; of more, the newest."""
MAX_ENDED: Final = 8
"""Requests that are over whose events are kept for the next look; the others are read again."""
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
    is_skipping: bool = False  # the beginning of this line is lost, or it is too long

    def jump(self, offset: int) -> None:
        """Go on from `offset`, in the middle of some line: what lies before was dropped."""
        self.offset, self.rest, self.is_skipping = offset, "", True

    def lines(self, text: str) -> Sequence[str]:
        """Return the lines that `text` completes."""
        lines = (self.rest + text).split("\n")
        self.rest = lines.pop()
        if lines and self.is_skipping:
            del lines[0]
            self.is_skipping = False
        if len(self.rest) > MAX_LINE:
            self.is_skipping = True
        if self.is_skipping:
            self.rest = ""
        return lines


@dataclass(slots=True)
class _Progress:
    """The progress of one request: its newest events in the order in which they were found."""

    events: deque[ProgressEvent] = field(default_factory=lambda: deque[ProgressEvent](maxlen=MAX_KEPT))
    tails: dict[TaskId, _Tail] = field(default_factory=dict[TaskId, _Tail])
    found: int = 0  # ever; events are numbered from 0

    def add(self, events: Iterable[ProgressEvent]) -> None:
        """Take in what was found."""
        for event in events:
            self.events.append(event)
            self.found += 1

    def view(self, after: int) -> ProgressView:
        """Return events from number `after` on, as far as they are kept."""
        dropped = self.found - len(self.events)
        first = min(max(after, dropped), self.found)
        events = tuple(islice(self.events, first - dropped, first - dropped + MAX_EVENTS))
        return ProgressView(events=events, next_after=first + len(events))


class Jobs:
    """The driver of training requests."""

    def __init__(self, launcher: Launcher, generations: Generations) -> None:
        self._launcher = launcher
        self._ledger = launcher.ledger
        self._generations = generations
        self._progress: dict[RequestId, _Progress] = {}  # last asked for last

    async def reconcile(self, row: RequestRow, allocation: Allocation) -> float | None:
        """Bring a training allocation a step further."""
        payload = row.info.payload
        if not isinstance(payload, TrainingPayload):
            raise TypeError(f"request {row.id} is no training")
        return await self._generations.reconcile(row, allocation, Training(payload.job))

    async def progress(self, request_id: RequestId, after: int) -> ProgressView:
        """Return what the tasks of a request printed as progress, from event number `after` on.

        The output is read when it is asked for, and of a live request each byte once.
        """
        if await self._ledger.find(request_id) is None:
            raise NotFound(f"there is no request {request_id}")
        progress = self._kept(request_id)
        for task in await self._tasks(request_id):
            await self._read(task, progress)
        return progress.view(after)

    def drop(self, request_id: RequestId) -> None:
        """Forget what was read of a request; it is read again when asked for."""
        self._progress.pop(request_id, None)

    def _kept(self, request_id: RequestId) -> _Progress:
        """Return what was read of a request so far, and forget the oldest of those that are over."""
        progress = self._progress[request_id] = self._progress.pop(request_id, _Progress())
        ended = [name for name in self._progress if self._ledger.row(name) is None]
        for name in ended[:-MAX_ENDED]:
            del self._progress[name]
        return progress

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
        while not tail.is_complete:
            asked = tail.offset
            try:
                chunk = await self._launcher.backend.logs(task.id, asked, LOG_PIECE)
            except NotFound:  # not prepared yet, or forgotten with its folder
                return
            if tail.offset != asked or chunk.offset < asked:  # somebody else was faster, or it is another log
                return
            if chunk.offset > asked:  # dropped before anybody asked; its text begins with a note of that
                tail.jump(chunk.offset)
                continue
            tail.offset, tail.is_complete = chunk.next_offset, chunk.is_complete
            progress.add(_events(task, tail.lines(chunk.text)))
            if chunk.next_offset == asked:
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
