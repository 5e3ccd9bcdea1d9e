from __future__ import annotations

from collections.abc import Callable

import pytest

from jupyterhub_mesos_quota.errors import IllegalMove, UnknownAllocation, UnknownRequest
from jupyterhub_mesos_quota.events import (
    AllocationClaimed,
    AllocationGone,
    AllocationLost,
    AllocationMoved,
    AllocationReturned,
    AllocationStarted,
    EndRequested,
    Event,
    GoneReason,
    Grant,
    GrantUnclaimed,
    NodeSeen,
    RequestMoved,
    StopAllocation,
)
from jupyterhub_mesos_quota.model import AllocationId, AllocationState, RequestId, RequestStatus
from jupyterhub_mesos_quota.moves import ALLOCATION_MOVES, REQUEST_MOVES, STORY_LENGTH
from quota_cases import Bench, MakeBench, granted, node, state_of, team

A1 = AllocationId("a-1")
"""The first allocation of request `a`."""


@pytest.fixture
def one(bench: MakeBench) -> Bench:
    """One core, and request `a` that was granted it."""
    made = bench([team("t", 1)], [node("n", 1)])
    assert made.submit("a", "t") == ["a"]
    return made


def test_a_grant_tells_its_moves_in_order(bench: MakeBench) -> None:
    made = bench([team("t", 1)], [])
    made.submit("a", "t")
    actions = made.machine.handle(NodeSeen(5.0, node("n", 1)))
    assert [type(action) for action in actions] == [AllocationMoved, RequestMoved, Grant]
    assert granted(actions) == ["a"]


def test_a_life_without_trouble_goes_through_its_states(one: Bench) -> None:
    one.run("a")
    assert one.live("a").state is AllocationState.RUNNING
    one.gone("a")
    assert (one.live("a").state, one.status("a")) == (AllocationState.GONE, RequestStatus.ENDED)


def test_what_is_gone_in_one_moment_frees_its_room_together(bench: MakeBench) -> None:
    made = bench([team("t", 2)], [node("n", 2)])
    for id_ in ("a", "b"):
        made.submit(id_, "t")
    assert made.submit("gang", "t", replicas=2) == []
    assert made.submit("small", "t") == []
    ends = [AllocationGone(9.0, made.live(id_).id, GoneReason.FINISHED) for id_ in ("a", "b")]
    # One by one, the small one would take the room of the first.
    assert granted(made.machine.handle_ends(ends)) == ["gang"]
    made.machine.audit_state()


def test_ends_of_one_moment_are_refused_together_where_one_never_was(one: Bench) -> None:
    before = state_of(one.machine)
    gone, never = (AllocationGone(9.0, id_, GoneReason.FINISHED) for id_ in (A1, AllocationId("x-1")))
    with pytest.raises(UnknownAllocation):
        one.machine.handle_ends([gone, never])
    assert state_of(one.machine) == before


def test_a_release_frees_only_when_the_backend_says_gone(one: Bench) -> None:
    one.run("a")
    one.submit("b", "t")
    actions = one.end("a")
    assert StopAllocation(one.now, A1) in actions
    assert one.status("b") is RequestStatus.QUEUED
    assert one.gone("a", GoneReason.STOPPED) == ["b"]


def test_the_end_of_an_unclaimed_grant_is_a_stop_too(one: Bench) -> None:
    one.end("a")
    assert one.live("a").state is AllocationState.STOPPING
    with pytest.raises(IllegalMove):
        one.machine.handle(AllocationClaimed(9.0, A1))
    one.gone("a", GoneReason.STOPPED)
    assert one.status("a") is RequestStatus.ENDED


def test_asking_for_the_end_twice_says_nothing_new(one: Bench) -> None:
    one.end("a")
    assert one.end("a") == []
    one.gone("a", GoneReason.STOPPED)
    assert one.end("a") == []


def test_ending_a_queued_request_withdraws_it(one: Bench) -> None:
    one.submit("b", "t")
    one.end("b")
    assert one.status("b") is RequestStatus.WITHDRAWN
    assert one.gone("a") == []


@pytest.mark.parametrize("reason", list(GoneReason))
def test_the_reason_decides_whether_a_request_queues_again(one: Bench, reason: GoneReason) -> None:
    one.run("a")
    again = one.gone("a", reason)
    assert again == (["a"] if reason.requeues else [])
    assert one.machine.requests[RequestId("a")].allocations == 1 + reason.requeues


def test_a_request_whose_end_was_asked_for_never_queues_again(one: Bench) -> None:
    one.run("a")
    one.end("a")
    assert one.gone("a", GoneReason.NODE_LOST) == []
    assert one.status("a") is RequestStatus.ENDED


def test_an_unclaimed_grant_goes_back_to_its_old_place(bench: MakeBench) -> None:
    made = bench([team("t", 2)], [node("n", 1)])
    made.submit("a", "t")
    made.submit("b", "t")
    made.see(node("n", 1, open_=False))
    made.handle(GrantUnclaimed(made.tick(), A1))
    assert made.queue() == ["a", "b"]
    assert made.see(node("n", 1)) == ["a"]


def test_a_lost_allocation_holds_its_resources_until_it_is_gone(one: Bench) -> None:
    one.run("a")
    one.handle(AllocationLost(one.tick(), A1))
    assert one.submit("b", "t") == []
    one.handle(AllocationReturned(one.tick(), A1))
    assert one.live("a").state is AllocationState.RUNNING


def test_a_lost_allocation_that_returns_after_its_end_was_asked_for_is_stopped(one: Bench) -> None:
    one.run("a")
    one.end("a")
    one.handle(AllocationLost(one.tick(), A1))
    actions = one.handle(AllocationReturned(one.tick(), A1))
    assert actions[-1] == StopAllocation(one.now, A1)


Make = Callable[[float, AllocationId], Event]


@pytest.mark.parametrize(
    ("make", "state"),
    [
        (AllocationClaimed, AllocationState.STARTING),
        (AllocationClaimed, AllocationState.RUNNING),
        (AllocationStarted, AllocationState.RUNNING),
        (AllocationStarted, AllocationState.STOPPING),
        (AllocationLost, AllocationState.LOST),
        (AllocationReturned, AllocationState.RUNNING),
        (GrantUnclaimed, AllocationState.GONE),
        (lambda at, id_: AllocationGone(at, id_, GoneReason.FAILED), AllocationState.GONE),
    ],
)
def test_a_repeated_message_changes_nothing(one: Bench, make: Make, state: AllocationState) -> None:
    bring_to(one, state)
    before = state_of(one.machine)
    assert one.machine.handle(make(99.0, A1)) == []
    assert state_of(one.machine) == before


@pytest.mark.parametrize(
    ("make", "state"),
    [
        (AllocationStarted, AllocationState.GRANTED),
        (AllocationReturned, AllocationState.GRANTED),
        (AllocationLost, AllocationState.GRANTED),
        (GrantUnclaimed, AllocationState.STARTING),
        (GrantUnclaimed, AllocationState.RUNNING),
        (AllocationStarted, AllocationState.LOST),
        (AllocationClaimed, AllocationState.GONE),
        (AllocationReturned, AllocationState.GONE),
    ],
)
def test_an_illegal_move_raises_with_the_story_and_changes_nothing(
    one: Bench, make: Make, state: AllocationState
) -> None:
    bring_to(one, state)
    before = state_of(one.machine)
    with pytest.raises(IllegalMove) as caught:
        one.machine.handle(make(99.0, A1))
    assert "at 1: new -> granted (there is room)" in caught.value.story
    assert state_of(one.machine) == before


def bring_to(one: Bench, state: AllocationState) -> None:
    if state is AllocationState.GRANTED:
        return
    one.handle(AllocationClaimed(one.tick(), A1))
    if state is AllocationState.STARTING:
        return
    one.handle(AllocationStarted(one.tick(), A1))
    if state is AllocationState.STOPPING:
        one.end("a")
    if state is AllocationState.LOST:
        one.handle(AllocationLost(one.tick(), A1))
    if state is AllocationState.GONE:
        one.gone("a")


def test_events_about_what_is_not_there_are_refused(one: Bench) -> None:
    with pytest.raises(UnknownAllocation):
        one.machine.handle(AllocationGone(9.0, AllocationId("x-1"), GoneReason.FAILED))
    with pytest.raises(UnknownRequest):
        one.machine.handle(EndRequested(9.0, RequestId("x")))


def test_a_story_is_bounded(one: Bench) -> None:
    one.run("a")
    for _ in range(STORY_LENGTH):
        one.handle(AllocationLost(one.tick(), A1))
        one.handle(AllocationReturned(one.tick(), A1))
    with pytest.raises(IllegalMove) as caught:
        one.machine.handle(GrantUnclaimed(99.0, A1))
    assert len(caught.value.story) == STORY_LENGTH


def test_nothing_leaves_a_terminal_state() -> None:
    over = {RequestStatus.ENDED, RequestStatus.WITHDRAWN}
    assert not [move for move in REQUEST_MOVES if move[0] in over]
    assert not [move for move in ALLOCATION_MOVES if move[0] is AllocationState.GONE]


def test_every_living_allocation_can_become_gone() -> None:
    for state in set(AllocationState) - {AllocationState.GONE}:
        assert (state, AllocationState.GONE) in ALLOCATION_MOVES


def test_what_is_over_is_forgotten_once(one: Bench) -> None:
    one.submit("b", "t")
    one.gone("a")
    forgotten = one.machine.forget_ended()
    assert (forgotten.requests, forgotten.allocations) == (("a",), ("a-1",))
    assert list(one.machine.requests) == ["b"]
    assert one.machine.forget_ended().requests == ()
