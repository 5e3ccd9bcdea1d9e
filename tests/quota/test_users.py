"""A user's new name and a user's leaving: nothing is lost, nothing is merged, nothing is left behind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyterhub_mesos_quota.errors import RefusedRename
from jupyterhub_mesos_quota.events import (
    Action,
    AllocationGone,
    BudgetReached,
    GoneReason,
    RequestSubmitted,
    StopAllocation,
    StopReason,
    TimePassed,
    UserLeft,
    UserRenamed,
)
from jupyterhub_mesos_quota.model import AllocationState, Budget, RequestId, RequestStatus, Team, UserName
from jupyterhub_mesos_quota.resources import CPU_MILLIS, Bounds
from quota_cases import Bench, MakeBench, granted, node, request, state_of, team

ADA, EVE = UserName("ada"), UserName("eve")
HOUR = 3_600.0
WINDOW = 100 * 3_600


def submit(bench: Bench, id_: str, user: str, who: str = "a", cpu: int = 1, **more: int) -> list[str]:
    asked = replace(request(id_, who, cpu, **more), user=UserName(user))
    return granted(bench.handle(RequestSubmitted(bench.tick(), asked)))


def rename(bench: Bench, before: str = "ada", after: str = "eve") -> list[Action]:
    return bench.handle(UserRenamed(bench.tick(), UserName(before), UserName(after)))


def leave(bench: Bench, user: str = "ada") -> list[Action]:
    return bench.handle(UserLeft(bench.tick(), UserName(user)))


def capped(id_: str = "a", cpu: int = 2) -> Team:
    return replace(team(id_), per_user=Bounds.of({CPU_MILLIS: cpu * 1000}))


def users(bench: Bench) -> dict[str, str]:
    return {each.id: each.user for each in bench.machine.requests.values()}


def test_everything_of_a_user_is_the_new_names(bench: MakeBench) -> None:
    made = bench([team("a")], [node("n", 1)])
    submit(made, "runs", "ada")
    submit(made, "waits", "ada")
    submit(made, "others", "bob")
    assert rename(made) == []
    assert users(made) == {"runs": "eve", "waits": "eve", "others": "bob"}
    assert made.queue() == ["waits", "others"]
    assert made.gone("runs") == ["waits"]


def test_a_cap_counts_what_the_old_name_began(bench: MakeBench) -> None:
    made = bench([capped()], [node("n", 8)])
    submit(made, "1", "ada", cpu=2)
    submit(made, "2", "ada")
    rename(made)
    assert made.why("2") == "user-cap"
    assert submit(made, "3", "eve") == []
    assert submit(made, "4", "ada") == ["4"]  # somebody else by now
    assert made.gone("1") == ["2", "3"]


def test_a_budget_knows_what_the_old_name_spent(bench: MakeBench) -> None:
    made = bench([replace(team("a"), budget=Budget(WINDOW, user_hours=10))], [node("n", 8, h200=4)])
    submit(made, "1", "ada", h200=2)
    made.handle(TimePassed(made.now + 3 * HOUR))
    made.now += 3 * HOUR
    rename(made)
    assert made.machine.next_deadline() == pytest.approx(1 + 4 * HOUR, abs=0.01)  # 80 % of 10 hours at 2
    reached = [each for each in made.handle(TimePassed(1 + 5 * HOUR)) if isinstance(each, BudgetReached)]
    assert {(each.user, each.percent) for each in reached} == {(EVE, 80), (EVE, 100)}
    spent = {each.user: sum(ms for _, ms in each.steps) for each in made.machine.kept().spent}
    assert spent == {EVE: 10 * 3_600_000}


def test_who_waits_for_a_budget_waits_for_it_under_the_new_name(bench: MakeBench) -> None:
    made = bench([replace(team("a"), budget=Budget(WINDOW, user_hours=1))], [node("n", 8, h200=4)])
    submit(made, "1", "ada", h200=1)
    made.handle(TimePassed(1 + HOUR))
    made.now = 1 + HOUR
    submit(made, "2", "ada", h200=1)
    rename(made)
    assert made.why("2") == "over-budget"
    assert submit(made, "3", "ada", h200=1) == ["3"]
    assert [each[1] for each in made.machine.kept().budget_stops] == [EVE]


def test_a_name_under_which_something_is_not_over_is_refused(bench: MakeBench) -> None:
    made = bench([team("a")], [node("n", 1)])
    submit(made, "1", "ada")
    submit(made, "2", "eve")
    before = state_of(made.machine)
    with pytest.raises(RefusedRename, match=r"eve has 1 request that is not over\. End them first"):
        rename(made)
    assert state_of(made.machine) == before
    made.end("2")
    rename(made)
    assert users(made)["1"] == "eve"


def test_a_name_under_which_a_budget_was_spent_is_refused(bench: MakeBench) -> None:
    made = bench([replace(team("a"), budget=Budget(WINDOW, user_hours=10))], [node("n", 8, h200=4)])
    submit(made, "1", "eve", h200=1)
    made.handle(TimePassed(HOUR))
    made.now = HOUR
    made.gone("1")
    submit(made, "2", "ada")
    with pytest.raises(RefusedRename, match="eve has spent of a budget"):
        rename(made)


def test_a_rename_told_twice_is_told_once(bench: MakeBench) -> None:
    made = bench([team("a")], [node("n", 1)])
    submit(made, "1", "ada")
    rename(made)
    rename(made)
    rename(made, "nobody", "eve")
    assert users(made) == {"1": "eve"}
    with pytest.raises(RefusedRename, match="say what it is"):
        rename(made, "eve", "")


def test_of_who_left_what_waits_is_withdrawn_and_what_runs_is_stopped(bench: MakeBench) -> None:
    made = bench([capped(cpu=1)], [node("n", 1)])
    submit(made, "runs", "ada")
    submit(made, "barred", "ada")
    submit(made, "others", "bob")
    submit(made, "waits", "ada", cpu=1)
    stops = [each for each in leave(made) if isinstance(each, StopAllocation)]
    assert [(each.allocation_id, each.reason) for each in stops] == [("runs-1", StopReason.USER_LEFT)]
    statuses = {id_: made.status(id_) for id_ in ("barred", "waits")}
    assert set(statuses.values()) == {RequestStatus.WITHDRAWN}
    assert made.live("runs").state is AllocationState.STOPPING
    gone = AllocationGone(made.tick(), made.live("runs").id, GoneReason.STOPPED)
    assert granted(made.handle(gone)) == ["others"]
    assert made.status("runs") is RequestStatus.ENDED
    assert leave(made) == []


def test_what_who_left_had_spent_stays_with_the_team(bench: MakeBench) -> None:
    made = bench([replace(team("a"), budget=Budget(WINDOW, team_hours=1))], [node("n", 8, h200=4)])
    submit(made, "1", "ada", h200=1)
    made.handle(TimePassed(1 + HOUR))
    made.now = 1 + HOUR
    leave(made)
    made.gone("1", GoneReason.STOPPED)
    submit(made, "2", "bob", h200=1)
    found = made.machine.explain(RequestId("2"))
    assert (found.code, found.sentence.split(" has")[0]) == ("over-budget", "Team a")
