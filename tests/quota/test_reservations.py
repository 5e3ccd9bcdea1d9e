"""What is booked is there when it begins, and what is not needed for it is used until then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyterhub_mesos_quota.events import (
    NodeSeen,
    ReservationCancelled,
    TimePassed,
)
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import (
    RequestId,
    ReservationId,
    TeamId,
)
from jupyterhub_mesos_quota.policy import Policy
from quota_bookings import END, HOUR, START, bench_of, book, booking, passes, starts, two
from quota_cases import granted, node, res, team

CLEAR = Policy().clear_seconds
OPENS = START - CLEAR


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
