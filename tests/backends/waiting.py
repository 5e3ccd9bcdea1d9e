"""Wait for what a backend says, with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import cast

from backends.puppet import DEADLINE_SECONDS
from jupyterhub_mesos.backends.base import Backend, Checkpoint
from jupyterhub_mesos.tasks import TaskSpec, TaskState, TaskStatus


async def launched(backend: Backend, spec: TaskSpec) -> list[Checkpoint]:
    """Launch to the end; return the checkpoints."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        return [checkpoint async for checkpoint in backend.launch(spec)]


async def seen(backend: Backend, is_it: Callable[[TaskStatus], bool]) -> TaskStatus:
    """Watch until a status is the one."""
    async with asyncio.timeout(DEADLINE_SECONDS), aclosing(backend.watch()) as statuses:  # type: ignore[type-var]
        async for status in statuses:
            if is_it(cast("TaskStatus", status)):
                return cast("TaskStatus", status)
    raise AssertionError("the watch ended")


async def gone(backend: Backend, name: str) -> TaskStatus:
    """Watch until the task is gone."""
    return await seen(backend, lambda status: status.id == name and status.state is TaskState.GONE)


async def running(backend: Backend, name: str) -> TaskStatus:
    """Watch until the task runs."""
    return await seen(backend, lambda status: status.id == name and status.state is TaskState.RUNNING)


async def whole_log(backend: Backend, name: str) -> str:
    """Read all that is left of a task's output."""
    text, offset = "", 0
    while True:
        chunk = await backend.logs(name, offset)  # type: ignore[arg-type]  # a NewType of str
        text += chunk.text
        if chunk.next_offset == offset or chunk.is_complete:
            return text
        offset = chunk.next_offset
