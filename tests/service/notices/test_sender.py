"""What people are told of what happened: once each, over failures and restarts, read off a real ledger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jupyterhub_mesos.errors import Unavailable
from jupyterhub_mesos.service.changes import Change
from jupyterhub_mesos.service.holding.keeper import Keeper
from jupyterhub_mesos.service.ledger import Ledger
from jupyterhub_mesos.service.notices import sender as sender_module
from jupyterhub_mesos.service.notices.model import Notice, NoticeKind, Undeliverable
from jupyterhub_mesos.service.notices.sender import STALE_SECONDS, Sender
from jupyterhub_mesos.service.rows import Outcome, StartRow, StartSet
from jupyterhub_mesos.wire import StartWish
from jupyterhub_mesos_quota.events import (
    AllocationClaimed,
    AllocationGone,
    AllocationStarted,
    EndRequested,
    GoneReason,
    RequestHeld,
)
from jupyterhub_mesos_quota.model import RequestId, allocation_id
from service_rig import DEADLINE_SECONDS, SMALL, Clock, add_node, notebook, opened, training

ALL_OF_IT = SMALL * 4


@dataclass
class Memo:
    """A channel that remembers; `troubles` are raised first."""

    name: str = "memo"
    told: list[Notice] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    troubles: list[Exception] = field(default_factory=list)

    async def send(self, notice: Notice) -> None:
        self.tried.append(notice.id)
        if self.troubles:
            raise self.troubles.pop(0)
        self.told.append(notice)


@dataclass
class Bench:
    ledger: Ledger
    clock: Clock
    memo: Memo
    sender: Sender

    async def told(self) -> list[tuple[str, str]]:
        while await self.sender.step("memo"):
            pass
        return [(notice.user, notice.title) for notice in self.memo.told]

    async def run(self, name: str, after: float = 0.0) -> None:
        allocation = allocation_id(RequestId(name), 1)
        self.clock.now += after
        await self.ledger.apply(
            Change(AllocationClaimed(self.clock(), allocation)),
            Change(AllocationStarted(self.clock(), allocation)),
        )

    async def gone(self, name: str, reason: GoneReason, *records: Any) -> None:
        event = AllocationGone(self.clock(), allocation_id(RequestId(name), 1), reason)
        await self.ledger.apply(Change(event, records, why="its task is gone"))


def sender_of(ledger: Ledger, memo: Memo, kinds: Sequence[NoticeKind] = tuple(NoticeKind)) -> Sender:
    return Sender(ledger, [memo], kinds, lambda path: f"https://hub.example.org/{path}", lambda: 1.0)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = Clock()
    async with opened(tmp_path / "ledger.sqlite", clock) as ledger:
        await add_node(ledger)
        memo = Memo()
        made = Bench(ledger, clock, memo, sender_of(ledger, memo))
        await made.sender.open()
        yield made


async def test_who_waited_for_a_while_is_told_that_it_runs_and_who_did_not_is_not(bench: Bench) -> None:
    await bench.ledger.apply(notebook(bench.ledger, "a", "lab"), notebook(bench.ledger, "b", "other"))
    await bench.run("a")
    await bench.run("b", after=600.0)
    assert await bench.told() == [("ada", "Your notebook other runs")]
    [notice] = bench.memo.told
    assert (notice.kind, notice.text) == (NoticeKind.STARTED, "It was asked for 10 minutes ago.")
    assert notice.link == "https://hub.example.org/requests/b"


async def test_a_job_that_is_over_is_told_with_how_and_a_notebook_that_its_user_ended_is_not(
    bench: Bench,
) -> None:
    await bench.ledger.apply(training(bench.ledger, "job"), notebook(bench.ledger, "a", "lab"))
    for name in ("job", "a"):
        await bench.run(name)
    failed = Outcome(RequestId("job"), "failed", "Role worker 0 ended with exit code 3.")
    await bench.gone("job", GoneReason.FAILED, failed)
    await bench.ledger.apply(Change(EndRequested(bench.clock(), RequestId("a")), who="ada"))
    await bench.gone("a", GoneReason.STOPPED)
    assert await bench.told() == [("ada", "Your training job job failed")]
    assert bench.memo.told[0].text == "Role worker 0 ended with exit code 3."


@pytest.mark.parametrize("who", ["ada with the token ci", "hub"])
async def test_a_user_who_ended_a_notebook_by_another_way_knows(bench: Bench, who: str) -> None:
    await bench.ledger.apply(notebook(bench.ledger, "a", "lab"))
    await bench.run("a")
    await bench.ledger.apply(Change(EndRequested(bench.clock(), RequestId("a")), who=who))
    await bench.gone("a", GoneReason.STOPPED)
    assert await bench.told() == []


async def test_whose_notebook_another_ends_is_told_once_by_whom_and_whose_died_why(bench: Bench) -> None:
    await bench.ledger.apply(notebook(bench.ledger, "a", "lab"), notebook(bench.ledger, "b", "other"))
    for name in ("a", "b"):
        await bench.run(name)
    ended = Change(EndRequested(bench.clock(), RequestId("a")), who="root", why="ended by root")
    await bench.ledger.apply(ended)
    await bench.gone("a", GoneReason.STOPPED)
    died = Outcome(RequestId("b"), "failed", "The notebook server is gone.")
    await bench.gone("b", GoneReason.FAILED, died)
    told = [("ada", "Your notebook lab was stopped"), ("ada", "Your notebook other failed")]
    assert await bench.told() == told
    assert [notice.text for notice in bench.memo.told] == ["Ended by root.", "The notebook server is gone."]


async def test_what_was_stopped_and_waits_again_is_told(bench: Bench) -> None:
    await bench.ledger.apply(notebook(bench.ledger, "a", "lab"))
    await bench.run("a")
    await bench.gone("a", GoneReason.NODE_LOST)
    assert await bench.told() == [("ada", "Your notebook lab was stopped and waits again")]


async def test_whoever_has_to_confirm_is_told_that_there_is_room(bench: Bench) -> None:
    keeper = Keeper(bench.ledger, 30)
    await bench.ledger.apply(notebook(bench.ledger, "all", "big", resources=ALL_OF_IT))
    await bench.ledger.apply(notebook(bench.ledger, "a", "lab"))
    held = StartSet(RequestId("a"), StartRow(StartWish(mode="when-confirmed")))
    await bench.ledger.apply(Change(RequestHeld(bench.clock(), held.id, "asked for"), (held,)))
    await bench.gone("all", GoneReason.FINISHED)
    await keeper.step()
    assert await bench.told() == [("ada", "There is room for your notebook lab")]


async def test_only_what_was_configured_is_told(bench: Bench) -> None:
    sender = sender_of(bench.ledger, bench.memo, [NoticeKind.ENDED])
    await bench.ledger.apply(notebook(bench.ledger, "a", "lab"))
    await bench.run("a", after=600.0)
    await sender.step("memo")
    assert bench.memo.told == []


async def test_a_channel_that_fails_is_tried_again_with_the_same_id_and_what_cannot_be_told_is_passed(
    bench: Bench,
) -> None:
    await bench.ledger.apply(notebook(bench.ledger, "a", "lab"), notebook(bench.ledger, "b", "other"))
    await bench.run("a", after=600.0)
    await bench.run("b")
    bench.memo.troubles = [Unavailable("away"), Undeliverable("no address")]
    with pytest.raises(Unavailable):
        await bench.told()
    assert await bench.told() == [("ada", "Your notebook other runs")]
    assert await bench.told() == [("ada", "Your notebook other runs")]  # nothing is told twice
    first, again, *_ = bench.memo.tried
    assert first == again


async def test_what_goes_on_meanwhile_does_not_shorten_the_pause_of_a_channel_that_fails(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "AGAIN_SECONDS", 0.0)
    bench.memo.troubles = [Unavailable("away")] * 9
    work = asyncio.ensure_future(bench.sender.run())
    await bench.ledger.apply(notebook(bench.ledger, "a", "lab"))
    await bench.run("a", after=600.0)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not bench.memo.tried:  # noqa: ASYNC110  the memo has no event for it
            await asyncio.sleep(0)
    for number in range(20):  # each of them wakes the channels that do not fail
        await bench.ledger.apply(notebook(bench.ledger, f"b{number}", f"b{number}", resources=ALL_OF_IT))
        await bench.ledger.read(lambda store: store.last_audit_seq())
    assert len(bench.memo.tried) == 1
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


async def test_what_could_not_be_told_for_a_day_is_told_no_more(bench: Bench) -> None:
    await bench.ledger.apply(notebook(bench.ledger, "a", "lab"))
    await bench.run("a", after=600.0)
    bench.clock.now += STALE_SECONDS
    assert await bench.told() == []


async def test_a_restart_goes_on_where_it_was_and_a_new_channel_begins_now(tmp_path: Path) -> None:
    path, clock, memo = tmp_path / "ledger.sqlite", Clock(), Memo()
    async with opened(path, clock) as ledger:
        await add_node(ledger)
        bench = Bench(ledger, clock, memo, sender_of(ledger, memo))
        await bench.sender.open()
        await ledger.apply(notebook(ledger, "a", "lab"))
        await bench.run("a", after=600.0)
    async with opened(path, clock) as ledger:
        late = Memo("late")
        sender = Sender(ledger, [memo, late], tuple(NoticeKind), str, lambda: 1.0)
        await sender.open()
        for name in ("memo", "late"):
            await sender.step(name)
    assert [notice.title for notice in memo.told] == ["Your notebook lab runs"]
    assert late.told == []
