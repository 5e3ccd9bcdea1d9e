"""A ledger over a real SQLite file, a controller over a backend in memory, and a hub of a few lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from jupyterhub_mesos.backends.faulty import MemoryBackend, MemoryWorld
from jupyterhub_mesos.configuration.teams import team_values
from jupyterhub_mesos.errors import Unavailable
from jupyterhub_mesos.service.controller import Controller, ControllerSettings
from jupyterhub_mesos.service.hub_api import StartAnswer
from jupyterhub_mesos.service.ledger import Change, Ledger
from jupyterhub_mesos.service.rows import AnyPayload, RequestInfo, RequestRow, ServerKey, TeamsRecord
from jupyterhub_mesos.service.store import Store, store_url
from jupyterhub_mesos.tasks import Mount, TaskId
from jupyterhub_mesos.wire import (
    BoundsModel,
    Job,
    NotebookPayload,
    ResourcesModel,
    Restart,
    Role,
    TeamModel,
    TeamsModel,
    TrainingPayload,
)
from jupyterhub_mesos_quota.events import NodeSeen, RequestSubmitted, TeamsReplaced
from jupyterhub_mesos_quota.model import (
    Allocation,
    AllocationId,
    AllocationState,
    Node,
    NodeId,
    Request,
    RequestId,
    TeamId,
    UserName,
    WorkloadKind,
)
from jupyterhub_mesos_quota.policy import DEFAULT_POLICY, Policy
from jupyterhub_mesos_quota.resources import Resources

T = TypeVar("T")
SMALL = Resources.of(cpu_millis=1000, mem_mib=1024)
NODE = Node(NodeId("memory"), Resources.of(cpu_millis=4000, mem_mib=8192))
TEAMS = TeamsModel(
    teams={
        "vision": TeamModel(
            guarantee=ResourcesModel(cpu_millis=4000, mem_mib=8192), limit=BoundsModel(cpu_millis=8000)
        )
    }
)
DEADLINE_SECONDS = 20.0


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeLake:
    """A lake of two words."""

    def prepare(self, team: str) -> Path:
        return Path("/lake") / team

    def mounts(self, team: str, user: str) -> tuple[Mount, ...]:
        return (Mount(f"/lake/{team}", "lake/team"),)

    def groups(self, team: str) -> tuple[int, ...]:
        return (40_001,)

    def env(self, team: str) -> Mapping[str, str]:
        return {"LAKE_TEAM_URI": f"file:///lake/{team}"}


@dataclass
class FakeHub:
    """A hub that answers what the test says; `posted` is what it was asked."""

    answers: list[StartAnswer | Unavailable] = field(default_factory=list)
    posted: list[tuple[str, str, AllocationId, dict[str, Any]]] = field(default_factory=list)
    known: set[ServerKey] | None = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    on_start: Callable[[str, str, AllocationId], Any] | None = None

    async def start_server(
        self, user: str, server_name: str, grant: AllocationId, options: Mapping[str, Any]
    ) -> StartAnswer:
        self.posted.append((user, server_name, grant, dict(options)))
        if self.on_start is not None:
            await self.on_start(user, server_name, grant)
        answer = self.answers.pop(0) if self.answers else StartAnswer.PENDING
        if isinstance(answer, Unavailable):
            raise answer
        return answer

    async def servers(self) -> frozenset[ServerKey]:
        if self.known is None:
            raise Unavailable("the hub is away")
        return frozenset(self.known)

    async def knows(self, user: str) -> bool:
        if self.known is None:
            raise Unavailable("the hub is away")
        return user not in self.deleted


@asynccontextmanager
async def opened(
    path: Path | str, clock: Clock | None = None, store: Store | None = None, policy: Policy = DEFAULT_POLICY
) -> AsyncIterator[Ledger]:
    """A ledger with one team, opened over the SQLite file `path`, or a URL."""
    url = path if isinstance(path, str) else store_url(path)
    ledger = Ledger(store or Store(url), clock or Clock(), policy)
    await ledger.open()
    if not ledger.revision:
        await ledger.apply(
            Change(TeamsReplaced(ledger.clock(), team_values(TEAMS)), (TeamsRecord(TEAMS),), who="root")
        )
    try:
        yield ledger
    finally:
        await ledger.close()


async def plant(ledger: Ledger, teams: TeamsModel) -> None:
    """Put another tree in force."""
    event = TeamsReplaced(ledger.clock(), team_values(teams))
    await ledger.apply(Change(event, (TeamsRecord(teams),), who="root"))


async def add_node(ledger: Ledger, node: Node = NODE) -> None:
    await ledger.apply(Change(NodeSeen(ledger.clock(), node)))


def asking(ledger: Ledger, name: str, payload: AnyPayload, **of: Any) -> Change:
    """A submission of `name` by ada of team vision."""
    values: dict[str, Any] = {"resources": SMALL, "user": "ada", "team": "vision", **of}
    request = Request(
        id=RequestId(name),
        team=TeamId(values.pop("team")),
        user=UserName(values.pop("user")),
        kind=WorkloadKind(payload.kind),
        submitted_at=ledger.clock(),
        **values,
    )
    event = RequestSubmitted(ledger.clock(), request)
    return Change(event, (RequestInfo(request.id, name, payload),), who=request.user, why="asked for")


def notebook(ledger: Ledger, name: str, server_name: str = "", **of: Any) -> Change:
    return asking(ledger, name, NotebookPayload(server_name=server_name, profile="small"), **of)


def training(
    ledger: Ledger,
    name: str,
    *,
    replicas: int = 2,
    max_restarts: int = 2,
    parent: RequestId | None = None,
    **of: Any,
) -> Change:
    job = Job(
        name="digits",
        roles=(Role(replicas=replicas, argv=("python", "train.py")),),
        restart=Restart(max_restarts=max_restarts, backoff_seconds=0.0),
        checkpoint_uri="~/lake/team/digits",
        **of,
    )
    return asking(ledger, name, TrainingPayload(job=job), replicas=replicas, parent=parent)


@dataclass
class Rig:
    """A service without its web."""

    ledger: Ledger
    backend: MemoryBackend
    controller: Controller
    hub: FakeHub
    clock: Clock

    async def until(self, look: Callable[[], T | None]) -> T:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await self.ledger.until(look)

    async def seen(self, look: Callable[[], object]) -> None:
        """Wait for what no commit tells of."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not look():  # noqa: ASYNC110  the fake has no event for it
                await asyncio.sleep(0)

    async def allocation(self, name: str, state: AllocationState) -> Allocation:
        """Wait for the live allocation of a request to reach a state."""

        def look() -> Allocation | None:
            found = self.ledger.allocation_of(RequestId(name))
            return found if found is not None and found.state is state else None

        return await self.until(look)

    async def ended(self, name: str) -> RequestRow:
        """Wait for a request's end and return its row."""
        await self.until(lambda: True if self.ledger.row(RequestId(name)) is None else None)
        row = await self.ledger.find(RequestId(name))
        assert row is not None
        return row

    async def until_audited(self, subject: str, what: str) -> None:
        """Wait until something stands in the audit log."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while what not in [
                row.what for row in await self.ledger.read(lambda store: store.audit(subject=subject))
            ]:
                pass

    async def task(self, allocation: str, role: str, index: int = 0, generation: int = 1) -> TaskId:
        """Wait until a task runs; return its id."""
        name = TaskId(f"{allocation}-g{generation}-{role}-{index}")

        def look() -> TaskId | None:
            found = [task for task in self.ledger.memory.tasks.values() if task.id == name]
            return name if found and found[0].phase.value == "running" else None

        return await self.until(look)


@asynccontextmanager
async def running(
    path: Path | str,
    *,
    backend: MemoryBackend | None = None,
    hub: FakeHub | None = None,
    clock: Clock | None = None,
    store: Store | None = None,
    policy: Policy = DEFAULT_POLICY,
    **settings: Any,
) -> AsyncIterator[Rig]:
    """A controller at work; for ledger and backend, leaving it is a `kill -9` of the service."""
    chosen = {"backoff_seconds": 0.01, "launch_wait_seconds": 5.0, "job_key": b"k", **settings}
    clock, hub, backend = (
        clock or Clock(),
        hub or FakeHub(),
        backend or MemoryBackend(MemoryWorld(nodes=(NODE,))),
    )
    async with opened(path, clock, store, policy) as ledger:
        await backend.open()
        controller = Controller(ledger, backend, FakeLake(), hub, ControllerSettings(**chosen))
        await controller.open()
        work = asyncio.ensure_future(controller.run())
        try:
            yield Rig(ledger, backend, controller, hub, clock)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await controller.close()
            await backend.close()
