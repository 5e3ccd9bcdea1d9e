"""What is in the way of a reservation is taken back in time: warned, stopped and gone when it begins."""

from __future__ import annotations

from dataclasses import replace

from jupyterhub_mesos_quota.events import (
    FactsSeen,
    GoneReason,
    LiftWarning,
    ReservationCancelled,
    WarnAllocation,
)
from jupyterhub_mesos_quota.model import AllocationState, Facts, RequestStatus, ReservationId
from jupyterhub_mesos_quota.policy import Policy, Reclaim
from quota_bookings import END, HOUR, START, bench_of, book, booking, passes, starts, stopped, two, warned
from quota_cases import Bench, node, team

CLEAR = Policy().clear_seconds
GRACE = 300.0
TAKES = Policy(reclaim=Reclaim(grace_seconds=GRACE))
WARNED_AT = START - CLEAR - GRACE


def notebook(bench: Bench, id_: str, team_: str, cpu: int = 1) -> None:
    assert bench.submit(id_, team_, cpu) == [id_]
    bench.run(id_)


def training(bench: Bench, id_: str, team_: str, cpu: int = 1, hours: float | None = None) -> None:
    assert starts(bench, id_, team_, cpu, hours=hours)
    bench.run(id_)


def test_what_can_be_taken_back_in_time_uses_the_room_until_then() -> None:
    bench = two(policy=TAKES)
    training(bench, "b1", "b", 3)
    notebook(bench, "b2", "b", 1)
    assert bench.machine.next_deadline() == WARNED_AT
    actions = passes(bench, WARNED_AT)
    assert warned(actions) == {"b1": START - CLEAR, "b2": START - CLEAR}
    assert stopped(passes(bench, START - CLEAR - 1)) == {}
    assert stopped(passes(bench, START - CLEAR)) == {"b1": "reserved", "b2": "reserved"}
    assert bench.gone("b1", GoneReason.STOPPED) == []
    assert bench.gone("b2", GoneReason.STOPPED) == []
    assert bench.queue() == ["b1", "b2"]
    passes(bench, START)
    assert starts(bench, "a1", "a", 4)


def test_a_warning_says_for_whom_and_from_when() -> None:
    bench = two(policy=TAKES)
    notebook(bench, "b1", "b", 4)
    (warning,) = (each for each in passes(bench, WARNED_AT) if isinstance(each, WarnAllocation))
    assert warning.why == "team a has booked its room from 1970-01-01 10:00 UTC"


def test_no_more_is_taken_than_what_is_booked_needs() -> None:
    bench = two(cpu=6, policy=TAKES)
    for id_, cpu in (("b1", 2), ("b2", 1), ("b3", 2), ("b4", 1)):
        training(bench, id_, "b", cpu)
    assert set(warned(passes(bench, WARNED_AT))) == {"b4", "b3", "b2"}  # 4 CPU, the youngest first


def test_nothing_is_taken_of_who_is_inside_a_guarantee() -> None:
    bench = bench_of([team("a"), team("b", 2), team("c")], [node("n", 6)], TAKES)
    book(bench, booking(pieces=4))
    training(bench, "b1", "b", 2)
    training(bench, "c1", "c", 4)
    assert set(warned(passes(bench, START - CLEAR))) == {"c1"}


def test_who_ends_by_itself_in_time_is_let_be() -> None:
    bench = two(cpu=6, policy=TAKES)
    passes(bench, START - HOUR)
    training(bench, "b1", "b", 2, hours=55 / 60)
    training(bench, "b2", "b", 4)
    learn(bench, "b1", is_idle=True)
    actions = passes(bench, WARNED_AT)
    assert "b1" not in warned(actions)
    assert set(warned(actions)) == {"b2"}


def test_where_all_that_is_in_the_way_ends_in_time_nobody_is_warned() -> None:
    bench = two(policy=TAKES)
    passes(bench, START - HOUR)
    training(bench, "b1", "b", 4, hours=55 / 60)
    assert warned(passes(bench, WARNED_AT)) == {}
    assert stopped(passes(bench, START - CLEAR)) == {"b1": "time-limit"}
    bench.gone("b1", GoneReason.STOPPED)
    assert warned(passes(bench, START)) == {}


def test_who_could_not_be_taken_in_time_does_not_start_on_it() -> None:
    bench = two(policy=Policy(reclaim=Reclaim(min_runtime_seconds=HOUR, grace_seconds=GRACE)))
    passes(bench, WARNED_AT - HOUR - 1)
    assert starts(bench, "b1", "b", 1)
    passes(bench, WARNED_AT - HOUR + 10)
    assert not starts(bench, "b2", "b", 1)
    assert bench.why("b2") == "reserved"


def test_one_after_the_other_the_second_takes_back_what_the_first_leaves() -> None:
    bench = bench_of([team("a"), team("b")], [node("n", 4)], TAKES)
    book(bench, booking(pieces=4))
    book(bench, replace(booking("next", "b", pieces=4), starts_at=END, ends_at=END + HOUR))
    passes(bench, START)
    training(bench, "a1", "a", 4)
    assert warned(passes(bench, END - CLEAR - GRACE)) == {"a1": END - CLEAR}
    assert stopped(passes(bench, END - CLEAR)) == {"a1": "reserved"}
    bench.gone("a1", GoneReason.STOPPED)
    assert not starts(bench, "a2", "a", 1)
    passes(bench, END)
    assert starts(bench, "b1", "b", 4)


def test_under_a_limit_that_both_share_room_is_made_too() -> None:
    teams = [team("org", limit=4), team("a", parent="org"), team("b", parent="org")]
    bench = bench_of(teams, [node("n", 9)], TAKES)
    book(bench, booking(pieces=3))
    training(bench, "b1", "b", 2)
    training(bench, "b2", "b", 1)
    assert set(warned(passes(bench, WARNED_AT))) == {"b1"}


def test_a_warning_is_lifted_when_the_booking_is_cancelled() -> None:
    bench = two(policy=TAKES)
    notebook(bench, "b1", "b", 4)
    passes(bench, WARNED_AT)
    actions = bench.handle(ReservationCancelled(bench.tick(), ReservationId("class")))
    assert any(isinstance(each, LiftWarning) for each in actions)
    assert bench.live("b1").state is AllocationState.RUNNING


def test_as_much_as_can_be_is_cleared_where_not_all_can() -> None:
    """The guarantee's 2 CPU stand where a piece would; for the other piece its room is made all the same."""
    bench = bench_of([team("a"), team("b", 2), team("c")], [node("m", 4), node("n", 4)], TAKES)
    book(bench, booking(cpu=3, pieces=2))
    training(bench, "b1", "b", 2)
    training(bench, "c1", "c", 4)
    assert set(warned(passes(bench, WARNED_AT))) == {"c1"}
    passes(bench, START - CLEAR)
    bench.gone("c1", GoneReason.STOPPED)
    passes(bench, START)
    assert starts(bench, "a1", "a", 3)
    assert not starts(bench, "a2", "a", 3)


def test_a_guarantee_and_a_booking_are_both_served() -> None:
    bench = bench_of([team("a"), team("b", 2), team("c")], [node("n", 6)], TAKES)
    book(bench, booking(pieces=4))
    training(bench, "c1", "c", 4)
    training(bench, "c2", "c", 2)
    passes(bench, WARNED_AT)
    assert not starts(bench, "b1", "b", 2)
    passes(bench, START - CLEAR)
    for id_ in ("c1", "c2"):
        bench.gone(id_, GoneReason.STOPPED)
    assert bench.status("b1") is RequestStatus.ACTIVE
    passes(bench, START)
    assert starts(bench, "a1", "a", 4)


def learn(bench: Bench, id_: str, **facts: bool) -> None:
    bench.handle(FactsSeen(bench.tick(), bench.live(id_).id, Facts(**facts)))
