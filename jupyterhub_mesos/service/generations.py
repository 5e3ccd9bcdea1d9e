"""How an allocation of training or serving goes through its generations, as its plan decides.

A generation's number and the restarts used are stored before anything of it is
launched, its endpoints before the first task: a service killed anywhere goes on
where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, assert_never

from jupyterhub_mesos.errors import BackendError
from jupyterhub_mesos.service.launcher import Launcher
from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos.service.rows import JobRow, Outcome, RequestRow, TaskPhase, TaskRow
from jupyterhub_mesos.tasks import Endpoint, TaskContext, TaskSpec
from jupyterhub_mesos.training.generation import Decision, Failed, Finished, NextGeneration, StopRest, Wait
from jupyterhub_mesos_quota.events import AllocationClaimed, GoneReason
from jupyterhub_mesos_quota.model import Allocation, AllocationState, allocation_id

TIMED_OUT: Final = "time-limit"
NOT_STARTED: Final = "not-started"


class Workload(Protocol):
    """One request's plan; pure."""

    @property
    def role(self) -> str:
        """The role of its tasks."""
        ...

    @property
    def ports(self) -> Sequence[str]:
        """The ports that each task needs."""
        ...

    @property
    def time_limit_seconds(self) -> float | None:
        """How long it may run, from its first start."""
        ...

    def plan(self, ctx: TaskContext, generation: int, endpoints: Sequence[Endpoint]) -> Sequence[TaskSpec]:
        """Describe the tasks of one generation."""
        ...

    def after(self, job: JobRow, tasks: Sequence[TaskRow], expected: int) -> Decision:
        """Decide what follows from where the generation's tasks stand."""
        ...


@dataclass(frozen=True, slots=True)
class _Turn:
    """What one look at an allocation is about."""

    row: RequestRow
    allocation: Allocation
    job: JobRow
    workload: Workload


class Generations:
    """Carries out the decisions of a workload's plan."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._ledger = launcher.ledger

    async def reconcile(self, row: RequestRow, allocation: Allocation, workload: Workload) -> float | None:
        """Bring one allocation a step further; return after how long to look again, if by time alone."""
        if allocation.state is AllocationState.GRANTED:
            job = await self._begun(row, allocation)
            event = AllocationClaimed(self._ledger.clock(), allocation.id)
            await self._ledger.apply(Change(event, (job,), why="the service starts it"))
            return None
        turn = _Turn(row, allocation, self._launcher.job(allocation.id) or JobRow(allocation.id), workload)
        if turn.job.is_stopping:
            return await self._wind_up(turn)
        tasks = self._launcher.tasks(allocation.id, turn.job.generation)
        if not tasks:
            return await self._reserve(turn)
        if any(task.phase in {TaskPhase.RESERVED, TaskPhase.STARTING} for task in tasks):
            if self._launcher.is_overdue(tasks):
                return await self._give_up(turn, NOT_STARTED)
            if not await self._launch(turn, tasks):
                return None  # the reason is stored, and that commit has this allocation looked at again
        return await self._decide(turn)

    async def _begun(self, row: RequestRow, allocation: Allocation) -> JobRow:
        """Return where an allocation's generations begin: after those of the one that was taken before it.

        One that was taken back is counted, so that the next one's tasks know of it, and charges no restart.
        """
        first, before = JobRow(allocation.id), row.request.allocations - 1
        if not before:
            return first
        last = await self._ledger.read(lambda store: store.job(allocation_id(row.id, before)))
        if last is None:
            return first
        return replace(first, generation=last.generation + 1, restarts_used=last.restarts_used)

    async def _reserve(self, turn: _Turn) -> float | None:
        """Choose endpoints for the generation, once it is due."""
        early = turn.job.not_before - self._ledger.clock()
        if early > 0:
            return early
        workload = turn.workload
        rows = await self._launcher.reserve(
            turn.allocation, turn.job.generation, workload.role, workload.ports
        )
        await self._launcher.write(turn.job, *rows)
        return None  # the commit has this allocation looked at again

    async def _launch(self, turn: _Turn, tasks: Sequence[TaskRow]) -> bool:
        """Launch what was not launched yet, all at once; say whether it can be."""
        async with self._launcher.launching(turn.row, turn.job):
            ctx = await self._launcher.context(turn.row.request, turn.allocation)
            endpoints = [task.endpoint for task in tasks]
            specs = turn.workload.plan(ctx, turn.job.generation, endpoints)
            whole = (replace(spec, groups=ctx.groups, files=(*spec.files, *ctx.files)) for spec in specs)
            said = await asyncio.gather(*map(self._launcher.launch, whole), return_exceptions=True)
            _raise_first(said)
            return True
        return False

    async def _decide(self, turn: _Turn) -> float | None:
        tasks = self._launcher.tasks(turn.allocation.id, turn.job.generation)
        decision = turn.workload.after(turn.job, tasks, len(turn.allocation.placements))
        outcome: Outcome
        match decision:
            case Wait():
                return await self._wait(turn, tasks)
            case StopRest():
                return await self._launcher.stop(tasks)
            case NextGeneration(number=number, delay_seconds=delay, message=message):
                following = JobRow(
                    turn.allocation.id, number, turn.job.restarts_used + 1, self._ledger.clock() + delay
                )
                await self._launcher.write(following, Outcome(turn.row.id, None, message))
            case Finished():
                outcome = Outcome(turn.row.id, "finished")
                await self._launcher.finish(turn.allocation, GoneReason.FINISHED, outcome, "it finished")
            case Failed(message=message):
                outcome = Outcome(turn.row.id, "failed", message)
                await self._launcher.finish(turn.allocation, GoneReason.FAILED, outcome, message)
            case _:
                assert_never(decision)
        return None

    async def _wait(self, turn: _Turn, tasks: Sequence[TaskRow]) -> float | None:
        await self._launcher.started(turn.allocation, tasks)
        limit, started_at = turn.workload.time_limit_seconds, turn.allocation.started_at
        if any(task.phase in {TaskPhase.RESERVED, TaskPhase.STARTING} for task in tasks):
            return max(0.0, self._launcher.overdue_in(tasks))
        if limit is None or started_at is None:
            return None
        left = started_at + limit - self._ledger.clock()
        return left if left > 0 else await self._give_up(turn, TIMED_OUT)

    # ---- an end that the plan does not know of ---------------------------------------------------

    async def _give_up(self, turn: _Turn, reason: str) -> float | None:
        await self._launcher.write(replace(turn.job, is_stopping=reason))
        return None

    async def _wind_up(self, turn: _Turn) -> float | None:
        """Stop everything, then end the request for the stored reason."""
        again = await self._launcher.stop(self._launcher.tasks(turn.allocation.id))
        if again is not None:
            return again
        message = self._reason(turn)
        outcome = Outcome(turn.row.id, "failed", message)
        await self._launcher.finish(turn.allocation, GoneReason.FAILED, outcome, message)
        return None

    def _reason(self, turn: _Turn) -> str:
        if turn.job.is_stopping == TIMED_OUT:
            return (
                f"It ran into its time limit of {turn.workload.time_limit_seconds:g} s and was stopped: "
                "raise time_limit_seconds, or let it resume from its checkpoint with a new submission."
            )
        if turn.job.is_stopping != NOT_STARTED:
            return turn.job.is_stopping  # a launch that could not succeed said it in words
        late = f"It did not start within {self._launcher.settings.start_timeout_seconds:g} s and was stopped"
        last = f": {turn.row.message}" if turn.row.message else "; its output, if there is any, says more."
        return late + last


def _raise_first(said: Sequence[BaseException | None]) -> None:
    """Raise what a launch raised; one that cannot succeed goes before one that may."""
    errors = sorted((one for one in said if one is not None), key=lambda one: isinstance(one, BackendError))
    if errors:
        raise errors[0]
