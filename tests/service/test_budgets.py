"""Budgets, caps per user and session times, from the teams' file to what the owner sees."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import service_rig as rig
from jupyterhub_mesos.backends.faulty import MemoryBackend, MemoryWorld
from jupyterhub_mesos.service.budget_views import budget_view
from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos.service.submissions import asked, within_session
from jupyterhub_mesos.service.words import warning
from jupyterhub_mesos.wire import (
    BudgetModel,
    BudgetView,
    Job,
    NotebookPayload,
    ProfileModel,
    ProfilesModel,
    RequestSubmission,
    ResourcesModel,
    Restart,
    Role,
    TeamModel,
    TeamsModel,
    TrainingPayload,
    UserCapsModel,
)
from jupyterhub_mesos_quota.events import EndRequested
from jupyterhub_mesos_quota.explain import Explanation
from jupyterhub_mesos_quota.model import AllocationState, RequestId, RequestStatus
from jupyterhub_mesos_quota.policy import Policy
from jupyterhub_mesos_quota.resources import Flavor, Resources

HOUR, GRACE = 3600.0, 600.0
STEP = 24 * HOUR / 96
GPUS = Resources.of(cpu_millis=1000, mem_mib=1024, accelerators={Flavor("h200"): 4})
NODE = replace(
    rig.NODE, capacity=Resources.of(cpu_millis=8000, mem_mib=8192, accelerators={Flavor("h200"): 8})
)
BUDGET = BudgetModel(window_days=1, team_hours=8, user_hours=4)
CAPS = UserCapsModel(sessions=2, accelerators=4)
TEAMS = TeamsModel(teams={"vision": TeamModel(budget=BUDGET), "speech": TeamModel(per_user=CAPS)})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@asynccontextmanager
async def running(path: Path, **of: Any) -> AsyncGenerator[rig.Rig]:
    of.setdefault("backend", MemoryBackend(MemoryWorld(nodes=(NODE,))))
    policy = Policy(budget_grace_seconds=GRACE)
    async with rig.running(path, policy=policy, time_seconds=0.05, **of) as service:
        if service.ledger.teams != TEAMS:
            await rig.plant(service.ledger, TEAMS)
        yield service


def job(service: rig.Rig, name: str, user: str = "ada") -> Change:
    """A job on 4 GPUs."""
    spec = Job(
        name="digits",
        roles=(Role(argv=("python", "train.py")),),
        restart=Restart(max_restarts=0),
        checkpoint_uri="~/lake/team/digits",
    )
    return rig.asking(service.ledger, name, TrainingPayload(job=spec), resources=GPUS, user=user)


def explained(service: rig.Rig, name: str) -> Explanation:
    return service.ledger.machine.explain(RequestId(name))


def budget(service: rig.Rig, asker: str | None = "ada") -> BudgetView:
    view = budget_view(service.ledger.machine, "vision", BUDGET, asker, service.clock())
    assert view is not None
    return view


async def waits(service: rig.Rig, name: str) -> None:
    def look() -> bool | None:
        row = service.ledger.row(RequestId(name))
        return True if row is not None and row.request.status is RequestStatus.QUEUED else None

    await service.until(look)


async def test_a_budget_that_is_used_up_stops_what_runs_on_it_until_there_is_some_left(path: Path) -> None:
    async with running(path) as service:
        await service.ledger.apply(job(service, "r1"))
        await service.allocation("r1", AllocationState.RUNNING)
        begin = service.clock()
        service.clock.now += HOUR / 2
        assert budget(service).model_dump(exclude_none=True) == {
            "window_seconds": 86400,
            "team": {"hours": 8, "used_hours": 2.0, "left_hours": 6.0},
            "asker": {"hours": 4, "used_hours": 2.0, "left_hours": 2.0},
        }
        service.clock.now = begin + HOUR
        await service.until_audited("vision", "100 % of a budget used")
        row, ledger = service.ledger.row(RequestId("r1")), service.ledger
        assert row is not None
        told = warning(row, ledger.allocation_of(row.id), ledger.machine, ledger.clock(), 600.0)
        assert told is not None
        assert (told.until, told.code) == (service.clock() + GRACE, "over-budget")
        assert told.why.startswith("It is to be stopped: the budget of its user in team vision is used up.")
        assert budget(service).asker is not None
        service.clock.now += GRACE
        await waits(service, "r1")
        view = explained(service, "r1")
        assert view.code == "over-budget"
        assert view.possible_at is not None
        assert begin + 24 * HOUR < view.possible_at <= begin + 24 * HOUR + 2 * STEP
        row = service.ledger.row(RequestId("r1"))
        assert row is not None
        assert row.message.startswith("It was stopped: the budget of its user in team vision is used up.")
        service.clock.now = view.possible_at + 1
        assert (await service.allocation("r1", AllocationState.RUNNING)).id == "r1-2"


async def test_what_was_spent_and_when_it_stops_survive_a_kill_of_the_service(path: Path) -> None:
    world, clock = MemoryWorld(nodes=(NODE,)), rig.Clock()
    async with running(path, backend=MemoryBackend(world), clock=clock) as service:
        await service.ledger.apply(job(service, "r1"))
        await service.allocation("r1", AllocationState.RUNNING)
        clock.now += HOUR
        await service.until_audited("vision", "100 % of a budget used")
        before = budget(service)
    assert before.asker is not None
    assert before.asker.stops_at == clock.now + GRACE
    async with running(path, backend=MemoryBackend(world), clock=clock) as service:
        assert budget(service) == before
        marks = await service.ledger.read(lambda store: store.audit(subject="vision"))
        assert [row.what for row in marks].count("100 % of a budget used") == 1
        clock.now += GRACE
        await waits(service, "r1")


async def test_one_user_s_budget_leaves_the_rest_of_the_team_s_to_others(path: Path) -> None:
    async with running(path) as service:
        await service.ledger.apply(job(service, "r1"))
        await service.allocation("r1", AllocationState.RUNNING)
        service.clock.now += HOUR
        await service.until_audited("vision", "100 % of a budget used")
        await service.ledger.apply(Change(EndRequested(service.clock(), RequestId("r1"))))
        await service.ended("r1")
        await service.ledger.apply(job(service, "r2"))
        assert explained(service, "r2").code == "over-budget"
        await service.ledger.apply(job(service, "r3", user="bob"))
        await service.allocation("r3", AllocationState.RUNNING)
        team = budget(service, None).team
        assert team is not None
        assert (team.used_hours, team.left_hours) == (4.0, 4.0)


async def test_a_user_at_a_cap_waits_for_what_the_user_itself_ends(path: Path) -> None:
    async with running(path) as service:
        for name in ("r1", "r2", "r3"):
            await service.ledger.apply(rig.notebook(service.ledger, name, name, team="speech"))
        view = explained(service, "r3")
        assert view.code == "user-cap"
        assert "one user may hold 2 sessions in team speech" in view.sentence
        await service.ledger.apply(Change(EndRequested(service.clock(), RequestId("r1"))))
        await service.allocation("r3", AllocationState.GRANTED)


@pytest.mark.parametrize(
    ("profile", "team", "above", "seconds"),
    [
        ("unlimited", "unlimited", "unlimited", None),
        (30, "unlimited", "unlimited", 1800.0),
        (30, 20, "unlimited", 1200.0),
        ("unlimited", 60, 45, 2700.0),
    ],
)
def test_a_session_lasts_as_long_as_its_profile_and_all_its_teams_allow(
    profile: int | str, team: int | str, above: int | str, seconds: float | None
) -> None:
    size = ResourcesModel(cpu_millis=500, mem_mib=512)
    values = {"title": "S", "resources": size, "max_session_minutes": profile}
    profiles = ProfilesModel(profiles={"small": ProfileModel.model_validate(values)})
    teams = [TeamModel.model_validate({"max_session_minutes": minutes}) for minutes in (team, above)]
    submission = RequestSubmission(payload=NotebookPayload())
    wanted = within_session(asked(submission, profiles, "vision"), teams)
    assert wanted.request("r1", "ada", "vision", submission, 1.0).max_seconds == seconds
