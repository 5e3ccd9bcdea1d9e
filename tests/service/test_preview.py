"""An edit of the teams says before it is made who would be stopped, when, and who would start."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from jupyterhub_mesos.service.changes import Change
from jupyterhub_mesos.service.ledger import Ledger
from jupyterhub_mesos.service.preview import preview
from jupyterhub_mesos.wire import BoundsModel, ResourcesModel, TeamEffect, TeamModel, TeamsModel
from jupyterhub_mesos_quota.events import AllocationClaimed, AllocationStarted, EndRequested
from jupyterhub_mesos_quota.model import RequestId, allocation_id
from jupyterhub_mesos_quota.policy import Policy, Reclaim
from service_rig import SMALL, Clock, add_node, asking, notebook, opened, plant, training

MIN_RUNTIME, GRACE = 600.0, 300.0
POLICY = Policy(reclaim=Reclaim(MIN_RUNTIME, GRACE))


def teams(lender: int = 0, limit: int | None = None, **more: Any) -> TeamsModel:
    """Team borrower has nothing guaranteed; `lender` cores are lender's."""
    bounds = BoundsModel() if limit is None else BoundsModel(cpu_millis=limit * 1000)
    return TeamsModel(
        teams={
            "borrower": TeamModel(limit=bounds),
            "lender": TeamModel(guarantee=ResourcesModel(cpu_millis=lender * 1000, mem_mib=lender * 1024)),
            **more,
        }
    )


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """A node of 4 cores: borrower runs on all of them, two notebooks and a job; lender waits for one."""
    async with opened(tmp_path / "ledger.sqlite", Clock(), policy=POLICY) as ledger:
        await plant(ledger, teams())
        await add_node(ledger)
        for name in ("b1", "b2"):
            await ledger.apply(notebook(ledger, name, name, team="borrower"))
        payload = training(ledger, "job").records[0].payload  # type: ignore[union-attr]
        await ledger.apply(asking(ledger, "job", payload, team="borrower", user="bo", replicas=2))
        for name in ("b1", "b2", "job"):
            allocation = allocation_id(RequestId(name), 1)
            await ledger.apply(
                Change(AllocationClaimed(ledger.clock(), allocation)),
                Change(AllocationStarted(ledger.clock(), allocation)),
            )
        await ledger.apply(notebook(ledger, "l1", "l1", team="lender", user="lea"))
        yield ledger


def told(effects: tuple[TeamEffect, ...]) -> list[tuple[str, str | None, float | None]]:
    return [(effect.kind, effect.request, effect.at) for effect in effects]


async def foreseen(ledger: Ledger, model: TeamsModel, *, sees: bool = True) -> tuple[TeamEffect, ...]:
    return await preview(ledger, model, lambda _request: sees)


async def test_a_guarantee_says_who_is_stopped_for_it_when_and_who_starts(ledger: Ledger) -> None:
    at = ledger.clock() + MIN_RUNTIME
    effects = await foreseen(ledger, teams(lender=1))
    assert told(effects) == [("stopped", "job", at), ("starts", "l1", at)]
    assert "training job of bo (2 CPU, 2 GiB, team borrower) is stopped (reclaimed)" in effects[0].sentence


async def test_a_notebook_is_stopped_when_its_grace_is_over(ledger: Ledger) -> None:
    effects = await foreseen(ledger, teams(lender=4))
    stops = {effect.request: effect.at for effect in effects if effect.kind == "stopped"}
    assert set(stops) == {"job"}  # one core is asked for, and the job's end is enough
    more = notebook(ledger, "l2", "l2", team="lender", user="lea", resources=SMALL * 3)
    await ledger.apply(more)
    effects = await foreseen(ledger, teams(lender=4))
    stops = {effect.request: effect.at for effect in effects if effect.kind == "stopped"}
    grace_over = ledger.clock() + MIN_RUNTIME + GRACE
    assert stops["job"] == ledger.clock() + MIN_RUNTIME
    assert {stops["b1"], stops["b2"]} == {grace_over}


async def test_what_is_being_stopped_is_as_good_as_gone(ledger: Ledger) -> None:
    await ledger.apply(Change(EndRequested(ledger.clock(), RequestId("job"))))
    assert await foreseen(ledger, teams(lender=1)) == ()  # who waits starts without the edit too


async def test_nothing_of_the_ledger_is_touched(ledger: Ledger) -> None:
    before = dict(ledger.machine.requests), dict(ledger.machine.allocations), ledger.revision
    kept = ledger.machine.kept()
    await foreseen(ledger, teams(lender=4))
    assert (dict(ledger.machine.requests), dict(ledger.machine.allocations), ledger.revision) == before
    assert ledger.machine.kept() == kept
    ledger.machine.audit_state()


async def test_a_limit_below_what_is_held_stops_nobody_and_says_so(ledger: Ledger) -> None:
    [effect] = await foreseen(ledger, teams(limit=2))
    assert (effect.kind, effect.team) == ("above-limit", "borrower")
    assert "holds 4 CPU and may hold 2 CPU: what runs goes on" in effect.sentence


async def test_more_than_there_is_can_be_promised_and_is_said(ledger: Ledger) -> None:
    effects = await foreseen(ledger, teams(lender=40))
    assert ("over-committed", "") in {(effect.kind, effect.team) for effect in effects}
    assert any(
        "40 CPU are guaranteed to all teams together, and the nodes have 4 CPU" in each.sentence
        for each in effects
    )


async def test_an_edit_without_effect_has_none(ledger: Ledger) -> None:
    assert await foreseen(ledger, teams(other=TeamModel(weight=3))) == ()


async def test_who_may_not_see_a_request_is_told_its_team(ledger: Ledger) -> None:
    effects = await foreseen(ledger, teams(lender=1), sees=False)
    assert [(effect.request, effect.team) for effect in effects] == [(None, "borrower"), (None, "lender")]
    assert not any(name in effect.sentence for effect in effects for name in ("job of", "lea", "l1"))
