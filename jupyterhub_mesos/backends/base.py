"""What every backend answers; it decides nothing, retries nothing, remembers nothing that was not yielded.

The contract suite in `tests/backends/contract.py` says the same in tests and
runs over every backend, the faulty fakes of `backends/faulty.py` included.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from jupyterhub_mesos.tasks import Endpoint, TaskId, TaskSpec, TaskStatus
from jupyterhub_mesos_quota.model import Node, NodeId


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An irreversible step of a launch is done; stored before the next is taken.

    `step` is a word of the backend's (`prepared`, `spawned`), `data` is what it
    needs to find the step's result again after a restart (strings only, no secret).
    """

    task_id: TaskId
    step: str
    data: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing a backend enforces here, or does not: for `doctor`, the log and the pages.

    `cure` says what an operator can do where `holds` is false.
    """

    name: str
    holds: bool
    detail: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class LogChunk:
    """A piece of a task's output, from byte `offset`; ask again from `next_offset`."""

    text: str
    offset: int
    next_offset: int
    is_complete: bool  # the task is gone and all of its output was read


class Backend(Protocol):
    """A pool of nodes on which tasks run. All methods raise `BackendError` when the cluster fails."""

    @property
    def name(self) -> str:
        """The backend's name in settings and pages, e.g. `local`."""
        ...

    async def open(self) -> None:
        """Connect or prepare; nothing else may be called before."""
        ...

    async def close(self) -> None:
        """Let go without touching what runs: tasks outlive the service."""
        ...

    def facts(self) -> Sequence[Fact]:
        """Say what is enforced here and what is not."""
        ...

    async def capacity(self) -> Sequence[Node]:
        """Report the nodes, with what *we* may use of them."""
        ...

    async def reserve(self, node: NodeId, ports: Sequence[str]) -> Endpoint:
        """Pick a host and a free port per name on `node`, before a launch; not promised for ever."""
        ...

    def launch(self, spec: TaskSpec) -> AsyncIterator[Checkpoint]:
        """Start a task, yielding after each irreversible step.

        Idempotent by `spec.id`: launching a task that runs or is gone yields its
        checkpoints again and starts nothing. A launch given up midway leaves
        nothing that `stop` cannot end.
        """
        ...

    async def stop(self, task_id: TaskId, grace_seconds: float) -> None:
        """Ask for the end: SIGTERM to the whole group, SIGKILL after the grace.

        Returns at once; that it is over is said by `watch`. Stopping an unknown
        or gone task is no error.
        """
        ...

    async def tasks(self) -> Sequence[TaskStatus]:
        """Report every task that is known, those that are gone and not forgotten included."""
        ...

    def watch(self) -> AsyncIterator[TaskStatus]:
        """Yield every known task's status once, then each change as it happens.

        Statuses may repeat; the consumer is idempotent. One watcher at a time.
        """
        ...

    async def logs(self, task_id: TaskId, offset: int = 0, limit: int = 65536) -> LogChunk:
        """Read a task's output (stdout and stderr together) from byte `offset`.

        A negative offset counts from the end. Raises `NotFound` for an unknown task.
        """
        ...

    async def forget(self, task_id: TaskId) -> None:
        """Drop what is kept of a gone task (its folder, its logs). An unknown task is no error."""
        ...
