"""What a request's tasks print as progress: read from their output when somebody asks, each byte once.

A job says `{"event": "progress", ...}` with whatever it likes; a pipeline says where its steps stand
(`wire.StepEvent`). Any other line is output like any other.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, Final, cast

from pydantic import ValidationError

from jupyterhub_mesos.errors import NotFound
from jupyterhub_mesos.service.launcher import Launcher
from jupyterhub_mesos.service.rows import TaskPhase, TaskRow
from jupyterhub_mesos.service.store import Store
from jupyterhub_mesos.tasks import TaskId
from jupyterhub_mesos.wire import ProgressEvent, ProgressView, StepEvent
from jupyterhub_mesos_quota.model import RequestId, WorkloadKind

LOG_PIECE: Final = 1024 * 1024
MAX_LINE: Final = 64 * 1024
"""Characters of a progress line; a longer line is output like any other."""
MAX_KEPT: Final = 10_000
"""Events of one request that are kept; of more, the newest."""
MAX_ENDED: Final = 8
"""Requests that are over whose events are kept for the next look; the others are read again."""
MAX_EVENTS: Final = 1000
"""In one answer."""
PROGRESS: Final = "progress"
STEP: Final = "step"


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


class Progress:
    """The progress of requests."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._ledger = launcher.ledger
        self._read_so_far: dict[RequestId, _Progress] = {}  # last asked for last

    async def view(self, request_id: RequestId, after: int) -> ProgressView:
        """Return what the tasks of a request printed as progress, from event number `after` on.

        The output is read when it is asked for, and of a live request each byte once.
        """
        return (await self._up_to_date(request_id)).view(after)

    async def last_step(self, request_id: RequestId, task: TaskId) -> StepEvent | None:
        """Return what a task of a pipeline said last of its steps."""
        for event in reversed((await self._up_to_date(request_id)).events):
            if event.task == task:
                return StepEvent.model_validate(event.data, strict=False)
        return None

    def drop(self, request_id: RequestId) -> None:
        """Forget what was read of a request; it is read again when asked for."""
        self._read_so_far.pop(request_id, None)

    async def _up_to_date(self, request_id: RequestId) -> _Progress:
        row = await self._ledger.find(request_id)
        if row is None:
            raise NotFound(f"there is no request {request_id}")
        word = STEP if row.request.kind is WorkloadKind.PIPELINE else PROGRESS
        progress = self._kept(request_id)
        for task in await self._tasks(request_id):
            await self._read(task, progress, word)
        return progress

    def _kept(self, request_id: RequestId) -> _Progress:
        """Return what was read of a request so far, and forget the oldest of those that are over."""
        progress = self._read_so_far[request_id] = self._read_so_far.pop(request_id, _Progress())
        ended = [name for name in self._read_so_far if self._ledger.row(name) is None]
        for name in ended[:-MAX_ENDED]:
            del self._read_so_far[name]
        return progress

    async def _tasks(self, request_id: RequestId) -> Sequence[TaskRow]:
        allocations = await self._ledger.read(lambda store: store.allocations_of(request_id))
        found: list[TaskRow] = []
        for allocation in allocations:
            live = self._ledger.tasks_of(allocation.id)
            found += live or await self._ledger.read(partial(Store.tasks_of, allocation_id=allocation.id))
        return found

    async def _read(self, task: TaskRow, progress: _Progress, word: str) -> None:
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
            progress.add(_events(task, tail.lines(chunk.text), word))
            if chunk.next_offset == asked:
                return


def _events(task: TaskRow, lines: Sequence[str], word: str) -> Iterator[ProgressEvent]:
    for line in lines:
        data = _parsed(line, word)
        if data is not None:
            yield ProgressEvent(task=task.id, generation=task.generation, index=task.index, data=data)


def _parsed(line: str, word: str) -> dict[str, Any] | None:
    """Return the object of a line that says `word`; any other line is output like any other."""
    if f'"{word}"' not in line or not line.lstrip().startswith("{"):
        return None
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    event = cast("dict[str, Any]", data)
    if event.get("event") != word:
        return None
    return event if word == PROGRESS else _step(line)


def _step(line: str) -> dict[str, Any] | None:
    """Return a step's event with every field that it may have."""
    try:
        return StepEvent.model_validate_json(line).model_dump(mode="json")
    except ValidationError:
        return None
