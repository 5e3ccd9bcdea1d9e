"""A session runs no longer than it may, is told before, and can be extended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyterhub_mesos_quota.errors import RefusedRequest
from jupyterhub_mesos_quota.events import (
    Action,
    AllocationLost,
    AllocationReturned,
    GoneReason,
    RequestSubmitted,
    SessionExtended,
    StopAllocation,
    StopReason,
    TimePassed,
    WarnAllocation,
)
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import RequestId, RequestStatus
from quota_cases import Bench, MakeBench, node, request, team

LIMIT = 3_600.0
NOTICE = 600.0  # the policy's default


@pytest.fixture
def running(bench: MakeBench) -> Bench:
    """One session of an hour, which runs since the moment 3."""
    made = bench([team("a")], [node("n", 2)])
    made.handle(RequestSubmitted(made.tick(), replace(request("s", "a"), max_seconds=LIMIT)))
    made.run("s")
    return made


def warned(actions: list[Action]) -> list[float]:
    return [action.until for action in actions if isinstance(action, WarnAllocation)]


def stopped(actions: list[Action]) -> list[StopReason]:
    return [action.reason for action in actions if isinstance(action, StopAllocation)]


def test_it_is_told_before_and_ended_at_its_limit(running: Bench) -> None:
    end = running.now + LIMIT
    assert running.machine.next_deadline() == end - NOTICE
    assert warned(running.handle(TimePassed(end - NOTICE))) == [end]
    assert running.machine.next_deadline() == end
    assert stopped(running.handle(TimePassed(end - 1))) == []
    assert stopped(running.handle(TimePassed(end))) == [StopReason.TIME_LIMIT]
    running.gone("s", GoneReason.STOPPED)
    assert running.status("s") is RequestStatus.ENDED
    assert running.machine.next_deadline() is None


def test_an_extended_one_goes_on_until_then(running: Bench) -> None:
    end = running.now + LIMIT
    later = SessionExtended(running.tick(), RequestId("s"), end + 100)
    running.handle(later)
    running.handle(later)
    assert stopped(running.handle(TimePassed(end))) == []
    assert stopped(running.handle(TimePassed(end + 100))) == [StopReason.TIME_LIMIT]


@pytest.mark.parametrize(("id_", "until", "text"), [("s", 10.0, "sooner"), ("t", 9e9, "only one that runs")])
def test_what_cannot_be_extended_is_refused(running: Bench, id_: str, until: float, text: str) -> None:
    running.submit("t", "a")
    with pytest.raises(RefusedRequest, match=text):
        running.handle(SessionExtended(running.tick(), RequestId(id_), until))


def test_one_without_a_limit_runs_for_ever(bench: MakeBench) -> None:
    made = bench([team("a")], [node("n", 1)])
    made.submit("s", "a")
    made.run("s")
    assert made.machine.next_deadline() is None
    assert stopped(made.handle(TimePassed(1e9))) == []


def test_a_limit_survives_a_restart(running: Bench) -> None:
    machine, end = running.machine, running.now + LIMIT
    restored = QuotaMachine.restore(
        machine.tree.teams.values(),
        machine.nodes.values(),
        machine.requests.values(),
        machine.allocations.values(),
    )
    assert restored.next_deadline() == end - NOTICE
    assert stopped(restored.handle(TimePassed(end))) == [StopReason.TIME_LIMIT]


def test_one_that_was_taken_back_has_its_whole_time_when_it_starts_again(running: Bench) -> None:
    running.gone("s", GoneReason.NODE_LOST)
    running.run("s")
    assert running.machine.next_deadline() == running.now + LIMIT - NOTICE


def test_one_that_was_lost_over_its_end_is_stopped_when_it_returns(running: Bench) -> None:
    id_ = running.live("s").id
    running.handle(AllocationLost(running.tick(), id_))
    late = running.now + 2 * LIMIT
    assert stopped(running.handle(TimePassed(late))) == []
    assert stopped(running.handle(AllocationReturned(late, id_))) == [StopReason.TIME_LIMIT]


def test_who_was_told_of_the_end_is_not_told_again_after_a_restart(running: Bench) -> None:
    end = running.now + LIMIT
    running.handle(TimePassed(end - NOTICE))
    old = running.machine
    new = QuotaMachine.restore(
        old.tree.teams.values(),
        old.nodes.values(),
        old.requests.values(),
        old.allocations.values(),
        kept=old.kept(),
    )
    assert new.next_deadline() == end
    assert warned(new.handle(TimePassed(end - 1))) == []
    assert stopped(new.handle(TimePassed(end))) == [StopReason.TIME_LIMIT]
