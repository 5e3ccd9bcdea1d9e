"""What the core decides over running workloads, carried out: warned, stopped, waiting again, started anew."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import service_rig as rig
from jupyterhub_mesos.backends.faulty import MemoryBackend, MemoryWorld, StopHangs
from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos.service.words import warning
from jupyterhub_mesos.wire import (
    Job,
    ResourcesModel,
    Restart,
    Role,
    TeamModel,
    TeamsModel,
    TrainingPayload,
    WarningView,
)
from jupyterhub_mesos_quota.events import (
    EndRequested,
    NodeCordoned,
    NodeUncordoned,
)
from jupyterhub_mesos_quota.model import AllocationId, AllocationState, RequestId, RequestStatus
from jupyterhub_mesos_quota.policy import Policy, Preempt, Reclaim
from jupyterhub_mesos_quota.resources import Resources

HALF, WHOLE = (Resources.of(cpu_millis=cpu, mem_mib=1024) for cpu in (2000, 4000))
GRACE = 300.0
POLICY = Policy(reclaim=Reclaim(min_runtime_seconds=60.0, grace_seconds=GRACE))
TEAMS = TeamsModel(
    teams={
        "lender": TeamModel(guarantee=ResourcesModel(cpu_millis=4000, mem_mib=8192)),
        "vision": TeamModel(),
    }
)
ARGV, ENV = ("jupyterhub-singleuser",), {"JUPYTERHUB_API_TOKEN": "t"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@asynccontextmanager
async def running(path: Path, **of: Any) -> AsyncGenerator[rig.Rig]:
    """A service that takes back what is lent, whose hub starts what it is asked to."""
    hub = of.pop("hub", None) or rig.FakeHub()
    async with rig.running(
        path, hub=hub, policy=of.pop("policy", POLICY), time_seconds=0.05, **of
    ) as service:

        async def start(user: str, server_name: str, grant: AllocationId) -> None:
            claim = await service.controller.notebooks.claim(user, server_name, grant)
            await service.controller.notebooks.launch(claim.allocation.id, ARGV, ENV)

        hub.on_start = start
        if service.ledger.teams != TEAMS:
            await rig.plant(service.ledger, TEAMS)
        yield service


def job(service: rig.Rig, name: str, *, replicas: int = 2, has_checkpoint: bool = True) -> Change:
    """A job of 2 CPU per replica."""
    spec = Job(
        name="digits",
        roles=(Role(replicas=replicas, argv=("python", "train.py")),),
        restart=Restart(max_restarts=1 if has_checkpoint else 0, backoff_seconds=0.0),
        checkpoint_uri="~/lake/team/digits" if has_checkpoint else None,
    )
    return rig.asking(service.ledger, name, TrainingPayload(job=spec), replicas=replicas, resources=HALF)


async def runs(service: rig.Rig, name: str) -> AllocationId:
    return (await service.allocation(name, AllocationState.RUNNING)).id


async def lender_asks(service: rig.Rig, resources: Resources = HALF) -> None:
    """Team lender wants some of its guarantee back, when what is lent has run long enough."""
    service.clock.now += 61
    await service.ledger.apply(
        rig.notebook(service.ledger, "mine", "mine", team="lender", user="lea", resources=resources)
    )


async def lender_ends(service: rig.Rig) -> None:
    await service.ledger.apply(Change(EndRequested(service.clock(), RequestId("mine")), who="lea"))


async def waiting(service: rig.Rig, name: str) -> None:
    def look() -> bool | None:
        row = service.ledger.row(RequestId(name))
        return True if row is not None and row.request.status is RequestStatus.QUEUED else None

    await service.until(look)


def message(service: rig.Rig, name: str) -> str:
    row = service.ledger.row(RequestId(name))
    assert row is not None
    return row.message


def warned(service: rig.Rig, name: str) -> WarningView | None:
    row = service.ledger.row(RequestId(name))
    assert row is not None
    ledger = service.ledger
    return warning(row, ledger.allocation_of(row.id), ledger.machine, ledger.clock(), POLICY.notice_seconds)


async def what_happened(service: rig.Rig, subject: str) -> list[tuple[str, str]]:
    rows = await service.ledger.read(lambda store: store.audit(subject=subject))
    return [(row.what, row.why) for row in reversed(rows)]


async def test_a_job_that_is_taken_back_goes_on_from_its_checkpoint_and_is_charged_no_restart(
    path: Path,
) -> None:
    async with running(path) as service:
        await service.ledger.apply(job(service, "r1"))
        await runs(service, "r1")
        first = await service.task("r1-1", "worker")
        service.backend.finish(first, 1)  # a failure of its own is charged
        await service.task("r1-1", "worker", generation=2)
        await runs(service, "r1")
        await lender_asks(service)
        await waiting(service, "r1")
        assert message(service, "r1").startswith(
            "It was stopped: team lender takes its guarantee back. It waits"
        )
        assert service.ledger.machine.queue()[0].id == "r1"
        assert service.ledger.machine.queue()[0].rank == 1
        await runs(service, "mine")
        await lender_ends(service)
        await service.task("r1-2", "worker", generation=3)
        await runs(service, "r1")
        assert message(service, "r1") == ""
        begun = service.ledger.memory.jobs[AllocationId("r1-2")]
        assert (begun.generation, begun.restarts_used) == (3, 1)


async def test_a_notebook_is_warned_stopped_and_started_again_when_there_is_room(path: Path) -> None:
    hub = rig.FakeHub()
    async with running(path, hub=hub) as service:
        await service.ledger.apply(rig.notebook(service.ledger, "r1", resources=WHOLE))
        await runs(service, "r1")
        await lender_asks(service)
        allocation = await service.allocation("r1", AllocationState.WARNED)
        until = service.clock() + GRACE
        assert allocation.warned_until == until
        why = (
            "It is to be stopped: team lender takes its guarantee back. It waits at its old place and starts"
        )
        told = warned(service, "r1")
        assert told is not None
        assert (told.until, told.code, told.why[: len(why)]) == (until, "reclaimed", why)
        assert (await service.controller.notebooks.server("ada", "")).is_alive
        service.clock.now += GRACE
        await waiting(service, "r1")
        server = await service.controller.notebooks.server("ada", "")
        assert (server.is_alive, server.exit_code) == (False, 0)
        assert "its files are not" in server.message
        await runs(service, "mine")
        await lender_ends(service)
        await runs(service, "r1")
        assert [grant for user, _, grant, _ in hub.posted if user == "ada"] == ["r1-1", "r1-2"]
        assert (await service.controller.notebooks.server("ada", "")).is_alive
        assert message(service, "r1") == ""
        happened = await what_happened(service, "r1-1")
        assert ("warned", "team lender takes its guarantee back") in happened


async def test_a_warning_is_lifted_when_the_room_is_not_needed_any_more(path: Path) -> None:
    async with running(path) as service:
        await service.ledger.apply(rig.notebook(service.ledger, "r1", resources=WHOLE))
        await runs(service, "r1")
        await lender_asks(service)
        await service.allocation("r1", AllocationState.WARNED)
        await lender_ends(service)
        assert await runs(service, "r1") == "r1-1"
        assert (warned(service, "r1"), message(service, "r1")) == (None, "")


async def test_a_warning_runs_out_over_a_restart_of_the_service(path: Path) -> None:
    world, clock = MemoryWorld(nodes=(rig.NODE,)), rig.Clock()
    async with running(path, backend=MemoryBackend(world), clock=clock) as service:
        await service.ledger.apply(rig.notebook(service.ledger, "r1", resources=WHOLE))
        await runs(service, "r1")
        await lender_asks(service)
        until = (await service.allocation("r1", AllocationState.WARNED)).warned_until
    clock.now += GRACE / 2
    async with running(path, backend=MemoryBackend(world), clock=clock) as service:
        assert (await service.allocation("r1", AllocationState.WARNED)).warned_until == until
        clock.now += GRACE / 2
        await runs(service, "mine")
        assert warned(service, "r1") is None


async def test_a_service_killed_while_it_takes_back_goes_on_taking(path: Path) -> None:
    world, clock = MemoryWorld(nodes=(rig.NODE,)), rig.Clock()
    async with running(path, backend=StopHangs(world), clock=clock) as service:
        await service.ledger.apply(job(service, "r1"))
        task = await service.task("r1-1", "worker")
        await runs(service, "r1")
        await lender_asks(service)
        await service.allocation("r1", AllocationState.STOPPING)
    async with running(path, backend=StopHangs(world), clock=clock) as service:
        await service.seen(lambda: task in service.backend.stops)
        assert message(service, "r1").startswith("It was stopped: team lender")
        for index in range(2):
            service.backend.finish(await service.task("r1-1", "worker", index), 143)
        await runs(service, "mine")
        await waiting(service, "r1")


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_of_two_jobs_the_one_with_a_checkpoint_is_taken(path: Path, is_restarted: bool) -> None:
    world, clock = MemoryWorld(nodes=(rig.NODE,)), rig.Clock()
    async with running(path, backend=MemoryBackend(world), clock=clock) as service:
        await service.ledger.apply(job(service, "with", replicas=1))
        await runs(service, "with")
        clock.now += 5  # the younger would be taken, if both lost as much
        await service.ledger.apply(job(service, "without", replicas=1, has_checkpoint=False))
        await runs(service, "without")
        if not is_restarted:
            await lender_asks(service)
            await waiting(service, "with")
    if is_restarted:
        async with running(path, backend=MemoryBackend(world), clock=clock) as service:
            await lender_asks(service)
            await waiting(service, "with")


async def test_nothing_is_taken_where_the_policy_takes_nothing(path: Path) -> None:
    async with running(path, policy=Policy()) as service:
        await service.ledger.apply(job(service, "r1"))
        await runs(service, "r1")
        await lender_asks(service)
        assert service.ledger.machine.explain(RequestId("mine")).code == "waits-for-reclaim"
        assert service.ledger.allocation_of(RequestId("r1")) is not None
        assert (await runs(service, "r1")) == "r1-1"


async def test_what_runs_on_a_drained_node_waits_again_and_starts_when_the_node_is_back(path: Path) -> None:
    async with running(path) as service:
        await service.ledger.apply(rig.notebook(service.ledger, "r1"))
        await runs(service, "r1")
        await service.ledger.apply(
            Change(NodeCordoned(service.clock(), rig.NODE.id, drains=True), who="root")
        )
        await waiting(service, "r1")
        assert message(service, "r1").startswith("It was stopped: its node is drained. It waits")
        await service.ledger.apply(Change(NodeUncordoned(service.clock(), rig.NODE.id), who="root"))
        assert await runs(service, "r1") == "r1-2"


async def test_a_session_is_told_of_its_time_limit_and_ends_at_it(path: Path) -> None:
    async with running(path) as service:
        await service.ledger.apply(rig.notebook(service.ledger, "r1", max_seconds=3600.0))
        await runs(service, "r1")
        assert warned(service, "r1") is None
        service.clock.now += 3600 - POLICY.notice_seconds
        await service.until_audited("r1-1", "warned")
        told = warned(service, "r1")
        assert told is not None
        assert (told.until, told.code) == (4600.0, "time-limit")
        service.clock.now += POLICY.notice_seconds
        row = await service.ended("r1")
        assert (row.outcome, row.message) == (
            "stopped",
            "It was stopped: its time limit is reached. Ask again to go on.",
        )


async def test_a_job_that_ended_by_itself_in_its_warning_time_is_over(path: Path) -> None:
    async with running(path) as service:
        await service.ledger.apply(rig.notebook(service.ledger, "r1", resources=WHOLE))
        await runs(service, "r1")
        await lender_asks(service)
        await service.allocation("r1", AllocationState.WARNED)
        service.backend.finish(await service.task("r1-1", "notebook"), 0)
        assert (await service.ended("r1")).outcome == "finished"
        await runs(service, "mine")


async def test_the_hub_may_end_a_notebook_that_is_warned(path: Path) -> None:
    async with running(path) as service:
        await service.ledger.apply(rig.notebook(service.ledger, "r1", resources=WHOLE))
        await runs(service, "r1")
        await lender_asks(service)
        await service.allocation("r1", AllocationState.WARNED)
        await service.controller.notebooks.stop("ada", "", "hub")
        assert (await service.ended("r1")).outcome == "stopped"


async def test_a_clock_that_was_set_back_delays_a_stop_and_breaks_nothing(path: Path) -> None:
    async with running(path) as service:
        await service.ledger.apply(rig.notebook(service.ledger, "r1", resources=WHOLE))
        await runs(service, "r1")
        await lender_asks(service)
        until = (await service.allocation("r1", AllocationState.WARNED)).warned_until
        assert until is not None
        service.clock.now -= 500
        await service.ledger.apply(rig.notebook(service.ledger, "r2", "late"))
        assert service.ledger.machine.explain(RequestId("r2")).position is not None
        assert (await service.allocation("r1", AllocationState.WARNED)).warned_until == until
        service.clock.now = until
        await runs(service, "mine")


async def test_a_higher_priority_takes_the_place_of_a_lower_one_where_the_operator_wants_it(
    path: Path,
) -> None:
    policy = Policy(preempt=Preempt(min_runtime_seconds=60.0, grace_seconds=GRACE))
    async with running(path, policy=policy) as service:
        await service.ledger.apply(job(service, "r1"))
        await runs(service, "r1")
        service.clock.now += 61
        await service.ledger.apply(rig.notebook(service.ledger, "urgent", "urgent", priority=10))
        await waiting(service, "r1")
        assert message(service, "r1").startswith("It was stopped: ")
        assert "priority" in message(service, "r1")
        await runs(service, "urgent")
        end = Change(EndRequested(service.clock(), RequestId("urgent")), who="ada")
        await service.ledger.apply(end)
        assert await runs(service, "r1") == "r1-2"
