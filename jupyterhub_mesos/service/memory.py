"""The live rows in memory, as the disk has them; changed by the ledger only, while it handles a change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from jupyterhub_mesos.service.encoding import is_live
from jupyterhub_mesos.service.rows import (
    JobRow,
    KeptDoc,
    KeptKey,
    Loaded,
    RequestRow,
    ServerKey,
    TaskRow,
    TokenId,
    TokenRow,
)
from jupyterhub_mesos.tasks import TaskId
from jupyterhub_mesos.wire import TeamsModel
from jupyterhub_mesos_quota.kept import NOTHING_KEPT, Kept
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import Allocation, AllocationId, RequestId, allocation_id


@dataclass(slots=True)
class Memory:
    """What is kept beside the machine: how each live request was asked, and the tasks it has.

    `wishes` are those that do not start by themselves at any hour. `told` is what the
    machine last wanted kept, `kept` how all of that stands on the disk.
    """

    teams: TeamsModel
    revision: int
    last_seq: int
    requests: dict[RequestId, RequestRow] = field(default_factory=dict[RequestId, RequestRow])
    servers: dict[ServerKey, RequestId] = field(default_factory=dict[ServerKey, RequestId])
    wishes: dict[RequestId, None] = field(default_factory=dict[RequestId, None])
    tasks: dict[TaskId, TaskRow] = field(default_factory=dict[TaskId, TaskRow])
    by_allocation: dict[AllocationId, set[TaskId]] = field(default_factory=dict[AllocationId, set[TaskId]])
    jobs: dict[AllocationId, JobRow] = field(default_factory=dict[AllocationId, JobRow])
    tokens: dict[TokenId, TokenRow] = field(default_factory=dict[TokenId, TokenRow])
    told: Kept = NOTHING_KEPT
    kept: dict[str, dict[str, KeptDoc]] = field(default_factory=dict[str, dict[str, KeptDoc]])

    @classmethod
    def of(cls, loaded: Loaded, last_seq: int) -> Memory:
        """Build it from what the store holds."""
        memory = cls(loaded.teams, loaded.revision, last_seq)
        for row in loaded.requests:
            memory.put_request(row)
        for task in loaded.tasks:
            memory.put_task(task)
        memory.jobs = {job.allocation_id: job for job in loaded.jobs}
        memory.tokens = {token.id: token for token in loaded.tokens}
        for key, doc in loaded.kept.items():
            memory.put_kept(key, doc)
        return memory

    def put_request(self, row: RequestRow) -> None:
        """Keep a request and the server that it stands for; a renamed user's old one is let go."""
        before = self.requests.get(row.id)
        if before is not None and before.server is not None and before.server != row.server:
            self.servers.pop(before.server, None)
        self.requests[row.id] = row
        if row.start is None:
            self.wishes.pop(row.id, None)
        else:
            self.wishes[row.id] = None
        if row.server is not None and is_live(row.request):
            self.servers[row.server] = row.id

    def put_task(self, task: TaskRow) -> None:
        """Keep a task."""
        self.tasks[task.id] = task
        self.by_allocation.setdefault(task.allocation_id, set()).add(task.id)

    def put_kept(self, key: KeptKey, doc: KeptDoc | None) -> None:
        """Keep a value of the core's, or drop it."""
        of_kind = self.kept.setdefault(key.kind, {})
        if doc is None:
            of_kind.pop(key.key, None)
        else:
            of_kind[key.key] = doc

    def tasks_of(self, allocation: AllocationId) -> tuple[TaskRow, ...]:
        """Return the tasks of an allocation, by generation, role and index."""
        found = (self.tasks[task_id] for task_id in self.by_allocation.get(allocation, ()))
        return tuple(sorted(found, key=lambda task: (task.generation, task.role, task.index)))

    def allocation_of(self, request_id: RequestId, machine: QuotaMachine) -> Allocation | None:
        """Return the live allocation of a request: its newest one, unless that is gone."""
        request = machine.requests.get(request_id)
        if request is None or not request.allocations:
            return None
        return machine.allocations.get(allocation_id(request_id, request.allocations))

    def drop_ended(
        self, requests: Iterable[RequestId], allocations: Iterable[AllocationId], machine: QuotaMachine
    ) -> None:
        """Drop what the machine has forgotten, of what a batch touched."""
        for request_id in requests:
            if request_id not in machine.requests:
                self._drop_request(request_id)
        for allocation in allocations:
            if allocation not in machine.allocations:
                self.jobs.pop(allocation, None)
                for task_id in self.by_allocation.pop(allocation, ()):
                    del self.tasks[task_id]

    def _drop_request(self, request_id: RequestId) -> None:
        row = self.requests.pop(request_id, None)
        self.wishes.pop(request_id, None)
        if row is not None and row.server is not None and self.servers.get(row.server) == request_id:
            del self.servers[row.server]
