"""A service that is killed at an exact commit, just before it is durable or just after: nobody hears of it.

From then on its store and its backend do nothing any more, whatever it still asks of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum

from jupyterhub_mesos.backends.base import Checkpoint
from jupyterhub_mesos.backends.faulty import MemoryBackend, MemoryWorld
from jupyterhub_mesos.errors import BackendError, LedgerError
from jupyterhub_mesos.service.rows import Batch
from jupyterhub_mesos.service.store import Store
from jupyterhub_mesos.tasks import TaskId, TaskSpec


class When(StrEnum):
    """On which side of a commit the service dies."""

    BEFORE = "before"
    AFTER = "after"


@dataclass
class Death:
    """When a service dies (`commit` counts from 1, 0 is never), and whether it has."""

    commit: int = 0
    when: When = When.BEFORE
    commits: int = 0
    is_dead: bool = False
    died: asyncio.Event = field(default_factory=asyncio.Event)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def come(self) -> None:
        """Die; called in the store's thread."""
        self.is_dead = True
        self.loop.call_soon_threadsafe(self.died.set)


class DyingStore(Store):
    """A store whose process ends at a commit."""

    def __init__(self, where: str, death: Death) -> None:
        super().__init__(where)
        self._death = death

    def write(self, batch: Batch) -> None:
        death = self._death
        if death.is_dead:
            raise LedgerError("the process is dead")
        death.commits += 1
        if death.commits != death.commit:
            super().write(batch)
            return
        if death.when is When.AFTER:
            super().write(batch)
        death.come()
        raise LedgerError("the process is dead")


class DyingBackend(MemoryBackend):
    """A backend that is asked for nothing by the dead."""

    def __init__(self, world: MemoryWorld, death: Death) -> None:
        super().__init__(world)
        self._death = death

    async def launch(self, spec: TaskSpec) -> AsyncIterator[Checkpoint]:
        self._check_alive()
        async for checkpoint in super().launch(spec):
            yield checkpoint
            self._check_alive()

    async def stop(self, task_id: TaskId, grace_seconds: float) -> None:
        self._check_alive()
        await super().stop(task_id, grace_seconds)

    async def forget(self, task_id: TaskId) -> None:
        self._check_alive()
        await super().forget(task_id)

    def _check_alive(self) -> None:
        if self._death.is_dead:
            raise BackendError("the process is dead")
