"""Training: a job's plan for `Generations`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jupyterhub_mesos.service.generations import Generations
from jupyterhub_mesos.service.rows import JobRow, RequestRow, TaskRow
from jupyterhub_mesos.tasks import Endpoint, TaskContext, TaskSpec
from jupyterhub_mesos.training import generation as training
from jupyterhub_mesos.wire import Job, TrainingPayload
from jupyterhub_mesos_quota.model import Allocation


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


class Jobs:
    """The driver of training requests."""

    def __init__(self, generations: Generations) -> None:
        self._generations = generations

    async def reconcile(self, row: RequestRow, allocation: Allocation) -> float | None:
        """Bring a training allocation a step further."""
        payload = row.info.payload
        if not isinstance(payload, TrainingPayload):
            raise TypeError(f"request {row.id} is no training")
        return await self._generations.reconcile(row, allocation, Training(payload.job))
