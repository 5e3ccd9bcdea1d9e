"""Past use fades with its half-life, in whole numbers, and survives a restart."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyterhub_mesos_quota.accounts import Account
from jupyterhub_mesos_quota.events import AllocationGone, GoneReason, RequestSubmitted
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import AllocationId, TeamId
from jupyterhub_mesos_quota.past import STEPS_PER_HALF_LIFE, Past
from jupyterhub_mesos_quota.policy import Policy
from jupyterhub_mesos_quota.strategies import LOWEST_USE, WHOLE
from jupyterhub_mesos_quota.tree import TeamTree
from quota_cases import node, request, team

HALF_LIFE = 6_400.0
STEP = HALF_LIFE / STEPS_PER_HALF_LIFE
POLICY = Policy(half_life_seconds=HALF_LIFE)


def account() -> Account:
    return Account(TeamTree([team("t")]), TeamId("t"), 0, None)


def averaged(moments: Sequence[tuple[int, int]], until: float) -> float:
    """The moving average by its definition, in floats: each piece weighted with what is left of it."""
    average = 0.0
    for (begin, held), (end, _) in zip(moments, [*moments[1:], (int(until), 0)], strict=True):
        average += held * (2 ** (-(until - end) / HALF_LIFE) - 2 ** (-(until - begin) / HALF_LIFE))
    return average


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3_000), st.integers(0, WHOLE)), min_size=1, max_size=12))
def test_the_average_is_the_integral_of_what_was_borrowed(pieces: list[tuple[int, int]]) -> None:
    past, mine = Past(HALF_LIFE), account()
    past.advance(0)
    at, moments = 0, list[tuple[int, int]]()
    for wait, held in pieces:
        at += wait
        past.advance(at * 1000)
        past.hold(mine, held)
        moments.append((at, held))
    end = (at // int(STEP) + 2) * STEP
    past.advance(int(end * 1000))
    # Within a step all moments count alike, which is at most one step's fading off.
    assert mine.past == pytest.approx(averaged(moments, end), rel=0.02, abs=WHOLE * 1e-6)


def test_after_a_half_life_half_is_left() -> None:
    past, mine = Past(HALF_LIFE), account()
    past.advance(0)
    past.hold(mine, WHOLE)
    past.advance(int(100 * HALF_LIFE * 1000))
    past.hold(mine, 0)
    assert mine.past == pytest.approx(WHOLE, rel=1e-6)
    past.advance(int(101 * HALF_LIFE * 1000))
    assert mine.past == pytest.approx(WHOLE / 2, rel=1e-6)


def test_what_is_nearly_nothing_is_forgotten() -> None:
    past, mine = Past(HALF_LIFE), account()
    past.advance(0)
    past.hold(mine, 1000)
    past.advance(int(STEP * 1000))
    past.hold(mine, 0)
    past.advance(int(100 * HALF_LIFE * 1000))
    assert (mine.past, past.told()) == (0, ())


def used_a_day() -> QuotaMachine:
    """Team a borrowed the whole cluster for a while; now both teams hold half, and both wait."""
    machine = QuotaMachine([team("a"), team("b"), team("c")], [node("n", 4)], POLICY)
    machine.handle(RequestSubmitted(0.0, request("a0", "a", 4)))
    machine.handle(AllocationGone(HALF_LIFE, AllocationId("a0-1"), GoneReason.FINISHED))
    machine.handle(RequestSubmitted(HALF_LIFE, request("c0", "c", 4)))
    for id_, who in (("a1", "a"), ("b1", "b")):
        machine.handle(RequestSubmitted(HALF_LIFE + STEP, request(id_, who, 2)))
    return machine


def test_who_borrowed_yesterday_goes_after_who_did_not() -> None:
    assert [waiting.id for waiting in used_a_day().queue()] == ["b1", "a1"]


def test_without_a_half_life_yesterday_does_not_count() -> None:
    machine = QuotaMachine([team("a"), team("b"), team("c")], [node("n", 4)])
    machine.handle(RequestSubmitted(0.0, request("a0", "a", 4)))
    machine.handle(AllocationGone(HALF_LIFE, AllocationId("a0-1"), GoneReason.FINISHED))
    machine.handle(RequestSubmitted(HALF_LIFE, request("c0", "c", 4)))
    for id_, who in (("a1", "a"), ("b1", "b")):
        machine.handle(RequestSubmitted(HALF_LIFE + STEP, request(id_, who, 2)))
    assert [waiting.id for waiting in machine.queue()] == ["a1", "b1"]


def test_by_lowest_use_the_past_counts_as_a_part_of_the_guarantee() -> None:
    """Both borrowed 4 for as long: once over what large is promised, four times over what small is."""
    policy = Policy(strategy=LOWEST_USE, half_life_seconds=HALF_LIFE)
    teams = [team("small", 1), team("large", 4), team("c")]
    machine = QuotaMachine(teams, [node("n", 13)], policy)
    for id_, who, cpu in (("s0", "small", 5), ("l0", "large", 8)):
        machine.handle(RequestSubmitted(0.0, request(id_, who, cpu)))
    for id_ in ("s0", "l0"):
        machine.handle(AllocationGone(HALF_LIFE, AllocationId(f"{id_}-1"), GoneReason.FINISHED))
    machine.handle(RequestSubmitted(HALF_LIFE, request("c0", "c", 13)))
    for id_, who in (("s1", "small"), ("l1", "large")):
        machine.handle(RequestSubmitted(HALF_LIFE + STEP, request(id_, who, 9)))
    assert [waiting.id for waiting in machine.queue()] == ["l1", "s1"]


def test_by_lowest_use_a_team_without_a_past_goes_before_one_that_holds_as_much() -> None:
    policy = Policy(strategy=LOWEST_USE, half_life_seconds=HALF_LIFE)
    machine = QuotaMachine([team("a", 1), team("b", 1), team("c")], [node("n", 4)], policy)
    machine.handle(RequestSubmitted(0.0, request("a0", "a", 4)))
    machine.handle(AllocationGone(HALF_LIFE, AllocationId("a0-1"), GoneReason.FINISHED))
    machine.handle(RequestSubmitted(HALF_LIFE, request("c0", "c", 4)))
    for id_, who in (("a1", "a"), ("b1", "b")):
        machine.handle(RequestSubmitted(HALF_LIFE + STEP, request(id_, who, 2)))
    assert [waiting.id for waiting in machine.queue()] == ["b1", "a1"]


def test_the_past_survives_a_restart_and_an_edit_of_the_teams() -> None:
    lived = used_a_day()
    restored = QuotaMachine.restore(
        lived.tree.teams.values(),
        lived.nodes.values(),
        lived.requests.values(),
        lived.allocations.values(),
        POLICY,
        lived.kept(),
    )
    assert restored.kept() == lived.kept()
    assert [waiting.id for waiting in restored.queue()] == ["b1", "a1"]
    end = AllocationGone(3 * HALF_LIFE, AllocationId("c0-1"), GoneReason.FINISHED)
    assert restored.handle(end) == lived.handle(end)
    assert restored.kept() == lived.kept()


def test_time_before_the_first_node_does_not_count() -> None:
    lived = used_a_day()
    restored = QuotaMachine.restore(
        lived.tree.teams.values(), (), lived.requests.values(), lived.allocations.values(), POLICY
    )
    restored.handle(RequestSubmitted(9 * HALF_LIFE, request("a2", "a", 1)))
    assert restored.kept().past == ()
