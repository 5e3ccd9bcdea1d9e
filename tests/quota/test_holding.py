"""A request that stands aside keeps its rank, holds nothing and blocks nobody."""

from __future__ import annotations

from jupyterhub_mesos_quota.events import (
    Event,
    QueuePaused,
    RequestHeld,
    RequestMoved,
    RequestReleased,
    RequestSubmitted,
    UserLeft,
)
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import RequestId, RequestStatus, UserName
from quota_cases import Bench, MakeBench, granted, node, request, team


def aside(bench: Bench, id_: str, team_: str = "t", cpu: int = 1) -> None:
    event = RequestSubmitted(bench.tick(), request(id_, team_, cpu), is_held=True)
    assert granted(bench.handle(event)) == []


def hold(bench: Bench, id_: str) -> list[str]:
    return granted(bench.handle(RequestHeld(bench.tick(), RequestId(id_), "outside its hours")))


def release(bench: Bench, id_: str) -> list[str]:
    return granted(bench.handle(RequestReleased(bench.tick(), RequestId(id_), "confirmed")))


def test_what_is_held_starts_for_no_room_until_it_is_released(bench: MakeBench) -> None:
    made = bench([team("t", 2)], [node("n", 2)])
    aside(made, "a")
    assert (made.status("a"), made.queue(), made.why("a")) == (RequestStatus.HELD, [], "held")
    assert release(made, "a") == ["a"]


def test_room_that_it_would_have_had_is_for_those_behind_it(bench: MakeBench) -> None:
    made = bench([team("t", 3), team("u")], [node("n", 2)])
    made.submit("running", "t", 1)
    assert made.submit("large", "t", 2) == []
    assert made.submit("small", "u", 1) == []
    assert hold(made, "large") == ["small"]  # for large room was laid aside


def test_it_comes_back_at_its_old_rank(bench: MakeBench) -> None:
    made = bench([team("t", 1)], [node("n", 1)])
    for id_ in ("running", "first", "second"):
        made.submit(id_, "t")
    hold(made, "first")
    assert made.queue() == ["second"]
    release(made, "first")
    assert made.queue() == ["first", "second"]


def test_who_is_asked_for_held_has_the_rank_of_its_submission(bench: MakeBench) -> None:
    made = bench([team("t", 1)], [node("n", 1)])
    made.submit("running", "t")
    aside(made, "first")
    made.submit("second", "t")
    release(made, "first")
    assert made.queue() == ["first", "second"]


def test_what_was_granted_meanwhile_is_not_held_any_more(bench: MakeBench) -> None:
    made = bench([team("t", 1)], [node("n", 1)])
    made.submit("a", "t")
    hold(made, "a")
    assert made.status("a") is RequestStatus.ACTIVE


def test_holding_and_releasing_twice_change_nothing(bench: MakeBench) -> None:
    made = bench([team("t", 1)], [node("n", 1)])
    for id_ in ("running", "a"):
        made.submit(id_, "t")
    events: list[tuple[Event, RequestStatus]] = [
        (RequestHeld(9.0, RequestId("a"), "x"), RequestStatus.HELD),
        (RequestReleased(9.0, RequestId("a"), "x"), RequestStatus.QUEUED),
    ]
    for event, after in events:
        moved = [action for action in made.handle(event) if isinstance(action, RequestMoved)]
        assert [(action.request_id, action.after) for action in moved] == [("a", after)]
        assert made.handle(event) == []


def test_what_is_held_can_be_withdrawn_and_ends_with_its_user(bench: MakeBench) -> None:
    made = bench([team("t", 1)], [node("n", 1)])
    for id_ in ("a", "b"):
        aside(made, id_)
    made.end("a")
    made.handle(UserLeft(made.tick(), UserName("ada")))
    assert {made.status(id_) for id_ in ("a", "b")} == {RequestStatus.WITHDRAWN}


def test_what_is_held_before_a_paused_queue_waits_behind_the_pause_when_released(bench: MakeBench) -> None:
    made = bench([team("t", 1)], [node("n", 1)])
    made.handle(QueuePaused(made.tick(), None))
    made.submit("a", "t")
    hold(made, "a")
    assert release(made, "a") == []
    assert made.why("a") == "paused"


def test_what_is_held_is_held_after_a_restart(bench: MakeBench) -> None:
    made = bench([team("t", 1)], [node("n", 1)])
    aside(made, "a")
    lived = made.machine
    again = QuotaMachine.restore(
        lived.tree.teams.values(),
        lived.nodes.values(),
        lived.requests.values(),
        lived.allocations.values(),
        kept=lived.kept(),
    )
    again.audit_state()
    assert again.requests[RequestId("a")].status is RequestStatus.HELD
    assert granted(again.handle(RequestReleased(9.0, RequestId("a"), "confirmed"))) == ["a"]
