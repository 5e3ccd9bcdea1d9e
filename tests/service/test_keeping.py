"""What the decision core asks to be kept: in the commit that made it so, there after a restart."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import fields, replace

import pytest

import service_rig as rig
from jupyterhub_mesos.configuration.teams import team_values
from jupyterhub_mesos.errors import LedgerError
from jupyterhub_mesos.service import keeping
from jupyterhub_mesos.service.ledger import Change, Ledger
from jupyterhub_mesos.service.rows import Batch, KeptDoc, KeptKey, TeamsRecord
from jupyterhub_mesos.service.store import Store
from jupyterhub_mesos.wire import ResourcesModel, TeamModel, TeamsModel
from jupyterhub_mesos_quota.budgets import Spent
from jupyterhub_mesos_quota.events import (
    AllocationClaimed,
    AllocationStarted,
    NodeCordoned,
    NodeSeen,
    QueuePaused,
    QueueResumed,
    ReservationBooked,
    ReservationCancelled,
    TeamsReplaced,
    TimePassed,
)
from jupyterhub_mesos_quota.kept import Kept
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import (
    AllocationId,
    AllocationState,
    Budget,
    NodeId,
    RequestId,
    Reservation,
    ReservationId,
    Team,
    TeamId,
    UserName,
)
from jupyterhub_mesos_quota.past import PastUse
from jupyterhub_mesos_quota.policy import Policy, Reclaim
from jupyterhub_mesos_quota.resources import Flavor, Resources

HOUR = 3600.0
VISION, ADA = TeamId("vision"), UserName("ada")
GPUS = Resources.of(cpu_millis=1000, mem_mib=1024, accelerators={Flavor("h200"): 4})
GPU_NODE = replace(
    rig.NODE, capacity=Resources.of(cpu_millis=8000, mem_mib=8192, accelerators={Flavor("h200"): 8})
)


class CountingStore(Store):
    """A store that remembers what it was given, and fails when the test says so."""

    fails = False

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.batches: list[Batch] = []

    def write(self, batch: Batch) -> None:
        if self.fails:
            raise LedgerError("the disk is full")
        super().write(batch)
        self.batches.append(batch)


@asynccontextmanager
async def opened(url: str, clock: rig.Clock, policy: Policy) -> AsyncGenerator[Ledger]:
    ledger = Ledger(Store(url), clock, policy)
    await ledger.open()
    try:
        yield ledger
    finally:
        await ledger.close()


async def plant(ledger: Ledger, *teams: Team) -> None:
    event = TeamsReplaced(ledger.clock(), teams)
    await ledger.apply(Change(event, (TeamsRecord(rig.TEAMS),), who="root"))


def with_budget(hours: int) -> Team:
    (team,) = team_values(rig.TEAMS)
    return replace(team, budget=Budget(int(24 * HOUR), hours, hours))


def test_every_field_of_what_the_core_keeps_has_its_rows() -> None:
    GPUS.amounts()  # worked out once, and no part of the value
    told = Kept(
        past=(PastUse(VISION, 1, 2, 3, 4),),
        spent=(Spent(VISION, None, ((1, 2), (3, 4)), 5, 80), Spent(VISION, ADA, ((1, 2),), 5)),
        budget_stops=((VISION, None, 7.5), (VISION, ADA, 8.5)),
        paused=frozenset({None, VISION}),
        cordoned=frozenset({NodeId("n1"), NodeId("n2")}),
        reservations=(Reservation(ReservationId("b1"), VISION, GPUS, 2, 10.0, 20.0, ADA, "a course"),),
        at=9.5,
    )
    assert all(getattr(told, each.name) for each in fields(Kept)), "a new field: give it a value above"
    written: dict[str, dict[str, KeptDoc]] = {}
    for key, doc in keeping.changes(told, Kept(), {}, is_whole=True):
        assert doc is not None
        written.setdefault(key.kind, {})[key.key] = doc
    assert sum(map(len, written.values())) == 11
    read = keeping.kept_of(written)
    assert (read, read.at) == (told, told.at)
    assert set(written["reservations"]["b1"].json["resources"]) == {"cpu_millis", "mem_mib", "accelerators"}


async def test_a_pause_and_a_cordon_are_there_after_a_restart_until_they_are_lifted(url: str) -> None:
    async with rig.opened(url) as ledger:
        await rig.add_node(ledger)
        await ledger.apply(Change(QueuePaused(1001.0, VISION)), Change(QueuePaused(1001.0)))
        await ledger.apply(Change(NodeCordoned(1002.0, rig.NODE.id)))
    async with rig.opened(url) as ledger:
        await rig.add_node(ledger)
        assert ledger.machine.kept().paused == {None, VISION}
        assert not ledger.machine.nodes[rig.NODE.id].is_schedulable
        await ledger.apply(rig.notebook(ledger, "r1"))
        assert ledger.machine.explain(RequestId("r1")).code == "paused"
        await ledger.apply(Change(QueueResumed(1003.0)))
    async with rig.opened(url) as ledger:
        assert ledger.machine.kept().paused == {VISION}


async def test_a_pause_whose_commit_failed_is_none_and_a_cordoned_node_stays_one(url: str) -> None:
    store = CountingStore(url)
    async with rig.opened(url, store=store) as ledger:
        await rig.add_node(ledger)
        await ledger.apply(Change(NodeCordoned(1002.0, rig.NODE.id)))
        store.fails = True
        with pytest.raises(LedgerError):
            await ledger.apply(Change(QueuePaused(1003.0)))
        store.fails = False
        await ledger.settled()
        assert ledger.machine.kept().paused == frozenset()
        assert ledger.machine.reported_nodes[rig.NODE.id].is_schedulable
        assert not ledger.machine.nodes[rig.NODE.id].is_schedulable


async def test_what_was_spent_of_a_budget_is_there_after_a_restart(url: str) -> None:
    clock = rig.Clock()
    async with opened(url, clock, Policy()) as ledger:
        await plant(ledger, with_budget(10))
        await ledger.apply(Change(NodeSeen(clock(), GPU_NODE)))
        await ledger.apply(rig.notebook(ledger, "r1", resources=GPUS))
        clock.now += HOUR
        await ledger.apply(Change(TimePassed(clock())))
    machine = QuotaMachine.restore(
        [with_budget(10)], [GPU_NODE], [ledger.machine.requests[RequestId("r1")]],
        ledger.machine.allocations.values(), kept=keeping.kept_of(ledger.memory.kept),
    )  # fmt: skip
    machine.handle(TimePassed(clock()))
    assert {(each.user, sum(n for _, n in each.steps)) for each in machine.kept().spent} == {
        (None, 4 * 3_600_000), ("ada", 4 * 3_600_000)
    }  # fmt: skip


async def test_a_commit_writes_of_what_is_kept_what_changed_alone(url: str) -> None:
    store = CountingStore(url)
    others = [Team(TeamId(f"t{n}"), budget=Budget(int(HOUR), 10)) for n in range(20)]
    async with rig.opened(url, store=store) as ledger:
        await plant(ledger, *team_values(rig.TEAMS), *others)
        await ledger.apply(Change(NodeSeen(1000.0, GPU_NODE)))
        for number in range(4):
            gpu = Resources.of(cpu_millis=1000, mem_mib=1024, accelerators={Flavor("h200"): 1})
            asked = rig.notebook(ledger, f"r{number}", f"s{number}", resources=gpu, team=f"t{number}")
            await ledger.apply(asked)
        written = [set(batch.kept) for batch in store.batches[-4:]]
        assert written == [{KeptKey("spent", f"t{number}")} for number in range(4)]
        await ledger.apply(Change(AllocationClaimed(1001.0, AllocationId("r0-1"))))
        assert store.batches[-1].kept == {}


async def test_what_a_team_spent_goes_with_the_team(url: str) -> None:
    async with rig.opened(url) as ledger:
        await plant(ledger, with_budget(10), Team(TeamId("other")))
        await ledger.apply(Change(NodeSeen(1000.0, GPU_NODE)))
        await ledger.apply(rig.notebook(ledger, "r1", resources=GPUS))
        assert set(ledger.memory.kept["spent"]) == {"vision", "vision/ada"}
        (team,) = team_values(rig.TEAMS)
        await plant(ledger, team, Team(TeamId("other")))
        assert ledger.memory.kept["spent"] == {}
        assert await ledger.read(lambda store: store.load().kept) == {}


async def test_a_warning_and_a_time_limit_are_there_after_a_restart(url: str) -> None:
    clock, policy = rig.Clock(), Policy(reclaim=Reclaim(grace_seconds=300.0))
    promise = ResourcesModel(cpu_millis=4000, mem_mib=8192)
    model = TeamsModel(teams={"lender": TeamModel(guarantee=promise), "vision": TeamModel()})
    async with opened(url, clock, policy) as ledger:
        await ledger.apply(Change(TeamsReplaced(1000.0, team_values(model)), (TeamsRecord(model),)))
        await rig.add_node(ledger)
        half = Resources.of(cpu_millis=4000, mem_mib=1024)
        await ledger.apply(rig.notebook(ledger, "r1", resources=half, max_seconds=HOUR))
        first = AllocationId("r1-1")
        await ledger.apply(Change(AllocationClaimed(1001.0, first)), Change(AllocationStarted(1002.0, first)))
        clock.now = 1010.0
        await ledger.apply(rig.notebook(ledger, "r2", "other", team="lender"))
        before = ledger.machine.allocations[first], ledger.machine.requests[RequestId("r1")]
    assert before[0].state is AllocationState.WARNED
    assert (before[0].warned_until, before[0].ends_at) == (1310.0, 1002.0 + HOUR)
    async with opened(url, clock, policy) as ledger:
        assert (ledger.machine.allocations[first], ledger.machine.requests[RequestId("r1")]) == before
        assert ledger.machine.next_deadline() == 1310.0


async def test_the_moment_goes_with_a_commit_while_something_is_booked_and_makes_none(url: str) -> None:
    store = CountingStore(url)
    booked = Reservation(ReservationId("b1"), VISION, rig.SMALL, 1, 5000.0, 6000.0, ADA)
    async with rig.opened(url, store=store) as ledger:
        await rig.add_node(ledger, replace(GPU_NODE, capacity=Resources.of(cpu_millis=9000, mem_mib=16384)))
        await ledger.apply(Change(ReservationBooked(1001.0, booked)))
        await ledger.apply(rig.notebook(ledger, "r1"))
        writes = len(store.batches)
        await ledger.apply(Change(TimePassed(1500.0)))
        assert len(store.batches) == writes
        await ledger.apply(Change(AllocationClaimed(1600.0, AllocationId("r1-1"))))
    async with rig.opened(url) as ledger:
        assert keeping.kept_of(ledger.memory.kept).at == 1600.0
        assert list(ledger.machine.reservations) == ["b1"]
        await ledger.apply(Change(ReservationCancelled(1700.0, ReservationId("b1"))))
    async with rig.opened(url) as ledger:
        assert list(ledger.machine.reservations) == []


class Untouchable(Reservation):
    """A reservation that must not be laid out."""

    def __getattribute__(self, name: str) -> object:
        raise AssertionError(f"its {name} was asked for")


def test_what_did_not_change_is_not_laid_out_again() -> None:
    booked = (Untouchable(ReservationId("b1"), VISION, GPUS, 2, 10.0, 20.0, ADA),)
    before, now = Kept(reservations=booked), Kept(reservations=booked, at=7.0)
    told = list(keeping.changes(now, before, {}, is_whole=False))
    assert told == [(KeptKey("at", ""), KeptDoc(7.0))]
    with pytest.raises(AssertionError, match="its id was asked for"):
        list(keeping.changes(now, Kept(), {}, is_whole=False))
