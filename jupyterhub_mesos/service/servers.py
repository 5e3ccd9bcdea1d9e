"""Serving: one model server per allocation, started anew when it crashes, a bounded number of times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from jupyterhub_mesos.service.generations import Generations
from jupyterhub_mesos.service.launcher import ending
from jupyterhub_mesos.service.rows import JobRow, RequestRow, TaskPhase, TaskRow
from jupyterhub_mesos.serving import plan as serving
from jupyterhub_mesos.tasks import Endpoint, TaskContext, TaskSpec, task_id
from jupyterhub_mesos.training.generation import Decision, Failed, Finished, NextGeneration, Wait
from jupyterhub_mesos.wire import ServingPayload
from jupyterhub_mesos_quota.model import Allocation
from jupyterhub_mesos_quota.resources import Resources

MAX_RESTARTS: Final = 3
"""A bundle that crashes a server four times will not be healed by a fifth."""
FIRST_DELAY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Serving:
    """One model server as a workload."""

    payload: ServingPayload
    resources: Resources

    role = serving.ROLE
    ports: Sequence[str] = serving.PORTS
    time_limit_seconds: float | None = None

    def plan(self, ctx: TaskContext, generation: int, endpoints: Sequence[Endpoint]) -> Sequence[TaskSpec]:
        """Describe the one task; its id counts the generations, so that a restart is a new task."""
        task = serving.task(self.payload, ctx, endpoints[0], resources=self.resources)
        return (replace(task, id=task_id(ctx.allocation_id, generation, self.role, 0)),)

    def after(self, job: JobRow, tasks: Sequence[TaskRow], expected: int) -> Decision:
        """Restart after a crash; an end with exit code 0 was meant."""
        task = tasks[0]
        if task.phase is not TaskPhase.GONE:
            return Wait()
        if task.exit_code == 0:
            return Finished()
        if job.restarts_used < MAX_RESTARTS:
            delay = FIRST_DELAY_SECONDS * 2.0**job.restarts_used
            return NextGeneration(
                job.generation + 1, delay, f"The model server was restarted: {ending(task)}."
            )
        return Failed(
            f"The model server ended {MAX_RESTARTS + 1} times, at last: {ending(task)}. See its output."
        )


class Servers:
    """The driver of serving requests."""

    def __init__(self, generations: Generations) -> None:
        self._generations = generations

    async def reconcile(self, row: RequestRow, allocation: Allocation) -> float | None:
        """Bring a serving allocation a step further."""
        payload = row.info.payload
        if not isinstance(payload, ServingPayload):
            raise TypeError(f"request {row.id} is no model server")
        return await self._generations.reconcile(row, allocation, Serving(payload, row.request.resources))
