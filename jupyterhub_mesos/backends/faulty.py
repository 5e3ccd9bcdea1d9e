"""Backends for tests and trials, part of the product: one in memory, and some that fail on purpose.

`MemoryBackend` keeps every promise of `backends/base.py` but runs no process:
the test is the world. It says when a task runs (`run`), ends (`finish`), prints
(`write`), or when its node goes away (`lose`) and comes back (`recover`).
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from jupyterhub_mesos.backends.base import Checkpoint, Fact, LogChunk
from jupyterhub_mesos.backends.feed import StatusFeed
from jupyterhub_mesos.backends.options import amount
from jupyterhub_mesos.errors import BackendError, InvalidInput, NotFound
from jupyterhub_mesos.tasks import Endpoint, TaskId, TaskSpec, TaskState, TaskStatus
from jupyterhub_mesos_quota.model import Node, NodeId
from jupyterhub_mesos_quota.resources import Resources

MEMORY_NODE: Final = Node(NodeId("memory"), Resources.of(cpu_millis=8000, mem_mib=16384))
STOPPED_EXIT_CODE: Final = 128 + 15  # as a shell says SIGTERM
FIRST_PORT: Final = 20001

_STEPS: Final = ("prepared", "spawned")


@dataclass(slots=True)
class _Task:
    spec: TaskSpec
    status: TaskStatus
    steps: int = 0
    log: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class MemoryWorld:
    """What goes on while no backend looks: hand it to a second `MemoryBackend` to act a service restart."""

    nodes: Sequence[Node] = (MEMORY_NODE,)
    tasks: dict[TaskId, _Task] = field(default_factory=dict[TaskId, _Task])
    ports: itertools.count[int] = field(default_factory=lambda: itertools.count(FIRST_PORT))
    feeds: list[StatusFeed] = field(default_factory=list[StatusFeed])


class MemoryBackend:
    """A backend whose tasks are notes in memory.

    `starts_at_once`: a launched task is RUNNING; else it stays STARTING until `run`.
    `stops_at_once`: `stop` ends the task with 143; else it lives until `finish`.
    `launches` and `stops` are the journal of what was asked, for a test to read.
    """

    name = "memory"

    def __init__(
        self, world: MemoryWorld | None = None, *, starts_at_once: bool = True, stops_at_once: bool = True
    ) -> None:
        self.world = world or MemoryWorld()
        self.starts_at_once = starts_at_once
        self.stops_at_once = stops_at_once
        self.launches: list[TaskId] = []
        self.stops: list[TaskId] = []
        self._feed = StatusFeed()
        self._failing: list[tuple[str | None, str]] = []
        self._is_open = False

    # -- the protocol ----------------------------------------------------------------------------

    async def open(self) -> None:
        """Begin to hear of what goes on in the world."""
        self._is_open = True
        self.world.feeds.append(self._feed)

    async def close(self) -> None:
        """Let go; the world goes on."""
        self._is_open = False
        self._feed.end()
        if self._feed in self.world.feeds:
            self.world.feeds.remove(self._feed)

    def facts(self) -> Sequence[Fact]:
        """Say that nothing is enforced, for nothing runs."""
        return (Fact("processes", False, "tasks are notes in memory", "use the backend `local`"),)

    async def capacity(self) -> Sequence[Node]:
        """Report the world's nodes."""
        self._check_open()
        return tuple(self.world.nodes)

    async def reserve(self, node: NodeId, ports: Sequence[str]) -> Endpoint:
        """Hand out numbers that nobody listens on, never one twice."""
        self._check_open()
        if node not in {known.id for known in self.world.nodes}:
            raise InvalidInput(f"there is no node {node!r}")
        return Endpoint("127.0.0.1", {name: next(self.world.ports) for name in ports})

    async def launch(self, spec: TaskSpec) -> AsyncIterator[Checkpoint]:
        """Note the task down, then let it start."""
        self._check_open()
        self.launches.append(spec.id)
        after, message = self._failing.pop(0) if self._failing else ("", "")
        if after is None:
            raise BackendError(message)
        starting = TaskStatus(spec.id, spec.allocation_id, TaskState.STARTING)
        task = self.world.tasks.setdefault(spec.id, _Task(spec, starting))
        for number, step in enumerate(_STEPS, start=1):
            self._step(task, number)
            yield Checkpoint(spec.id, step, (("node", spec.node),))
            if step == after:
                raise BackendError(message)

    async def stop(self, task_id: TaskId, grace_seconds: float) -> None:
        """End the task at once, or note the wish where `stops_at_once` is off."""
        self._check_open()
        self.stops.append(task_id)
        task = self.world.tasks.get(task_id)
        if task is not None and (self.stops_at_once or task.steps < len(_STEPS)):
            self.finish(task_id, STOPPED_EXIT_CODE)

    async def tasks(self) -> Sequence[TaskStatus]:
        """Report every task that was not forgotten."""
        self._check_open()
        return self._statuses()

    async def watch(self) -> AsyncIterator[TaskStatus]:
        """Yield every status, then each change."""
        self._check_open()
        async for status in self._feed.watch(self._statuses):
            yield status

    async def logs(self, task_id: TaskId, offset: int = 0, limit: int = 65536) -> LogChunk:
        """Read what was handed to `write`."""
        self._check_open()
        task = self._task(task_id)
        start = max(0, len(task.log) + offset) if offset < 0 else min(offset, len(task.log))
        piece = bytes(task.log[start : start + limit])
        end = start + len(piece)
        is_gone = task.status.state is TaskState.GONE
        return LogChunk(piece.decode(errors="replace"), start, end, is_gone and end == len(task.log))

    async def forget(self, task_id: TaskId) -> None:
        """Drop a gone task."""
        self._check_open()
        task = self.world.tasks.get(task_id)
        if task is None:
            return
        if task.status.state is not TaskState.GONE:
            raise BackendError(f"task {task_id} is {task.status.state.value}, not gone: stop it first")
        del self.world.tasks[task_id]

    # -- what a test says of the world -----------------------------------------------------------

    def spec(self, task_id: TaskId) -> TaskSpec:
        """Return what was launched under this id."""
        return self._task(task_id).spec

    def status(self, task_id: TaskId) -> TaskStatus:
        """Return what `tasks` would say of it."""
        return self._task(task_id).status

    def run(self, task_id: TaskId) -> None:
        """Let a STARTING task run."""
        self._move(self._task(task_id), TaskState.RUNNING)

    def finish(self, task_id: TaskId, exit_code: int | None = 0, message: str = "") -> None:
        """Let a task end by itself; a second end changes nothing."""
        task = self._task(task_id)
        if task.status.state is not TaskState.GONE:
            self._move(task, TaskState.GONE, exit_code, message)

    def lose(self, task_id: TaskId) -> None:
        """Let the task's node fall silent."""
        self._move(self._task(task_id), TaskState.LOST)

    def recover(self, task_id: TaskId) -> None:
        """Let the task's node answer again; the task ran on."""
        self._move(self._task(task_id), TaskState.RUNNING)

    def write(self, task_id: TaskId, text: str) -> None:
        """Let the task print."""
        self._task(task_id).log.extend(text.encode())

    def fail_next_launch(self, after: str | None = None, message: str = "the node refused the task") -> None:
        """Let the next launch raise `BackendError`: before any step, or after that step's checkpoint."""
        self._failing.append((after, message))

    # ----------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if not self._is_open:
            raise BackendError("the backend is not open")

    def _task(self, task_id: TaskId) -> _Task:
        try:
            return self.world.tasks[task_id]
        except KeyError:
            raise NotFound(f"there is no task {task_id}") from None

    def _statuses(self) -> tuple[TaskStatus, ...]:
        return tuple(task.status for task in self.world.tasks.values())

    def _step(self, task: _Task, number: int) -> None:
        if task.steps >= number or task.status.state is TaskState.GONE:
            return
        task.steps = number
        if number < len(_STEPS):
            self._publish(task.status)
        elif self.starts_at_once:
            self._move(task, TaskState.RUNNING)

    def _move(self, task: _Task, state: TaskState, exit_code: int | None = None, message: str = "") -> None:
        task.status = replace(task.status, state=state, exit_code=exit_code, message=message)
        self._publish(task.status)

    def _publish(self, status: TaskStatus) -> None:
        for feed in self.world.feeds:
            feed.publish(status)


class LaunchBreaks(MemoryBackend):
    """Every launch fails after its first step: what is left must be stopped."""

    async def launch(self, spec: TaskSpec) -> AsyncIterator[Checkpoint]:
        """Take one step and fail."""
        self.fail_next_launch(after=_STEPS[0])
        async for checkpoint in super().launch(spec):
            yield checkpoint


class StopHangs(MemoryBackend):
    """A stop is taken and nothing ends, until the test says `finish`."""

    def __init__(self, world: MemoryWorld | None = None) -> None:
        super().__init__(world, stops_at_once=False)


class WatchBreaks(MemoryBackend):
    """The watch raises after every `statuses_before_break` statuses; it must be begun anew."""

    statuses_before_break = 1

    async def watch(self) -> AsyncIterator[TaskStatus]:
        """Yield some statuses and break."""
        seen = 0
        async for status in super().watch():
            yield status
            seen += 1
            if seen >= self.statuses_before_break:
                raise BackendError("the watch broke off")


class StatusesRepeat(MemoryBackend):
    """Each status comes twice, and the one before it once more in between: late and out of order."""

    async def watch(self) -> AsyncIterator[TaskStatus]:
        """Yield new, old, new."""
        before: dict[TaskId, TaskStatus] = {}
        async for status in super().watch():
            yield status
            if status.id in before:
                yield before[status.id]
            yield status
            before[status.id] = status


def create(state: Path, options: Mapping[str, object]) -> MemoryBackend:
    """Create a `MemoryBackend` as the registry does; of all options it heeds the amounts alone."""
    del state
    whole = MEMORY_NODE.capacity
    cpu_millis, mem_mib = amount(options, "cpu_millis"), amount(options, "mem_mib")
    capacity = Resources.of(cpu_millis or whole.cpu_millis, mem_mib or whole.mem_mib)
    return MemoryBackend(MemoryWorld(nodes=(Node(MEMORY_NODE.id, capacity),)))
