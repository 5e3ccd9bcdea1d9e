"""Jobs as real processes of a service asked over HTTP: taken back, killed in between, and gone on with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from deadlines import eventually
from jupyterhub_mesos.backends.faulty import MemoryBackend, MemoryWorld
from jupyterhub_mesos.backends.registry import create_backend
from jupyterhub_mesos.client import Client
from jupyterhub_mesos.lake import Lake
from jupyterhub_mesos.service.app import Parts, RunningService, serving
from jupyterhub_mesos.service.controller import ControllerSettings
from jupyterhub_mesos.service.rows import RequestRow
from jupyterhub_mesos.wire import (
    BudgetModel,
    Job,
    RequestSubmission,
    RequestView,
    ResourcesModel,
    Restart,
    Role,
    Source,
    SourceFile,
    TeamModel,
    TeamsModel,
    TrainingPayload,
)
from jupyterhub_mesos_quota.model import AllocationState, Node, NodeId, RequestId, RequestStatus
from jupyterhub_mesos_quota.policy import Policy, Reclaim
from jupyterhub_mesos_quota.resources import Flavor, Resources
from small_hub import SmallHub
from web_cases import NoLake, people, settings_for

DEADLINE_SECONDS = 60.0
CHECKPOINT = "~/lake/team/steps"
TRAIN = """
import pathlib, signal, sys
place = pathlib.Path(sys.argv[1]).expanduser()
place.parent.mkdir(parents=True, exist_ok=True)
begun = int(place.read_text()) if place.exists() else 0
def stop(*_):
    place.write_text(str(begun + 1))
    print("saved", begun + 1, flush=True)
    sys.exit(1)
signal.signal(signal.SIGTERM, stop)
print("begun at", begun, flush=True)
if begun >= int(sys.argv[2]):
    sys.exit(0)
signal.pause()
"""
TEAMS = TeamsModel(
    teams={
        "vision": TeamModel(groups=("vision",)),
        "speech": TeamModel(groups=("speech",), guarantee=ResourcesModel(cpu_millis=2000, mem_mib=1024)),
    }
)
POLICY = Policy(reclaim=Reclaim(min_runtime_seconds=0.0, grace_seconds=0.0), budget_grace_seconds=0.5)
QUICK = ControllerSettings(backoff_seconds=0.05, time_seconds=0.2, stop_grace_seconds=5.0)


def counting(name: str, until: int) -> TrainingPayload:
    """A job of the whole machine that counts the times it was stopped, and ends after `until` of them."""
    role = Role(
        argv=("python", "{job}/train.py", CHECKPOINT, str(until)),
        resources=ResourcesModel(cpu_millis=2000, mem_mib=512),
    )
    source = Source(files=(SourceFile(path="train.py", text=TRAIN),))
    return TrainingPayload(
        job=Job(
            name=name,
            source=source,
            roles=(role,),
            restart=Restart(max_restarts=0),
            checkpoint_uri=CHECKPOINT,
        )
    )


@dataclass
class Machine:
    """One machine of two cores; the service on it comes and goes."""

    hub: SmallHub
    state: Path
    parts: Parts

    @asynccontextmanager
    async def service(self) -> AsyncGenerator[RunningService]:
        settings = replace(settings_for(self.hub, self.state), policy=POLICY)
        async with serving(settings, self.parts) as running:
            yield running


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    state = tmp_path / "state"
    state.mkdir()
    hub = SmallHub(people())
    hub.open()
    backend = create_backend("local", state, {"isolation": "shared", "cpu_millis": 2000, "mem_mib": 1024})
    yield Machine(hub, state, Parts(backend, Lake(state / "lake"), QUICK))
    await backend.open()
    for status in await backend.tasks():
        await backend.stop(status.id, 0.0)
    await backend.close()
    await hub.close()


async def ask(service: RunningService, who: str, name: str, until: int) -> RequestView:
    submission = RequestSubmission(payload=counting(name, until))
    return await asyncio.to_thread(Client(service.url, who).submit, submission)


async def get(service: RunningService, who: str, name: str) -> RequestView:
    return await asyncio.to_thread(Client(service.url, who).request, name)


async def output(service: RunningService, who: str, name: str) -> str:
    return "".join(await asyncio.to_thread(lambda: list(Client(service.url, who).logs(name))))


async def runs(service: RunningService, name: str, number: int) -> None:
    """Wait until the `number`-th allocation of a request runs."""

    def look() -> bool | None:
        found = service.ledger.allocation_of(RequestId(name))
        is_it = (
            found is not None and found.id == f"{name}-{number}" and found.state is AllocationState.RUNNING
        )
        return True if is_it else None

    async with asyncio.timeout(DEADLINE_SECONDS):
        await service.ledger.until(look)


async def minds(service: RunningService, who: str, name: str) -> None:
    """Wait until the first allocation's program minds a stop: before, one ends it unheard."""
    await runs(service, name, 1)
    client = Client(service.url, who)
    await asyncio.to_thread(
        eventually, lambda: "begun" in "".join(client.logs(name)), "it begins", DEADLINE_SECONDS
    )


async def waits(service: RunningService, name: str) -> None:
    def look() -> bool | None:
        row = service.ledger.row(RequestId(name))
        return True if row is not None and row.request.status is RequestStatus.QUEUED else None

    async with asyncio.timeout(DEADLINE_SECONDS):
        await service.ledger.until(look)


async def over(service: RunningService, name: str) -> RequestRow:
    ledger = service.ledger
    async with asyncio.timeout(DEADLINE_SECONDS):
        await ledger.until(lambda: True if ledger.row(RequestId(name)) is None else None)
    row = await ledger.find(RequestId(name))
    assert row is not None
    return row


async def plant(service: RunningService, teams: TeamsModel) -> None:
    await asyncio.to_thread(Client(service.url, "admin").put_teams, teams)


@pytest.mark.timeout(180)
async def test_a_job_on_lent_room_makes_room_and_goes_on_from_its_checkpoint_by_itself(
    machine: Machine,
) -> None:
    async with machine.service() as service:
        await plant(service, TEAMS)
        lent = (await ask(service, "member", "lent", 1)).id
        await minds(service, "member", lent)
        mine = (await ask(service, "speaker", "mine", 99)).id
        await runs(service, mine, 1)
        taken = await get(service, "member", lent)
        assert (taken.status, taken.explanation and taken.explanation.position) == ("queued", 1)
        assert taken.message.startswith("It was stopped: team speech takes its guarantee back. It waits")
        await asyncio.to_thread(Client(service.url, "speaker").end, mine)
        row = await over(service, lent)
        assert (row.outcome, row.request.allocations) == ("finished", 2)
        assert await output(service, "member", lent) == "begun at 1\n"
        assert (await get(service, "member", lent)).allocation is not None


@pytest.mark.timeout(180)
async def test_a_service_killed_while_a_job_makes_room_loses_neither_job_nor_place(machine: Machine) -> None:
    async with machine.service() as service:
        await plant(service, TEAMS)
        lent = (await ask(service, "member", "lent", 1)).id
        await minds(service, "member", lent)
        mine = (await ask(service, "speaker", "mine", 1)).id  # committed, and the service is gone
    async with machine.service() as service:
        await runs(service, mine, 1)
        await waits(service, lent)
        await asyncio.to_thread(Client(service.url, "speaker").end, mine)
        assert (await over(service, lent)).outcome == "finished"


@pytest.mark.timeout(180)
async def test_what_runs_on_a_budget_that_is_used_up_is_stopped_and_told_when_it_is_possible(
    tmp_path: Path,
) -> None:
    hours = BudgetModel(window_hours=1, team_hours=1)
    teams = TeamsModel(teams={"vision": TeamModel(groups=("vision",), budget=hours)})
    many = 1_000_000  # so that an hour of them is used up in a moment
    whole = Resources.of(cpu_millis=4000, mem_mib=4096, accelerators={Flavor("h200"): many})
    node = Node(NodeId("memory"), whole)
    hub = SmallHub(people())
    hub.open()
    parts = Parts(MemoryBackend(MemoryWorld(nodes=(node,))), NoLake(), QUICK)
    async with serving(replace(settings_for(hub, tmp_path), policy=POLICY), parts) as service:
        await plant(service, teams)
        payload = counting("costly", 1)
        job = payload.job.model_copy(
            update={
                "roles": (
                    payload.job.roles[0].model_copy(
                        update={
                            "resources": ResourcesModel(
                                cpu_millis=500, mem_mib=64, accelerators={"h200": many}
                            )
                        }
                    ),
                )
            }
        )
        submission = RequestSubmission(payload=TrainingPayload(job=job))
        name = (await asyncio.to_thread(Client(service.url, "member").submit, submission)).id
        await runs(service, name, 1)
        await waits(service, name)
        view = await get(service, "member", name)
        assert view.explanation is not None
        assert view.explanation.code == "over-budget"
        assert view.explanation.possible_at is not None
        assert view.explanation.possible_at > service.ledger.clock() + 3000
        teams_view = await asyncio.to_thread(Client(service.url, "member").teams)
        (team,) = teams_view.teams
        assert team.budget is not None
        assert team.budget.team is not None
        assert (team.budget.team.left_hours, team.budget.asker) == (0.0, None)
        marks = await service.ledger.read(lambda store: store.audit("vision"))
        assert [row.what for row in reversed(marks)] == ["80 % of a budget used", "100 % of a budget used"]
    await hub.close()
