"""Pipelines: one run per allocation, never restarted; what it leaves waiting or running is ended with it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from jupyterhub_mesos.pipeline import plan as pipeline
from jupyterhub_mesos.service.generations import Generations
from jupyterhub_mesos.service.launcher import Launcher, ending
from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos.service.progress import Progress
from jupyterhub_mesos.service.rows import JobRow, RequestRow, TaskRow
from jupyterhub_mesos.tasks import Endpoint, TaskContext, TaskId, TaskSpec
from jupyterhub_mesos.training.generation import Decision, Failed, Finished, Wait
from jupyterhub_mesos.wire import PipelinePayload, StepEvent
from jupyterhub_mesos_quota.events import EndRequested
from jupyterhub_mesos_quota.model import Allocation, RequestId, WorkloadKind
from jupyterhub_mesos_quota.resources import Resources

log: Final = logging.getLogger(__name__)

RUN_AGAIN: Final = "Run it again: the steps that are done are skipped."


@dataclass(frozen=True, slots=True)
class LastWords:
    """What a failed task said last of its steps, read after its end; no step where it said none."""

    task: TaskId
    step: StepEvent | None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One run as a workload; `last` is there once it has failed."""

    payload: PipelinePayload
    resources: Resources
    access: pipeline.Access
    last: LastWords | None = None

    role = pipeline.ROLE
    ports: Sequence[str] = pipeline.PORTS
    time_limit_seconds: float | None = None

    def plan(self, ctx: TaskContext, generation: int, endpoints: Sequence[Endpoint]) -> Sequence[TaskSpec]:
        """Describe the one task."""
        del generation  # there is one
        return (pipeline.task(self.payload, ctx, endpoints[0], resources=self.resources, access=self.access),)

    def after(self, job: JobRow, tasks: Sequence[TaskRow], expected: int) -> Decision:
        """Take the run's end as the request's.

        One that failed since its output was looked at is waited for: its end brings another look.
        """
        task = tasks[0]
        if task.is_gone and task.exit_code == 0:
            return Finished()
        if task.is_gone and self.last is not None and self.last.task == task.id:
            return Failed(_failure(task, self.last.step))
        return Wait()


def _failure(task: TaskRow, last: StepEvent | None) -> str:
    if last is None:
        return f"The pipeline failed before its first step: {ending(task)}. Its output says why."
    match last.state:
        case "failed":
            return f"Step {last.step} failed: {last.result or ending(task)}"
        case "cancelled":
            return f"Step {last.step} was cancelled. {RUN_AGAIN}"
        case "running":
            return f"Step {last.step} did not end by itself: {ending(task)}. {RUN_AGAIN}"
        case "done" | "skipped":
            return f"The pipeline failed after step {last.step}: {ending(task)}. {RUN_AGAIN}"


class Pipelines:
    """The driver of pipeline requests."""

    def __init__(self, launcher: Launcher, generations: Generations, progress: Progress) -> None:
        self._launcher = launcher
        self._ledger = launcher.ledger
        self._generations = generations
        self._progress = progress
        self._live: set[RequestId] = set()

    async def reconcile(self, row: RequestRow, allocation: Allocation) -> float | None:
        """Bring a pipeline's allocation a step further."""
        payload = row.info.payload
        if not isinstance(payload, PipelinePayload):
            raise TypeError(f"request {row.id} is no pipeline")
        access = pipeline.Access(self._launcher.settings.api_url, row.id)
        last = await self._last_words(row, allocation)
        workload = Pipeline(payload, row.request.resources, access, last)
        return await self._generations.reconcile(row, allocation, workload)

    async def _last_words(self, row: RequestRow, allocation: Allocation) -> LastWords | None:
        """Return what a run that failed said last of its steps."""
        for task in self._launcher.tasks(allocation.id):
            if task.is_gone and task.exit_code != 0:
                return LastWords(task.id, await self._progress.last_step(row.id, task.id))
        return None

    # ---- what a run leaves behind -----------------------------------------------------------------

    def ended(self, changed: Iterable[RequestId]) -> Iterator[RequestId]:
        """Yield the pipelines that may have left jobs behind, of the requests that a commit changed.

        Those that ended, and those that had ended already when a job of theirs came in.
        """
        for request_id in changed:
            row = self._ledger.row(request_id)
            if row is None:
                if request_id in self._live:
                    self._live.discard(request_id)
                    yield request_id
            elif row.request.kind is WorkloadKind.PIPELINE:
                self._live.add(request_id)
            elif (parent := _parent_of_job(row)) is not None and self._ledger.row(parent) is None:
                yield parent

    async def end_jobs_of(self, request_id: RequestId) -> None:
        """End the training that an ended pipeline left waiting or running; its models are served on."""
        pipeline_row = await self._ledger.find(request_id)
        if pipeline_row is None or pipeline_row.request.kind is not WorkloadKind.PIPELINE:
            return  # a notebook's jobs outlive it
        if self._ledger.row(request_id) is not None:
            return
        for row in self._ledger.rows():
            if _parent_of_job(row) == request_id and not row.request.is_ending:
                log.info("request %s: ended, for its pipeline %s is over", row.id, request_id)
                event = EndRequested(self._ledger.clock(), row.id)
                await self._ledger.apply(Change(event, why=f"its pipeline {request_id} is over"))


def _parent_of_job(row: RequestRow) -> RequestId | None:
    return row.request.parent if row.request.kind is WorkloadKind.TRAINING else None
