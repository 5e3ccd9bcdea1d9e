"""Notebook servers: offered to the hub, claimed by its spawner, launched with what the hub made.

- *offer*: on the grant the service asks the hub to start the server; the spawner's
  `start()` comes back with the grant and *claims* it. An offer does not expire while
  the hub is asked, and is made again after a restart of the service.
- *intent*: argv and environment of a launch. The environment holds the hub's tokens,
  so it is kept in memory only; after a restart of the service the spawner repeats it.
- *torn start*: a hub that was killed between the claim and the launch comes back without a
  start; it says so (`recover`), and the request goes back to its old place.
- *generation*: a hub that forgot a running server (it was killed) starts it again
  with new tokens: the old task is stopped and the next one runs on the same allocation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from jupyterhub_mesos.errors import Conflict, NotFound
from jupyterhub_mesos.service.launcher import Launcher, ending
from jupyterhub_mesos.service.ledger import Change, Ledger
from jupyterhub_mesos.service.rows import JobRow, Outcome, RequestInfo, RequestRow, TaskPhase, TaskRow
from jupyterhub_mesos.tasks import Endpoint, TaskSpec
from jupyterhub_mesos.wire import HubServer, NotebookPayload
from jupyterhub_mesos_quota.errors import IllegalMove, UnknownAllocation
from jupyterhub_mesos_quota.events import AllocationClaimed, EndRequested, GoneReason, RequestSubmitted
from jupyterhub_mesos_quota.model import (
    Allocation,
    AllocationId,
    AllocationState,
    Request,
    RequestId,
    RequestStatus,
    allocation_id,
)

ROLE: Final = "notebook"
PORT: Final = "http"
ENVIRONMENT: Final = "CAPACITY_ENVIRONMENT"
"""The variable by which a notebook server learns which Python its profile ships (`lab/kernels.py`)."""
NOT_STARTED: Final = "not-started"
TORN: Final = "torn"
_TRIED_AGAIN: Final = {
    NOT_STARTED: "The server did not start within {seconds:g} s.",
    TORN: "The hub was restarted while it started the server; the start is made again.",
}
"""Why a start came to nothing, where the next one may do better."""
NEVER_RAN: Final = HubServer(is_alive=False, exit_code=0)
_NOT_RUNNING_YET: Final = frozenset({TaskPhase.RESERVED, TaskPhase.STARTING})


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed notebook: what the hub's spawner has to know to launch it."""

    request: Request
    allocation: Allocation
    info: RequestInfo
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class _Intent:
    """What the hub wants launched."""

    generation: int
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)


class Notebooks:
    """The driver of notebook requests, and what the hub's routes ask of it."""

    def __init__(
        self,
        launcher: Launcher,
        *,
        look: Callable[[AllocationId], None],
        offer: Callable[[AllocationId], None],
        count_failure: Callable[[RequestId], bool],
    ) -> None:
        """`look` has an allocation reconciled, `offer` has it offered to the hub.

        `count_failure` counts a failed start and says whether it was the last one.
        """
        self._launcher = launcher
        self._ledger: Ledger = launcher.ledger
        self._look = look
        self._offer = offer
        self._count_failure = count_failure
        self._intents: dict[AllocationId, _Intent] = {}
        self._claiming = asyncio.Lock()

    # ---- what the hub asks ---------------------------------------------------------------------

    async def submit(self, change: Change) -> Claim | None:
        """Submit a request and claim its grant in one commit; None where it waits."""
        event = change.event
        if not isinstance(event, RequestSubmitted):
            raise TypeError("only a submission can be submitted")
        first = allocation_id(event.request.id, 1)
        claimed = Change(
            AllocationClaimed(event.at, first), who=change.who, why="claimed by the hub", is_attempt=True
        )
        try:
            await self._ledger.apply(change, claimed)
        except (UnknownAllocation, IllegalMove):
            return None
        return await self._claim(event.request.user, change_server(change))

    async def claim(self, user: str, server_name: str, grant: str | None) -> Claim:
        """Claim the grant of a server; a repeated claim finds the first.

        Raises `NotFound` where the server has no live request, `Conflict` where it waits, ends or
        has another grant. A server that runs already is started anew, see the module.
        """
        return await self._claim(user, server_name, grant)

    async def launch(
        self, allocation_id: AllocationId, argv: tuple[str, ...], env: Mapping[str, str]
    ) -> HubServer:
        """Launch a claimed server, or find it launched; waits a little for it to run."""
        allocation = self._ledger.machine.allocations.get(allocation_id)
        if allocation is None or allocation.state is AllocationState.GONE:
            raise NotFound(f"there is no allocation {allocation_id}: it is gone, start the server again")
        task = self._current(allocation_id)
        if task is None or allocation.state in {AllocationState.GRANTED, AllocationState.STOPPING}:
            raise Conflict(f"allocation {allocation_id} is {allocation.state.value}: it cannot be launched")
        if task.phase in _NOT_RUNNING_YET:
            self._intents[allocation_id] = _Intent(task.generation, argv, dict(env))
            self._look(allocation_id)
        try:
            async with asyncio.timeout(self._launcher.settings.launch_wait_seconds):
                await self._ledger.until(lambda: self._settled(allocation_id))
        except TimeoutError:
            pass  # it goes on; the spawner asks again
        row = self._ledger.row(allocation.request_id)
        return await self._ended(allocation.request_id) if row is None else self._view(row)

    async def server(self, user: str, server_name: str) -> HubServer:
        """Say whether a server is alive, where, and how it ended."""
        row = self._ledger.server(user, server_name)
        if row is not None:
            return self._view(row)
        last = await self._ledger.read(lambda store: store.last_server(user, server_name))
        return NEVER_RAN if last is None else await self._ended(last.id)

    async def recover(self, user: str, server_name: str) -> HubServer:
        """Take back a claim that nobody will launch, as its hub was restarted; a launch goes on."""
        row = self._ledger.server(user, server_name)
        allocation = self._ledger.allocation_of(row.id) if row is not None else None
        if row is not None and allocation is not None and allocation.state is AllocationState.STARTING:
            task = self._current(allocation.id)
            if task is None or not self._was_begun(task):
                generation = 1 if task is None else task.generation
                await self._launcher.write(JobRow(allocation.id, generation, is_stopping=TORN))
                self._look(allocation.id)
                await self._ledger.until(lambda: self._is_over(allocation.id))
        return await self.server(user, server_name)

    async def stop(self, user: str, server_name: str, who: str) -> HubServer:
        """End what runs of a server; what waits goes on waiting."""
        row = self._ledger.server(user, server_name)
        allocation = self._ledger.allocation_of(row.id) if row is not None else None
        if row is not None and allocation is not None and allocation.state is not AllocationState.GRANTED:
            await self._end(row, who, f"the server was stopped by {who}", _given_up(row, allocation))
        return await self.server(user, server_name)

    async def delete(self, user: str, server_name: str, who: str) -> None:
        """End or withdraw whatever there is of a server."""
        row = self._ledger.server(user, server_name)
        if row is not None:
            await self._end(row, who, f"the server was removed by {who}")

    # ---- claiming ------------------------------------------------------------------------------

    async def _claim(self, user: str, server_name: str, grant: str | None = None) -> Claim:
        async with self._claiming:  # a port is chosen once; two claims of one server find the same
            row, allocation = self._claimable(user, server_name, grant)
            task = self._current(allocation.id)
            if task is None or self._was_begun(task):
                generation = task.generation + 1 if task is not None else 1
                (task,) = await self._launcher.reserve(allocation, generation, ROLE, (PORT,))
                event = AllocationClaimed(self._ledger.clock(), allocation.id)
                is_granted = allocation.state is AllocationState.GRANTED
                await self._ledger.apply(
                    Change(event if is_granted else None, (task,), who="hub", why="claimed by the hub")
                )
            return Claim(row.request, allocation, row.info, task.endpoint)

    def _claimable(self, user: str, server_name: str, grant: str | None) -> tuple[RequestRow, Allocation]:
        row = self._ledger.server(user, server_name)
        if row is None:
            raise NotFound(f"the server {server_name!r} of {user} has no live request: ask for it first")
        allocation = self._ledger.allocation_of(row.id)
        if allocation is None or (grant is not None and allocation.id != grant):
            raise Conflict(f"request {row.id} has no such grant (any more): it is {row.request.status.value}")
        if row.request.is_ending or allocation.state is AllocationState.STOPPING:
            raise Conflict(f"request {row.id} is being stopped: wait until it is gone, then start anew")
        if allocation.state is AllocationState.LOST:
            raise Conflict(f"request {row.id} runs on a machine that does not answer: wait, or end it")
        return row, allocation

    def _was_begun(self, task: TaskRow) -> bool:
        """Say whether a launch of this task was begun, so that another start means another task."""
        return task.phase is not TaskPhase.RESERVED or self._intent(task) is not None

    # ---- the driver ----------------------------------------------------------------------------

    async def reconcile(self, row: RequestRow, allocation: Allocation) -> float | None:
        """Bring a notebook's allocation a step further."""
        if allocation.state is AllocationState.GRANTED:
            self._offer(allocation.id)
            return None
        job = self._launcher.job(allocation.id)
        if job is not None and job.is_stopping:
            return await self._wind_up(row, allocation, job.is_stopping)
        task = self._current(allocation.id)
        if task is None:  # killed, or still busy, between the claim and the choice of a port
            await self._claim(row.request.user, _server_name(row))
            return None
        older = [old for old in self._launcher.tasks(allocation.id) if old.generation < task.generation]
        again = await self._launcher.stop(older)
        if again is not None:
            return again
        return await self._advance(row, allocation, task)

    async def _advance(self, row: RequestRow, allocation: Allocation, task: TaskRow) -> float | None:
        if task.phase is TaskPhase.GONE:
            await self._finish(row, allocation, task)
        elif task.phase is TaskPhase.RUNNING:
            self._intents.pop(allocation.id, None)
            await self._launcher.started(allocation, (task,))
        elif self._launcher.is_overdue((task,)):
            await self._launcher.write(JobRow(allocation.id, task.generation, is_stopping=NOT_STARTED))
        else:
            intent = self._intent(task)
            if intent is not None:
                job = JobRow(allocation.id, task.generation)
                async with self._launcher.launching(row, job):
                    await self._launcher.launch(await self._spec(row, allocation, task, intent))
            return max(0.0, self._launcher.overdue_in((task,)))
        return None

    async def _spec(
        self, row: RequestRow, allocation: Allocation, task: TaskRow, intent: _Intent
    ) -> TaskSpec:
        ctx = await self._launcher.context(row.request, allocation)
        placement = allocation.placements[0]
        env = {name: value for name, value in ctx.env.items() if name != "JOB_SECRET"}
        if environment := self._environment(row):
            env[ENVIRONMENT] = _literal(environment)
        env |= {name: _literal(value) for name, value in intent.env.items()}
        return TaskSpec(
            id=task.id,
            allocation_id=allocation.id,
            user=row.request.user,
            team=row.request.team,
            node=task.node,
            argv=tuple(_literal(argument) for argument in intent.argv),
            resources=placement.resources,
            endpoint=task.endpoint,
            devices=placement.devices,
            env=env,
            mounts=ctx.mounts,
            groups=ctx.groups,
            files=ctx.files,
            stop_grace_seconds=self._launcher.settings.stop_grace_seconds,
        )

    def _environment(self, row: RequestRow) -> str:
        """Return the Python environment that the notebook's profile ships, or nothing."""
        payload = row.info.payload
        profile = payload.profile if isinstance(payload, NotebookPayload) else None
        return self._launcher.settings.environments.get(profile or "", "")

    async def _finish(self, row: RequestRow, allocation: Allocation, task: TaskRow) -> None:
        """End a request whose server ended by itself."""
        is_well = task.exit_code == 0
        reason = GoneReason.FINISHED if is_well else GoneReason.FAILED
        message = "" if is_well else f"The notebook server is gone: {ending(task)}."
        await self._launcher.finish(
            allocation, reason, Outcome(row.id, reason.value, message), message or "the server ended"
        )

    async def _wind_up(self, row: RequestRow, allocation: Allocation, reason: str) -> float | None:
        """Stop a server that did not start; queue its request again, a bounded number of times.

        One that cannot start, whose reason is a sentence, is not tried again.
        """
        again = await self._launcher.stop(self._launcher.tasks(allocation.id))
        if again is not None:
            return again
        seconds = self._launcher.settings.start_timeout_seconds
        message = _TRIED_AGAIN.get(reason, reason).format(seconds=seconds)
        is_last = reason not in _TRIED_AGAIN or self._count_failure(row.id)
        gone = GoneReason.FAILED if is_last else GoneReason.NOT_PLACED
        outcome = Outcome(row.id, gone.value if is_last else None, message)
        await self._launcher.finish(allocation, gone, outcome, message)
        return None

    def drop(self, allocation_id: AllocationId) -> None:
        """Forget an allocation that is gone, its environment above all."""
        self._intents.pop(allocation_id, None)

    # ---- looking -------------------------------------------------------------------------------

    def _current(self, allocation_id: AllocationId) -> TaskRow | None:
        tasks = self._launcher.tasks(allocation_id)
        return tasks[-1] if tasks else None

    def _intent(self, task: TaskRow) -> _Intent | None:
        intent = self._intents.get(task.allocation_id)
        return intent if intent is not None and intent.generation == task.generation else None

    def _is_over(self, allocation_id: AllocationId) -> bool | None:
        return None if allocation_id in self._ledger.machine.allocations else True

    def _settled(self, allocation_id: AllocationId) -> bool | None:
        """Say whether a launch has come to an end, one way or the other."""
        task = self._current(allocation_id)
        return True if task is None or task.phase not in _NOT_RUNNING_YET else None

    def _view(self, row: RequestRow) -> HubServer:
        allocation = self._ledger.allocation_of(row.id)
        if (
            row.request.status is not RequestStatus.ACTIVE
            or allocation is None
            or allocation.state is AllocationState.GRANTED
        ):
            return HubServer(is_alive=False, exit_code=0, request_id=row.id, message=row.message)
        task = self._current(allocation.id)
        runs = task is not None and task.phase is TaskPhase.RUNNING
        url = (
            f"http://{task.endpoint.host}:{task.endpoint.ports[PORT]}" if task is not None and runs else None
        )
        return HubServer(is_alive=True, request_id=row.id, allocation_id=allocation.id, url=url)

    async def _ended(self, request_id: RequestId) -> HubServer:
        """Say how a server ended whose request is over."""
        row = await self._ledger.find(request_id)
        if row is None or row.request.status is RequestStatus.WITHDRAWN:
            return NEVER_RAN
        exit_code = 0
        if row.outcome == GoneReason.FAILED.value:
            last = allocation_id(row.id, row.request.allocations)
            tasks = await self._ledger.read(lambda store: store.tasks_of(last))
            exit_code = (tasks[-1].exit_code if tasks else None) or 1
        return HubServer(is_alive=False, exit_code=exit_code, message=row.message, request_id=row.id)

    async def _end(self, row: RequestRow, who: str, why: str, message: str = "") -> None:
        records = (Outcome(row.id, None, message),) if message else ()
        await self._ledger.apply(
            Change(EndRequested(self._ledger.clock(), row.id), records, who=who, why=why)
        )


def change_server(change: Change) -> str:
    """Return the server's name that a submission carries."""
    for record in change.records:
        if isinstance(record, RequestInfo):
            server = record.server("")
            if server is not None:
                return server.server_name
    raise TypeError("the submission is for no notebook")


def _given_up(row: RequestRow, allocation: Allocation) -> str:
    """Say why a server is over that never ran; nothing of one that did, or that is ending already."""
    if allocation.state is not AllocationState.STARTING or row.request.is_ending:
        return ""
    said = row.message or "Its output, if there is any, and the hub's log say more."
    return f"The hub gave up its start before it ran, or the start was cancelled there. {said}"


def _server_name(row: RequestRow) -> str:
    return row.server.server_name if row.server is not None else ""


def _literal(text: str) -> str:
    """Escape `{`, which a TaskSpec gives a meaning to."""
    return text.replace("{", "{{")
