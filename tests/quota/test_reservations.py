"""What is booked is there when it begins, and what is not needed for it is used until then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyterhub_mesos_quota.events import (
    FactsSeen,
    GoneReason,
    LiftWarning,
    NodeSeen,
    ReservationCancelled,
    TimePassed,
    WarnAllocation,
)
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import (
    AllocationState,
    Facts,
    RequestId,
    RequestStatus,
    ReservationId,
    TeamId,
)
from jupyterhub_mesos_quota.policy import Policy, Reclaim
from quota_bookings import END, HOUR, START, bench_of, book, booking, passes, starts, stopped, warned
from quota_cases import Bench, granted, node, res, team

CLEAR = Policy().clear_seconds
OPENS = START - CLEAR


def two(cpu: int = 4, policy: Policy | None = None, **booked: int) -> Bench:
    """Teams a and b without guarantees; a has booked 4 CPU of what is there, or what `booked` says."""
    bench = bench_of([team("a"), team("b")], [node("n", cpu)], policy)
    book(bench, booking(**{"pieces": 4, **booked}))
    return bench


# ---- before it begins -----------------------------------------------------------------------------


def test_before_it_begins_one_without_an_end_leaves_the_room() -> None:
    bench = two(cpu=6)
    assert starts(bench, "b1", "b", 2)
    assert not starts(bench, "b2", "b", 1)
    found = bench.machine.explain(RequestId("b2"))
    assert found.code == "reserved"
    assert found.sentence == (
        "1 CPU asked for by team b would fit; but team a has booked 4 CPU from 1970-01-01 10:00 UTC "
        "until 1970-01-01 12:00 UTC."
    )
    assert "a time limit that ends before 1970-01-01 10:00 UTC" in found.cure


def test_before_it_begins_one_that_ends_in_time_runs() -> None:
    bench = two()
    assert starts(bench, "short", "b", 2, hours=9)
    assert not starts(bench, "long", "b", 1, hours=10)
    assert starts(bench, "as short", "b", 2, hours=8)


def test_one_that_may_run_for_too_long_by_now_waits_until_the_booking_is_over() -> None:
    bench = two()
    passes(bench, START - HOUR)
    assert not starts(bench, "b1", "b", 4, hours=1)
    assert starts(bench, "b2", "b", 2, hours=0.9)
    assert bench.gone("b2") == []
    assert granted(passes(bench, END)) == ["b1"]


def test_the_team_itself_may_use_its_room_before() -> None:
    bench = two()
    assert starts(bench, "a1", "a", 3)
    assert not starts(bench, "b1", "b", 1, hours=10)
    passes(bench, START)
    assert starts(bench, "a2", "a", 1)
    assert not starts(bench, "a3", "a", 1)


def test_what_the_team_uses_of_it_is_laid_aside_no_more() -> None:
    bench = two(cpu=5)
    assert starts(bench, "a1", "a", 2)
    assert starts(bench, "b1", "b", 1)
    assert not starts(bench, "b2", "b", 1)
    assert bench.gone("a1") == []
    assert bench.queue() == ["b2"]


def test_a_guarantee_of_another_is_not_held_up_before_it_opens() -> None:
    bench = bench_of([team("a"), team("b", 2), team("c")], [node("n", 6)])
    book(bench, booking(pieces=4))
    assert starts(bench, "b1", "b", 2)
    assert not starts(bench, "c1", "c", 1)


def test_room_is_left_on_nodes_that_hold_whole_pieces() -> None:
    bench = bench_of([team("a"), team("b")], [node(f"n{number}", 4) for number in range(3)])
    book(bench, booking(cpu=4, pieces=2))
    assert all(starts(bench, f"b{number}", "b", 1) for number in range(4))
    assert not starts(bench, "b4", "b", 1)
    passes(bench, START)
    assert starts(bench, "a1", "a", 4, replicas=2)


def test_large_room_stays_whole_for_others() -> None:
    bench = bench_of([team("a"), team("b")], [node("m", 3), node("n", 2)])
    book(bench, booking(cpu=2))
    assert starts(bench, "b1", "b", 3)
    assert not starts(bench, "b2", "b", 1)


def test_a_limit_that_both_share_keeps_room_for_it() -> None:
    teams = [team("org", limit=4), team("a", parent="org"), team("b", parent="org")]
    bench = bench_of(teams, [node("n", 9)])
    book(bench, booking(pieces=3))
    assert starts(bench, "b1", "b", 1)
    assert not starts(bench, "b2", "b", 1)
    assert bench.why("b2") == "reserved"


# ---- while it is on -------------------------------------------------------------------------------


def test_while_it_is_on_the_team_stands_inside_a_guarantee_of_its_size() -> None:
    bench = two()
    passes(bench, START)
    assert not starts(bench, "b1", "b", 1, hours=0.1)
    assert starts(bench, "a1", "a", 4)
    assert bench.live("a1").borrowed == res()


def test_it_comes_on_top_of_what_the_team_is_guaranteed() -> None:
    bench = bench_of([team("a", 2), team("b")], [node("n", 6)])
    book(bench, booking(pieces=4))
    assert starts(bench, "a1", "a", 2)
    passes(bench, START)
    assert not starts(bench, "b1", "b", 1)
    assert starts(bench, "a2", "a", 4)


def test_a_team_below_may_use_it() -> None:
    teams = [team("org"), team("a", parent="org"), team("b")]
    bench = bench_of(teams, [node("n", 4)])
    book(bench, booking(team="org", pieces=4))
    passes(bench, START)
    assert not starts(bench, "b1", "b", 1)
    assert starts(bench, "a1", "a", 4)


def test_nobody_inside_a_guarantee_takes_it_either() -> None:
    """A node left: what is guaranteed and what is booked do not both fit any more."""
    bench = bench_of([team("a"), team("b", 4)], [node("m", 4), node("n", 4)])
    book(bench, booking(cpu=4))
    passes(bench, START)
    bench.see(node("m", 4, open_=False))
    assert not starts(bench, "b1", "b", 4)
    assert bench.why("b1") == "reserved"
    assert starts(bench, "a1", "a", 4)


def test_when_it_is_over_what_runs_on_it_is_borrowed_and_the_rest_is_anybodys() -> None:
    bench = two()
    passes(bench, START)
    starts(bench, "a1", "a", 2)
    assert bench.machine.borrowed(TeamId("a")) == res()
    starts(bench, "b1", "b", 2)
    assert granted(passes(bench, END)) == ["b1"]
    assert bench.machine.borrowed(TeamId("a")) == res(2)


@pytest.mark.parametrize("at", [5 * HOUR, START + HOUR])
def test_cancelled_it_is_free_at_once(at: float) -> None:
    bench = two()
    passes(bench, at)
    starts(bench, "b1", "b", 3)
    cancelled = ReservationCancelled(bench.tick(), ReservationId("class"))
    assert granted(bench.handle(cancelled)) == ["b1"]
    assert bench.machine.tree.guarantee(TeamId("a")) == {}


def test_two_that_follow_each_other_share_their_room() -> None:
    bench = bench_of([team("a"), team("b"), team("c")], [node("n", 5)])
    book(bench, booking(pieces=4))
    book(bench, replace(booking("next", "b", pieces=4), starts_at=END, ends_at=END + HOUR))
    assert starts(bench, "c1", "c", 1)
    passes(bench, START)
    assert starts(bench, "a1", "a", 4, hours=1.5)


def test_two_at_a_time_each_have_their_room() -> None:
    bench = bench_of([team("a"), team("b"), team("c")], [node("n", 5)])
    book(bench, booking(pieces=2))
    book(bench, booking("theirs", "b", pieces=2))
    assert starts(bench, "c1", "c", 1)
    assert not starts(bench, "c2", "c", 1)
    passes(bench, START)
    assert not starts(bench, "a1", "a", 3)
    assert bench.why("a1") == "reserved"
    assert starts(bench, "b1", "b", 2)
    assert starts(bench, "a2", "a", 2)


def test_capacity_that_shrinks_under_it_breaks_nothing_and_is_explained() -> None:
    bench = two()
    passes(bench, START)
    bench.handle(NodeSeen(bench.tick(), node("n", 2)))
    assert not starts(bench, "a1", "a", 3)
    assert bench.why("a1") == "no-node-that-large"
    assert starts(bench, "a2", "a", 2)
    assert not starts(bench, "b1", "b", 1)


def test_a_limit_lowered_under_it_binds() -> None:
    bench = two()
    bench.teams(team("a", limit=2), team("b"))
    passes(bench, START)
    assert starts(bench, "a1", "a", 2)
    assert bench.machine.borrowed(TeamId("a")) == res()


# ---- time -----------------------------------------------------------------------------------------


def test_the_next_deadline_is_when_it_opens_and_then_when_it_ends() -> None:
    bench = two()
    assert bench.machine.next_deadline() == OPENS
    bench.handle(TimePassed(OPENS))
    assert bench.machine.next_deadline() == END
    bench.handle(TimePassed(END))
    assert bench.machine.next_deadline() is None


def test_a_restart_while_it_is_on_changes_nothing() -> None:
    bench = two()
    passes(bench, START)
    starts(bench, "b1", "b", 1)
    starts(bench, "a1", "a", 2)
    old = bench.machine
    new = QuotaMachine.restore(
        old.tree.teams.values(),
        old.reported_nodes.values(),
        old.requests.values(),
        old.allocations.values(),
        kept=old.kept(),
    )
    new.audit_state()
    assert new.kept() == old.kept()
    assert [each.id for each in new.queue()] == ["b1"]
    assert new.explain(RequestId("b1")).code == "reserved"
    assert new.borrowed(TeamId("a")) == res()
    bench.machine = new
    assert granted(passes(bench, END)) == ["b1"]


# ---- what is in the way is taken back in time -------------------------------------------------------

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
    bench = bench_of([team("a"), team("b", 4), team("c")], [node("m", 4), node("n", 4)], TAKES)
    book(bench, booking(cpu=2, pieces=2))
    training(bench, "c1", "c", 2)
    training(bench, "c2", "c", 1)
    training(bench, "b1", "b", 4)
    training(bench, "c3", "c", 1)
    bench.see(node("n", 3, open_=False))
    passes(bench, START)
    assert bench.machine.reservations
    bench.machine.audit_state()


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
