"""A backend whose answers are waited for no longer than a while: a cluster that hangs is one that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

from jupyterhub_mesos.backends.base import Backend, Checkpoint, Fact, LogChunk
from jupyterhub_mesos.errors import BackendError
from jupyterhub_mesos.tasks import Endpoint, TaskId, TaskSpec, TaskStatus
from jupyterhub_mesos_quota.model import Node, NodeId


class TimedBackend:
    """Any backend; each call raises `BackendError` after `seconds` without an answer, a launch at each step.

    `watch` is as long as it is: that nothing happens is no fault.
    """

    def __init__(self, backend: Backend, seconds: float) -> None:
        self._backend = backend
        self._seconds = seconds

    @property
    def name(self) -> str:
        """The backend's name."""
        return self._backend.name

    async def open(self) -> None:
        """Connect or prepare."""
        await self._backend.open()

    async def close(self) -> None:
        """Let go."""
        await self._backend.close()

    def facts(self) -> Sequence[Fact]:
        """Say what is enforced here and what is not."""
        return self._backend.facts()

    async def capacity(self) -> Sequence[Node]:
        """Report the nodes."""
        async with self._in_time("report its nodes"):
            return await self._backend.capacity()

    async def reserve(self, node: NodeId, ports: Sequence[str]) -> Endpoint:
        """Pick a host and ports."""
        async with self._in_time("choose a port"):
            return await self._backend.reserve(node, ports)

    async def launch(self, spec: TaskSpec) -> AsyncIterator[Checkpoint]:
        """Start a task; each of its steps has its own time."""
        steps = self._backend.launch(spec)
        try:
            while True:
                async with self._in_time(f"start task {spec.id}"):
                    try:
                        step = await anext(steps)
                    except StopAsyncIteration:
                        return
                yield step
        finally:
            if isinstance(steps, AsyncGenerator):
                await steps.aclose()

    async def stop(self, task_id: TaskId, grace_seconds: float) -> None:
        """Ask for a task's end."""
        async with self._in_time(f"stop task {task_id}"):
            await self._backend.stop(task_id, grace_seconds)

    async def tasks(self) -> Sequence[TaskStatus]:
        """Report every task that is known."""
        async with self._in_time("say what runs"):
            return await self._backend.tasks()

    def watch(self) -> AsyncIterator[TaskStatus]:
        """Yield statuses as they change."""
        return self._backend.watch()

    async def logs(self, task_id: TaskId, offset: int = 0, limit: int = 65536) -> LogChunk:
        """Read a task's output."""
        async with self._in_time(f"read the output of task {task_id}"):
            return await self._backend.logs(task_id, offset, limit)

    async def forget(self, task_id: TaskId) -> None:
        """Drop what is kept of a gone task."""
        async with self._in_time(f"forget task {task_id}"):
            await self._backend.forget(task_id)

    @asynccontextmanager
    async def _in_time(self, what: str) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except TimeoutError as error:
            raise BackendError(
                f"The backend {self.name} did not {what} within {self._seconds:g} s; it is asked again."
            ) from error
