"""Requests are held, asked about, confirmed and released, over a real ledger; the test moves the clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from jupyterhub_mesos.service.changes import Change
from jupyterhub_mesos.service.holding.keeper import ASKED, LONGEST_SECONDS, Keeper
from jupyterhub_mesos.service.ledger import Ledger
from jupyterhub_mesos.service.rows import RequestRow, StartRow, StartSet
from jupyterhub_mesos.wire import StartWish, WelcomeHours
from jupyterhub_mesos_quota.events import AllocationGone, GoneReason, RequestSubmitted
from jupyterhub_mesos_quota.model import RequestId, RequestStatus, allocation_id
from service_rig import SMALL, Clock, add_node, notebook, opened

HOURS = WelcomeHours(begins="08:00", ends="18:00", time_zone="Europe/Berlin")
AT_HOURS = StartWish(hours=HOURS)
CONFIRMED = StartWish(mode="when-confirmed")
BOTH = StartWish(mode="when-confirmed", hours=HOURS)
MINUTES = 30
ALL_OF_IT = SMALL * 4


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()


NIGHT, MORNING, NOON = (moment(f"2026-11-26T{hour}") for hour in ("03:00", "08:00", "12:00"))


class Bench:
    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self.ledger, self.clock = ledger, clock
        self.keeper = Keeper(ledger, MINUTES)

    async def ask(self, name: str, wish: StartWish | None, **of: Any) -> None:
        start = None if wish is None else StartRow(wish)
        asked = notebook(self.ledger, name, name, **of)
        assert isinstance(asked.event, RequestSubmitted)
        event = replace(asked.event, is_held=self.keeper.is_held(start))
        records = (*asked.records, StartSet(RequestId(name), start))
        await self.ledger.apply(replace(asked, event=event, records=records))

    async def end(self, name: str) -> None:
        gone = AllocationGone(self.clock(), allocation_id(RequestId(name), 1), GoneReason.FINISHED)
        await self.ledger.apply(Change(gone))

    async def confirm(self, name: str) -> None:
        row = self.row(name)
        assert row.start is not None
        start = self.keeper.confirmed(row.start)
        await self.ledger.apply(self.keeper.change(row, start, "ada", "confirmed by ada"))

    async def at(self, seconds: float) -> float:
        self.clock.now = seconds
        return await self.keeper.step()

    def row(self, name: str) -> RequestRow:
        row = self.ledger.row(RequestId(name))
        assert row is not None
        return row

    def status(self, name: str) -> RequestStatus:
        return self.row(name).request.status

    def why(self, name: str) -> str:
        explained = self.keeper.explain(self.row(name))
        assert explained is not None
        return explained.code

    async def asked(self, name: str) -> int:
        rows = await self.ledger.read(lambda store: store.audit(name))
        return [row.what for row in rows].count(ASKED)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = Clock()
    clock.now = NIGHT
    async with opened(tmp_path / "ledger.sqlite", clock) as ledger:
        await add_node(ledger)
        yield Bench(ledger, clock)


async def test_outside_its_hours_a_request_is_held_though_there_is_room_and_starts_when_they_come(
    bench: Bench,
) -> None:
    await bench.ask("a", AT_HOURS)
    assert (bench.status("a"), bench.why("a")) == (RequestStatus.HELD, "outside-hours")
    assert await bench.at(NIGHT + 1) == LONGEST_SECONDS
    assert await bench.at(MORNING - 5) == pytest.approx(5)
    assert bench.status("a") is RequestStatus.HELD
    await bench.at(MORNING)
    assert bench.status("a") is RequestStatus.ACTIVE


async def test_the_moment_from_which_it_is_possible_is_said(bench: Bench) -> None:
    await bench.ask("a", AT_HOURS)
    explained = bench.keeper.explain(bench.row("a"))
    assert explained is not None
    assert explained.possible_at == MORNING
    assert "Mon to Fri, 08:00 to 18:00 (Europe/Berlin)" in explained.sentence


async def test_what_still_waits_when_its_hours_end_is_held_and_keeps_its_place(bench: Bench) -> None:
    bench.clock.now = NOON
    await bench.ask("all", None, resources=ALL_OF_IT)
    await bench.ask("a", AT_HOURS)
    await bench.ask("b", None)
    assert bench.status("a") is RequestStatus.QUEUED
    await bench.at(moment("2026-11-26T18:00"))
    assert bench.status("a") is RequestStatus.HELD
    await bench.at(moment("2026-11-27T08:00"))
    assert [request.id for request in bench.ledger.machine.queue()] == ["a", "b"]


async def test_what_runs_when_its_hours_end_runs_on(bench: Bench) -> None:
    bench.clock.now = NOON
    await bench.ask("a", AT_HOURS)
    await bench.at(moment("2026-11-26T18:00"))
    assert bench.status("a") is RequestStatus.ACTIVE


async def test_its_owner_is_asked_once_about_the_same_room_and_again_about_another(bench: Bench) -> None:
    await bench.ask("all", None, resources=ALL_OF_IT)
    await bench.ask("a", CONFIRMED)
    await bench.at(NIGHT + 1)
    assert (bench.why("a"), await bench.asked("a")) == ("unconfirmed", 0)
    await bench.end("all")
    for seconds in (2, 3):
        await bench.at(NIGHT + seconds)
    assert (bench.why("a"), await bench.asked("a")) == ("room-is-there", 1)
    await bench.ask("again", None, resources=ALL_OF_IT)
    await bench.at(NIGHT + 4)
    assert bench.why("a") == "unconfirmed"
    await bench.end("again")
    await bench.at(NIGHT + 5)
    assert await bench.asked("a") == 2


async def test_room_that_waits_for_a_word_is_others(bench: Bench) -> None:
    await bench.ask("a", CONFIRMED)
    await bench.at(NIGHT + 1)
    await bench.ask("b", None, resources=ALL_OF_IT)
    assert bench.status("b") is RequestStatus.ACTIVE


async def test_outside_its_hours_nobody_is_asked(bench: Bench) -> None:
    await bench.ask("a", BOTH)
    await bench.at(NIGHT + 1)
    assert (bench.why("a"), await bench.asked("a")) == ("outside-hours", 0)
    await bench.at(MORNING)
    assert (bench.why("a"), await bench.asked("a")) == ("room-is-there", 1)


@pytest.mark.parametrize("wish", [CONFIRMED, AT_HOURS, BOTH])
async def test_a_word_starts_it_at_any_hour(bench: Bench, wish: StartWish) -> None:
    await bench.ask("a", wish)
    await bench.confirm("a")
    assert bench.status("a") is RequestStatus.ACTIVE


async def test_a_word_holds_for_a_while_and_then_it_is_held_again(bench: Bench) -> None:
    await bench.ask("all", None, resources=ALL_OF_IT)
    await bench.ask("a", CONFIRMED)
    await bench.confirm("a")
    assert bench.status("a") is RequestStatus.QUEUED
    assert await bench.at(NIGHT + MINUTES * 60 - 5) == pytest.approx(5)
    await bench.at(NIGHT + MINUTES * 60)
    assert bench.status("a") is RequestStatus.HELD
    await bench.end("all")
    assert bench.status("a") is RequestStatus.HELD


async def test_another_wish_takes_effect_at_once(bench: Bench) -> None:
    await bench.ask("a", CONFIRMED)
    await bench.ledger.apply(bench.keeper.change(bench.row("a"), None, "ada", "changed"))
    assert (bench.status("a"), bench.row("a").start) == (RequestStatus.ACTIVE, None)


async def test_what_is_held_and_asked_about_is_so_after_a_restart(tmp_path: Path) -> None:
    path, clock = tmp_path / "ledger.sqlite", Clock()
    clock.now = NIGHT
    async with opened(path, clock) as ledger:
        await add_node(ledger)
        first = Bench(ledger, clock)
        await first.ask("a", BOTH)
        await first.at(MORNING)
        before = first.row("a")
    async with opened(path, clock) as ledger:
        await add_node(ledger)
        again = Bench(ledger, clock)
        assert again.row("a") == before
        await again.at(MORNING + 1)
        assert (again.why("a"), await again.asked("a")) == ("room-is-there", 1)


async def test_a_wait_for_a_word_teaches_the_expected_start_nothing(bench: Bench) -> None:
    await bench.ask("a", CONFIRMED)
    await bench.ask("b", None)
    await bench.confirm("a")
    assert bench.status("a") is RequestStatus.ACTIVE
    assert len(await bench.ledger.read(lambda store: store.past_waits(10))) == 1
