"""When what waits may start is learnt from each commit and, after a restart, from the ledger's rows."""

from __future__ import annotations

from pathlib import Path

from jupyterhub_mesos.service.expectations import Expectations
from jupyterhub_mesos.service.ledger import Change, Ledger
from jupyterhub_mesos.wire import ExpectedStartView
from jupyterhub_mesos_quota.events import (
    AllocationGone,
    EndRequested,
    GoneReason,
    NodeCordoned,
    QueuePaused,
)
from jupyterhub_mesos_quota.expectation import FEWEST
from jupyterhub_mesos_quota.model import NodeId, RequestId, RequestStatus
from jupyterhub_mesos_quota.resources import Resources
from service_rig import NODE, Clock, add_node, notebook, opened

WHOLE = Resources.of(cpu_millis=4000, mem_mib=8192)
"""All that the node has: one at a time."""
WAIT = 60.0


async def gone(ledger: Ledger, name: str, reason: GoneReason = GoneReason.FINISHED) -> None:
    allocation = ledger.allocation_of(RequestId(name))
    assert allocation is not None
    await ledger.apply(Change(AllocationGone(ledger.clock(), allocation.id, reason)))


async def fill(ledger: Ledger, clock: Clock, count: int = FEWEST) -> None:
    """Let one run, and `count` others wait for a minute each, one after the other; the last one runs."""
    await add_node(ledger)
    await ledger.apply(notebook(ledger, "r0", "r0", resources=WHOLE))
    for number in range(1, count + 1):
        clock.now += 1000
        await ledger.apply(notebook(ledger, f"r{number}", f"r{number}", resources=WHOLE))
        clock.now += WAIT
        await gone(ledger, f"r{number - 1}")


async def ask(ledger: Ledger, expectations: Expectations) -> ExpectedStartView:
    await ledger.apply(notebook(ledger, "next", "next", resources=WHOLE))
    return look(ledger, expectations, "next")


def look(ledger: Ledger, expectations: Expectations, name: str) -> ExpectedStartView:
    return expectations.of(RequestId(name), ledger.machine.explain(RequestId(name)).code)


async def test_it_is_learnt_from_each_commit(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path / "ledger", clock) as ledger:
        expectations = Expectations(ledger)
        await expectations.open()
        await fill(ledger, clock)
        found = await ask(ledger, expectations)
    assert (found.median_seconds, found.within_seconds, found.learnt_from) == (WAIT, WAIT, FEWEST)
    assert found.sentence == (
        f"Of {FEWEST} like it, half started within 1 minute from here, and nine of ten within 1 minute."
    )


async def test_it_is_learnt_from_the_rows_after_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path / "ledger", clock) as ledger:
        await fill(ledger, clock)
        await ledger.apply(notebook(ledger, "next", "next", resources=WHOLE))
    clock.now += WAIT / 4
    async with opened(tmp_path / "ledger", clock) as ledger:
        await add_node(ledger)
        expectations = Expectations(ledger)
        await expectations.open()
        found = look(ledger, expectations, "next")
    assert (found.median_seconds, found.learnt_from) == (WAIT * 3 / 4, FEWEST)


async def test_too_little_history_is_said(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path / "ledger", clock) as ledger:
        expectations = Expectations(ledger)
        await expectations.open()
        await fill(ledger, clock, FEWEST - 1)
        found = await ask(ledger, expectations)
    assert found.median_seconds is None
    assert found.sentence == "When it starts cannot be said: not enough history yet."


async def test_who_withdrew_counts_as_one_that_did_not_start(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path / "ledger", clock) as ledger:
        await fill(ledger, clock)
        for number in range(2 * FEWEST):
            await ledger.apply(notebook(ledger, f"w{number}", f"w{number}", resources=WHOLE))
            clock.now += 2 * WAIT
            await ledger.apply(Change(EndRequested(clock(), RequestId(f"w{number}"))))
    async with opened(tmp_path / "ledger", clock) as ledger:
        await add_node(ledger)
        expectations = Expectations(ledger)
        await expectations.open()
        found = await ask(ledger, expectations)
    assert found.median_seconds is None
    assert found.sentence.endswith("fewer than half of those like it have started so far.")


async def test_who_lost_its_place_waits_since_then_restarted_or_not(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path / "ledger", clock) as ledger:
        expectations = Expectations(ledger)
        await expectations.open()
        await fill(ledger, clock)
        clock.now += 5000
        await ledger.apply(Change(NodeCordoned(clock(), NodeId(NODE.id))))
        await gone(ledger, f"r{FEWEST}", GoneReason.PREEMPTED)
        assert ledger.machine.requests[RequestId(f"r{FEWEST}")].status is RequestStatus.QUEUED
        clock.now += WAIT / 3
        before = expectations.of(RequestId(f"r{FEWEST}"), "no-room")
    async with opened(tmp_path / "ledger", clock) as ledger:
        expectations = Expectations(ledger)
        await expectations.open()
        after = expectations.of(RequestId(f"r{FEWEST}"), "no-room")
    assert before.median_seconds == after.median_seconds == WAIT * 2 / 3


async def test_who_waits_for_a_pause_to_end_is_told_no_time(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path / "ledger", clock) as ledger:
        expectations = Expectations(ledger)
        await expectations.open()
        await fill(ledger, clock)
        await ledger.apply(Change(QueuePaused(clock(), None)))
        found = await ask(ledger, expectations)
    assert found.median_seconds is None
    assert found.sentence == "When it starts cannot be said: it does not wait for room."
