"""How a backend in this process hands statuses to its one watcher: all that is known, then each change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable

from jupyterhub_mesos.tasks import TaskStatus


class StatusFeed:
    """The changes of a backend's tasks; a new watcher takes the place of the one before, whose watch ends."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[TaskStatus | None] | None = None

    def publish(self, status: TaskStatus) -> None:
        """Hand a change to the watcher, if there is one; one that comes later reads the present state."""
        if self._queue is not None:
            self._queue.put_nowait(status)

    async def watch(self, known: Callable[[], Iterable[TaskStatus]]) -> AsyncGenerator[TaskStatus, None]:
        """Yield what `known` says at the first step, then every change until `end`."""
        self.end()
        queue = self._queue = asyncio.Queue()
        for status in tuple(known()):
            queue.put_nowait(status)
        try:
            while (change := await queue.get()) is not None:
                yield change
        finally:
            if self._queue is queue:
                self._queue = None

    def end(self) -> None:
        """End the watch that is going on, after what it was handed already."""
        if self._queue is not None:
            self._queue.put_nowait(None)
            self._queue = None
