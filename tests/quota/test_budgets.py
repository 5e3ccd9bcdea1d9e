"""Accelerator-hours in a rolling window: counted as they pass, told at 80 and 100 percent, enforced."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyterhub_mesos_quota.errors import TreeError
from jupyterhub_mesos_quota.events import (
    Action,
    AllocationGone,
    BudgetReached,
    GoneReason,
    RequestSubmitted,
    StopAllocation,
    StopReason,
    TimePassed,
)
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import AllocationId, Budget, RequestId, RequestStatus, Team, UserName
from jupyterhub_mesos_quota.policy import Policy
from jupyterhub_mesos_quota.resources import UNLIMITED, Bound
from quota_cases import granted, node, request, team

HOUR = 3600.0
DAY = 24 * HOUR
STEP = DAY / 96
GRACE = 600.0


def with_budget(
    id_: str, hours: Bound = UNLIMITED, user: Bound = UNLIMITED, parent: str | None = None
) -> Team:
    return replace(team(id_, parent=parent), budget=Budget(int(DAY), hours, user))


def machine_of(*teams: Team) -> QuotaMachine:
    return QuotaMachine(teams, [node("n", 16, h200=8)], Policy(budget_grace_seconds=GRACE))


def ask(machine: QuotaMachine, at: float, id_: str, who: str, user: str = "ada", **more: int) -> list[str]:
    asked = replace(request(id_, who, **{"cpu": 1, **more}), user=UserName(user))
    return granted(machine.handle(RequestSubmitted(at, asked)))


def gone(
    machine: QuotaMachine, at: float, id_: str, reason: GoneReason = GoneReason.FINISHED
) -> list[Action]:
    return machine.handle(AllocationGone(at, AllocationId(id_), reason))


def told(actions: list[Action]) -> list[tuple[int, float | None]]:
    return [(each.percent, each.stops_at) for each in actions if isinstance(each, BudgetReached)]


def stopped(actions: list[Action]) -> list[str]:
    return [
        each.allocation_id
        for each in actions
        if isinstance(each, StopAllocation) and each.reason is StopReason.OVER_BUDGET
    ]


def test_over_budget_a_request_waits_with_the_hour_it_becomes_possible() -> None:
    machine = machine_of(with_budget("a", 4))
    ask(machine, 0.0, "1", "a", h200=4)
    gone(machine, HOUR, "1-1")
    assert ask(machine, HOUR, "2", "a", h200=1) == []
    found = machine.explain(RequestId("2"))
    assert found.code == "over-budget"
    assert found.sentence == "Team a has used up the accelerator-hours of its budget."
    # The first of the hour's four steps lies outside the day that ends a step after it.
    assert found.possible_at == DAY + STEP
    assert machine.next_deadline() == found.possible_at
    assert granted(machine.handle(TimePassed(found.possible_at - 1))) == []
    assert granted(machine.handle(TimePassed(found.possible_at))) == ["2"]


def test_who_asks_for_no_accelerator_needs_no_budget() -> None:
    machine = machine_of(with_budget("a", 1))
    ask(machine, 0.0, "1", "a", h200=2)
    gone(machine, HOUR, "1-1")
    assert ask(machine, HOUR, "2", "a") == ["2"]


def test_a_user_over_budget_holds_up_nobody_else() -> None:
    machine = machine_of(with_budget("a", 100, user=2))
    ask(machine, 0.0, "1", "a", h200=2)
    gone(machine, HOUR, "1-1")
    assert ask(machine, HOUR, "2", "a", h200=1) == []
    assert ask(machine, HOUR, "3", "a", user="bob", h200=1) == ["3"]
    assert machine.explain(RequestId("2")).sentence.startswith("Its user in team a has used up")


def test_a_budget_of_a_team_above_counts_what_its_teams_use() -> None:
    machine = machine_of(with_budget("org", 2), team("a", parent="org"), team("b", parent="org"))
    ask(machine, 0.0, "1", "a", h200=2)
    gone(machine, HOUR, "1-1")
    assert ask(machine, HOUR, "2", "b", h200=1) == []


def test_the_marks_are_told_when_they_are_reached_and_what_runs_is_stopped_after_the_grace() -> None:
    machine = machine_of(with_budget("a", 10))
    ask(machine, 0.0, "1", "a", h200=5)
    assert machine.next_deadline() == 1.6 * HOUR
    assert told(machine.handle(TimePassed(1.6 * HOUR))) == [(80, None)]
    assert machine.next_deadline() == 2 * HOUR
    assert told(machine.handle(TimePassed(2 * HOUR))) == [(100, 2 * HOUR + GRACE)]
    assert machine.next_deadline() == 2 * HOUR + GRACE
    assert stopped(machine.handle(TimePassed(2 * HOUR + GRACE - 1))) == []
    assert stopped(machine.handle(TimePassed(2 * HOUR + GRACE))) == ["1-1"]
    gone(machine, 2 * HOUR + GRACE + 5, "1-1", GoneReason.STOPPED)
    assert machine.requests[RequestId("1")].status is RequestStatus.QUEUED
    assert machine.explain(RequestId("1")).code == "over-budget"


def test_a_grace_ends_with_what_ran() -> None:
    machine = machine_of(with_budget("a", 1))
    ask(machine, 0.0, "1", "a", h200=1)
    machine.handle(TimePassed(HOUR))
    gone(machine, HOUR + 60, "1-1")
    assert machine.kept().budget_stops == ()
    assert stopped(machine.handle(TimePassed(HOUR + GRACE))) == []


def test_only_what_uses_the_budget_is_stopped() -> None:
    machine = machine_of(with_budget("a", 1), team("b"))
    ask(machine, 0.0, "gpu", "a", h200=1)
    ask(machine, 0.0, "cpu", "a")
    ask(machine, 0.0, "other", "b", h200=1)
    machine.handle(TimePassed(HOUR))
    assert stopped(machine.handle(TimePassed(HOUR + GRACE))) == ["gpu-1"]


def test_a_raised_budget_lets_go() -> None:
    machine = machine_of(with_budget("a", 1))
    ask(machine, 0.0, "1", "a", h200=1)
    gone(machine, HOUR, "1-1")
    ask(machine, HOUR, "2", "a", h200=1)
    from_now = machine.handle(replace_teams(HOUR + 1, with_budget("a", 5)))
    assert granted(from_now) == ["2"]


def replace_teams(at: float, *teams: Team):  # type: ignore[no-untyped-def]  # one import less
    from jupyterhub_mesos_quota.events import TeamsReplaced  # noqa: PLC0415

    return TeamsReplaced(at, teams)


def restored(machine: QuotaMachine) -> QuotaMachine:
    return QuotaMachine.restore(
        machine.tree.teams.values(),
        machine.nodes.values(),
        machine.requests.values(),
        machine.allocations.values(),
        Policy(budget_grace_seconds=GRACE),
        machine.kept(),
    )


def test_what_was_spent_survives_a_restart_and_what_ran_in_between_counts() -> None:
    machine = machine_of(with_budget("a", 10))
    ask(machine, 0.0, "1", "a", h200=5)
    machine.handle(TimePassed(HOUR))
    again = restored(machine)
    assert again.kept() == machine.kept()
    assert told(again.handle(TimePassed(1.7 * HOUR))) == [(80, None)]


def test_a_restart_without_what_was_spent_begins_at_nothing() -> None:
    machine = machine_of(with_budget("a", 10))
    ask(machine, 0.0, "1", "a", h200=5)
    again = QuotaMachine.restore(
        machine.tree.teams.values(),
        machine.nodes.values(),
        machine.requests.values(),
        machine.allocations.values(),
    )
    assert told(again.handle(TimePassed(9 * DAY))) == []
    assert told(again.handle(TimePassed(9 * DAY + 1.6 * HOUR))) == [(80, None)]


def test_a_mark_under_which_the_window_rolled_is_reached_anew() -> None:
    policy = Policy(budget_grace_seconds=2 * HOUR)
    machine = QuotaMachine([with_budget("a", 1)], [node("n", 16, h200=8)], policy)
    ask(machine, 0.0, "1", "a", h200=1)
    gone(machine, 3000.0, "1-1")
    ask(machine, DAY - 400, "2", "a", h200=1)
    seen: list[tuple[float, int]] = []
    while (due := machine.next_deadline()) is not None and due < DAY + 2 * STEP:
        seen += [(due, percent) for percent, _ in told(machine.handle(TimePassed(due))) if percent == 100]
    first = DAY - 400 + (HOUR - 3000)
    again = first + STEP  # 900 s of it fell out of the window at DAY + STEP
    assert seen == [(first, 100), (again, 100)]


@pytest.mark.parametrize("budget", [Budget(0, 1), Budget(10, 0), Budget(10, 1, -1)])
def test_a_budget_that_makes_no_sense_is_refused(budget: Budget) -> None:
    with pytest.raises(TreeError, match="budget"):
        QuotaMachine([replace(team("a"), budget=budget)])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 20_000), st.integers(1, 8)), min_size=1, max_size=8))
def test_what_is_counted_is_what_ran_in_the_window(runs: list[tuple[int, int]]) -> None:
    """Against the sum over all runs of what lies in the window, to a step's exactness."""
    machine = machine_of(with_budget("a", 10_000))
    at, pieces = 0.0, list[tuple[float, float, int]]()
    for number, (seconds, gpus) in enumerate(runs):
        assert ask(machine, at, f"r{number}", "a", h200=gpus) == [f"r{number}"]
        gone(machine, at + seconds, f"r{number}-1")
        pieces.append((at, at + seconds, gpus))
        at += seconds
    (spent,) = machine.kept().spent or (None,)
    used = sum(amount for _, amount in spent.steps) / 1000 if spent else 0.0
    inside = sum(max(0.0, end - max(begin, at - DAY)) * gpus for begin, end, gpus in pieces)
    assert inside <= used <= inside + STEP * 8


@given(begin_ms=st.integers(0, 10**12))
@settings(max_examples=200)
def test_a_mark_is_reached_at_the_moment_that_was_told_and_not_waited_for_again(begin_ms: int) -> None:
    machine = machine_of(with_budget("a", 1))
    ask(machine, begin_ms / 1000, "r", "a", h200=3)
    due = machine.next_deadline()
    assert due is not None
    assert [percent for percent, _ in told(machine.handle(TimePassed(due)))] == [80]
    after = machine.next_deadline()
    assert after is not None
    assert after > due
