"""The ledger: durable when it answers, atomic per change, rebuilt from the disk."""

from __future__ import annotations

import asyncio
import threading

import pytest

import service_rig as rig
from jupyterhub_mesos.configuration.teams import team_values
from jupyterhub_mesos.errors import Conflict, LedgerError, TakenOver
from jupyterhub_mesos.service.ledger import Change, Commit, Ledger
from jupyterhub_mesos.service.rows import (
    Batch,
    Outcome,
    RequestQuery,
    TaskPhase,
    TaskRow,
    TaskUpdate,
    TeamsRecord,
)
from jupyterhub_mesos.service.store import Store
from jupyterhub_mesos.tasks import Endpoint, TaskId
from jupyterhub_mesos.wire import TeamsModel
from jupyterhub_mesos_quota.errors import UnknownAllocation, UnknownTeam
from jupyterhub_mesos_quota.events import (
    AllocationClaimed,
    AllocationGone,
    AllocationStarted,
    EndRequested,
    GoneReason,
    TeamsReplaced,
)
from jupyterhub_mesos_quota.model import AllocationId, AllocationState, NodeId, RequestId, RequestStatus

R1, A1 = RequestId("r1"), AllocationId("r1-1")


class BreakingStore(Store):
    """A store whose next writes fail."""

    failures = 0
    writes = 0

    def write(self, batch: Batch) -> None:
        self.writes += 1
        if self.failures:
            self.failures -= 1
            raise LedgerError("the disk is full")
        super().write(batch)


def task(name: str = "r1-1-g1-notebook-0") -> TaskRow:
    return TaskRow(
        TaskId(name), A1, "notebook", 0, 1, NodeId("memory"), Endpoint("127.0.0.1", {"http": 4711})
    )


async def test_what_was_answered_is_there_after_a_restart(url: str) -> None:
    async with rig.opened(url) as ledger:
        await rig.add_node(ledger)
        await ledger.apply(rig.notebook(ledger, "r1"))
        await ledger.apply(Change(AllocationClaimed(1001.0, A1), (task(),)))
        before = ledger.row(R1), ledger.machine.allocations[A1], ledger.tasks_of(A1), ledger.teams
    async with rig.opened(url) as ledger:
        assert (ledger.row(R1), ledger.machine.allocations[A1], ledger.tasks_of(A1), ledger.teams) == before
        assert ledger.server("ada", "") == before[0]
        ledger.machine.audit_state()


async def test_a_queue_keeps_its_order_over_a_restart(url: str) -> None:
    async with rig.opened(url) as ledger:
        for number in range(6):
            await ledger.apply(rig.notebook(ledger, f"r{number}", f"s{number}"))
        before = [request.id for request in ledger.machine.queue()]
    async with rig.opened(url) as ledger:
        assert [request.id for request in ledger.machine.queue()] == before
        await rig.add_node(ledger)
        granted = [row.id for row in ledger.rows() if row.request.status is RequestStatus.ACTIVE]
        assert granted == ["r0", "r1", "r2", "r3"]


async def test_a_refused_change_fails_its_own_caller_only_and_is_audited(url: str) -> None:
    async with rig.opened(url) as ledger:
        results = await asyncio.gather(
            ledger.apply(rig.notebook(ledger, "r1")),
            ledger.apply(rig.notebook(ledger, "r2", "other", team="nobody")),
            ledger.apply(rig.notebook(ledger, "r3", "third")),
            return_exceptions=True,
        )
        assert isinstance(results[1], UnknownTeam)
        assert [row.id for row in ledger.rows()] == ["r1", "r3"]
        rows = await ledger.read(lambda store: store.audit(subject="r2"))
        assert [(row.what, row.who, row.data["code"]) for row in rows] == [("refused", "ada", "unknown-team")]


async def test_changes_that_arrive_together_are_one_transaction(url: str) -> None:
    store = BreakingStore(url)
    ledger = Ledger(store, rig.Clock())
    await ledger.open()
    await ledger.apply(Change(TeamsReplaced(1.0, team_values(rig.TEAMS)), (TeamsRecord(rig.TEAMS),)))
    before = store.writes
    await asyncio.gather(*(ledger.apply(rig.notebook(ledger, f"r{n}", f"s{n}")) for n in range(100)))
    assert store.writes - before == 1
    await ledger.close()


async def test_a_failed_commit_changes_nothing_and_the_next_one_works(url: str) -> None:
    store = BreakingStore(url)
    ledger = Ledger(store, rig.Clock())
    await ledger.open()
    await ledger.apply(Change(TeamsReplaced(1.0, team_values(rig.TEAMS)), (TeamsRecord(rig.TEAMS),)))
    await rig.add_node(ledger)
    commits: list[Commit] = []
    ledger.subscribe(commits.append)
    store.failures = 1
    results = await asyncio.gather(
        ledger.apply(rig.notebook(ledger, "r1")),
        ledger.apply(rig.notebook(ledger, "r2", "two")),
        return_exceptions=True,
    )
    assert all(isinstance(result, LedgerError) for result in results)
    assert not any(commit.actions for commit in commits)
    await ledger.apply(rig.notebook(ledger, "r3", "three"))
    assert [row.id for row in ledger.rows()] == ["r3"]
    assert list(ledger.machine.requests) == ["r3"]
    assert ledger.machine.allocations[AllocationId("r3-1")].state is AllocationState.GRANTED  # nodes are kept
    ledger.machine.audit_state()
    await ledger.close()


async def test_memory_follows_the_disk_after_a_failed_commit_with_nobody_asking(url: str) -> None:
    store = BreakingStore(url)
    async with rig.opened(url, store=store) as ledger:
        rolled_back: asyncio.Future[Commit] = asyncio.get_running_loop().create_future()
        ledger.subscribe(rolled_back.set_result)
        store.failures = 1
        with pytest.raises(LedgerError):
            await ledger.apply(rig.notebook(ledger, "r1"))
        async with asyncio.timeout(rig.DEADLINE_SECONDS):
            assert R1 in (await rolled_back).requests
        assert (ledger.row(R1), dict(ledger.machine.requests)) == (None, {})
        assert ledger.failure == "the disk is full"


class HeldStore(Store):
    """A store whose next write waits for the test, and fails."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.holds, self.is_held, self.goes_on = False, threading.Event(), threading.Event()

    def write(self, batch: Batch) -> None:
        if self.holds:
            self.holds = False
            self.is_held.set()
            self.goes_on.wait(rig.DEADLINE_SECONDS)
            raise LedgerError("the disk is full")
        super().write(batch)


async def test_nothing_is_stopped_on_the_word_of_a_commit_that_fails(url: str) -> None:
    store = HeldStore(url)
    async with rig.running(url, store=store) as service:
        await service.ledger.apply(rig.training(service.ledger, "r1"))
        await service.allocation("r1", AllocationState.RUNNING)
        store.holds = True
        ending = asyncio.ensure_future(service.ledger.apply(Change(EndRequested(2.0, R1))))
        await service.seen(store.is_held.is_set)
        service.controller.look(A1)  # by chance, while the end is in memory alone
        for _ in range(100):
            await asyncio.sleep(0)
        store.goes_on.set()
        with pytest.raises(LedgerError):
            await ending
        service.controller.look(A1)
        await service.ledger.settled()
        await service.ledger.apply(rig.notebook(service.ledger, "r2"))
        assert service.backend.stops == []
        assert service.ledger.machine.allocations[A1].state is AllocationState.RUNNING


async def test_a_ledger_that_was_taken_over_is_noticed_without_a_write(url: str) -> None:
    async with rig.opened(url) as first:
        await first.check_owner()
        assert not first.is_taken_over
        async with rig.opened(url):
            with pytest.raises(TakenOver):
                await first.check_owner()
        async with asyncio.timeout(rig.DEADLINE_SECONDS):
            await first.taken_over()


async def test_a_ledger_that_cannot_be_written_says_so(url: str) -> None:
    async with rig.opened(url) as ledger:
        await ledger.read(lambda store: store.close())
        with pytest.raises(LedgerError, match="nothing was changed"):
            await ledger.apply(rig.notebook(ledger, "r1"))
        await ledger.read(lambda store: store.open())
        await ledger.apply(rig.notebook(ledger, "r1"))
        assert ledger.row(R1) is not None


async def test_a_second_service_takes_the_ledger_over(url: str) -> None:
    async with rig.opened(url) as first, rig.opened(url) as second:
        with pytest.raises(LedgerError, match="took it over"):
            await first.apply(rig.notebook(first, "r1"))
        await second.apply(rig.notebook(second, "r1"))


async def test_a_server_has_one_live_request_and_a_next_one_after_its_end(url: str) -> None:
    async with rig.opened(url) as ledger:
        await ledger.apply(rig.notebook(ledger, "r1"))
        with pytest.raises(Conflict, match="has request r1 already"):
            await ledger.apply(rig.notebook(ledger, "r2"))
        await ledger.apply(Change(EndRequested(2.0, R1)), rig.notebook(ledger, "r3"))
        assert ledger.server("ada", "") == ledger.row(RequestId("r3"))
        assert (await ledger.read(lambda store: store.last_server("ada", ""))).id == "r3"


async def test_an_edit_of_teams_against_an_old_revision_is_refused(url: str) -> None:
    async with rig.opened(url) as ledger:
        edited = TeamsModel(teams={**rig.TEAMS.teams, "speech": rig.TEAMS.teams["vision"]})
        event = TeamsReplaced(2.0, team_values(edited))
        await ledger.apply(Change(event, (TeamsRecord(edited, expected=1),)))
        assert (ledger.revision, set(ledger.teams.teams)) == (2, {"vision", "speech"})
        with pytest.raises(Conflict, match="revision 1"):
            await ledger.apply(Change(event, (TeamsRecord(edited, expected=1),)))
    async with rig.opened(url) as ledger:
        assert ledger.revision == 2
        assert ledger.teams == edited


async def test_an_end_keeps_its_outcome_and_its_story(url: str) -> None:
    async with rig.opened(url) as ledger:
        await rig.add_node(ledger)
        await ledger.apply(rig.notebook(ledger, "r1"))
        await ledger.apply(Change(AllocationClaimed(1.0, A1)), Change(AllocationStarted(2.0, A1)))
        gone = AllocationGone(3.0, A1, GoneReason.FAILED)
        await ledger.apply(Change(gone, (Outcome(R1, "failed", "killed for memory"),), why="it died"))
        assert ledger.row(R1) is None
        row = await ledger.find(R1)
        assert row is not None
        assert (row.outcome, row.message, row.ended_at) == ("failed", "killed for memory", 3.0)
        audit = await ledger.read(lambda store: store.audit(subject=A1))
        assert [entry.what for entry in reversed(audit)] == [
            "new -> granted", "granted", "granted -> starting", "starting -> running", "running -> gone",
        ]  # fmt: skip
        assert audit[0].data == {"because": "it died"}


async def test_late_and_repeated_news_of_a_task_changes_nothing(url: str) -> None:
    async with rig.opened(url) as ledger:
        await rig.add_node(ledger)
        await ledger.apply(rig.notebook(ledger, "r1"))
        name = task().id
        await ledger.apply(Change(AllocationClaimed(1.0, A1), (task(),)))
        await ledger.apply(Change(None, (TaskUpdate(name, TaskPhase.RUNNING, checkpoint={"pid": "7"}),)))
        commits: list[Commit] = []
        ledger.subscribe(commits.append)
        await ledger.apply(Change(None, (TaskUpdate(name, TaskPhase.STARTING, checkpoint={"pid": "7"}),)))
        assert commits[-1].allocations == frozenset()
        await ledger.apply(Change(None, (TaskUpdate(name, TaskPhase.GONE, 137, "killed"),)))
        await ledger.apply(Change(None, (TaskUpdate(name, TaskPhase.RUNNING),)))
        (row,) = ledger.tasks_of(A1)
        assert (row.phase, row.exit_code, row.checkpoint) == (TaskPhase.GONE, 137, {"pid": "7"})


async def test_of_several_changes_those_that_hold_are_committed(url: str) -> None:
    async with rig.opened(url) as ledger:
        claimed = Change(AllocationClaimed(1.0, A1))
        with pytest.raises(UnknownAllocation):
            await ledger.apply(rig.notebook(ledger, "r1"), claimed)
        assert ledger.row(R1) is not None


async def test_requests_are_paged_newest_first_by_user_or_team(url: str) -> None:
    async with rig.opened(url) as ledger:
        for number in range(5):
            await ledger.apply(
                rig.notebook(ledger, f"r{number}", f"s{number}", user="ada" if number % 2 else "bo")
            )
        query = RequestQuery(teams=frozenset({"vision"}), limit=3)
        page, before = await ledger.read(lambda store: store.requests(query))
        assert [row.id for row in page] == ["r4", "r3", "r2"]
        rest, end = await ledger.read(lambda store: store.requests(RequestQuery(before=before, limit=3)))
        assert ([row.id for row in rest], end) == (["r1", "r0"], None)
        mine = RequestQuery(users=frozenset({"ada"}), statuses=frozenset({"queued"}))
        found, _ = await ledger.read(lambda store: store.requests(mine))
        assert [row.id for row in found] == ["r3", "r1"]


async def test_a_closed_ledger_refuses_instead_of_hanging(url: str) -> None:
    async with rig.opened(url) as ledger:
        pass
    with pytest.raises(LedgerError, match="closed"):
        await ledger.apply(rig.notebook(ledger, "r1"))


async def test_a_cancelled_caller_holds_up_nobody(url: str) -> None:
    async with rig.opened(url) as ledger:
        call = asyncio.ensure_future(ledger.apply(rig.notebook(ledger, "r1")))
        other = asyncio.ensure_future(ledger.apply(rig.notebook(ledger, "r2", "two")))
        await asyncio.sleep(0)  # both are under way
        call.cancel()
        await other
        assert ledger.row(R1) is not None  # what was asked for is done, heard or not
