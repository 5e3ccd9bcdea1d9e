"""The examples of docs/explanation/quota.md, as they are told there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from jupyterhub_mesos_quota.events import GoneReason, RequestSubmitted, TimePassed
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import AllocationState, RequestId, RequestStatus, TeamId, WorkloadKind
from jupyterhub_mesos_quota.policy import Policy, Preempt, Reclaim
from jupyterhub_mesos_quota.rules import PlacementRule, Zones
from quota_bookings import HOUR, bench_of, book, booking, passes, starts, stopped, train, warned
from quota_cases import Bench, MakeBench, granted, node, request, res, team

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "quota.md"
EXPLAIN = Path(__file__).parents[2] / "quota" / "jupyterhub_mesos_quota"


def test_an_idle_guarantee_is_lent_and_waits_to_come_back(bench: MakeBench) -> None:
    made = bench([team("vision", 2), team("speech", 2)], [node("n", 4)])
    assert made.submit("s1", "speech", 3) == ["s1"]
    assert made.machine.borrowed(TeamId("speech")) == res(1)
    assert made.submit("v", "vision", 2) == []
    assert made.why("v") == "waits-for-reclaim"
    assert "team speech borrows 1 CPU" in made.machine.explain(RequestId("v")).sentence
    assert made.submit("s2", "speech", 1) == []
    assert made.why("s2") == "behind-guarantee"
    assert made.gone("s1") == ["v", "s2"]


@pytest.mark.parametrize(("weight", "order"), [(1, ["b2", "a2"]), (9, ["a2", "b2"])])
def test_borrowers_take_turns_by_share(bench: MakeBench, weight: int, order: list[str]) -> None:
    made = bench([team("a", weight=weight), team("b")], [node("n", 4)])
    made.submit("a1", "a", 3)
    made.submit("b1", "b", 1)
    made.submit("a2", "a", 1, priority=1)
    made.submit("b2", "b", 1)
    assert made.queue() == order


def test_a_lend_cap_keeps_a_reserve(bench: MakeBench) -> None:
    made = bench([team("lender", 3, lend=1), team("other")], [node("n", 4)])
    assert made.submit("o1", "other", 2) == ["o1"]
    assert made.submit("o2", "other", 1) == []
    assert made.why("o2") == "lend-cap"
    assert made.submit("l", "lender", 2) == ["l"]


def test_the_guarantee_that_no_node_can_hold(bench: MakeBench) -> None:
    made = bench([team("a", 8), team("b")], [node("n", 4)])
    made.submit("a1", "a", 6)
    assert made.why("a1") == "no-node-that-large"
    assert made.submit("b1", "b", 2) == ["b1"]


def test_a_gang_is_all_or_nothing(bench: MakeBench) -> None:
    made = bench([team("a")], [node("m", 3), node("n", 3)])
    assert made.submit("gang", "a", 2, replicas=3) == []
    assert made.see(node("o", 3)) == ["gang"]


def test_what_was_lent_is_taken_back() -> None:
    policy = Policy(reclaim=Reclaim(grace_seconds=300))
    made = Bench(QuotaMachine([team("vision", 4), team("speech")], [node("n", 4)], policy))
    training = replace(request("training", "speech", 3), kind=WorkloadKind.TRAINING)
    assert granted(made.handle(RequestSubmitted(made.tick(), training))) == ["training"]
    assert made.submit("notebook", "speech", 1) == ["notebook"]
    made.run("training")
    made.run("notebook")
    assert made.submit("v1", "vision", 3) == []
    assert made.live("training").state is AllocationState.STOPPING
    assert made.live("notebook").state is AllocationState.RUNNING
    assert made.gone("training", GoneReason.STOPPED) == ["v1"]
    assert made.status("training") is RequestStatus.QUEUED
    assert made.submit("v2", "vision", 1) == []
    assert made.live("notebook").state is AllocationState.WARNED
    made.handle(TimePassed(made.now + 300))
    assert made.live("notebook").state is AllocationState.STOPPING


def test_a_gang_takes_a_whole_node_rather_than_fragments(bench: MakeBench) -> None:
    nodes = [node("two", 64, h200=2), node("three", 64, h200=3), node("whole", 64, h200=8)]
    made = bench([team("t")], nodes)
    made.submit("r1", "t", 1, replicas=8, h200=1)
    made.submit("r2", "t", 1, h200=1)
    made.submit("r3", "t", 1, replicas=2, h200=1)
    places = [[placement.node for placement in made.live(id_).placements] for id_ in ("r1", "r2", "r3")]
    assert places == [["whole"] * 8, ["two"], ["three"] * 2]


def test_a_spread_waits_rather_than_stand_unevenly(bench: MakeBench) -> None:
    made = bench([team("t")], [node("x", 8, zone="x"), node("y", 2, zone="y")])
    spread = PlacementRule.of(zones=Zones.SPREAD)
    made.submit("other", "t", 2, PlacementRule.of(prefer_zone="y"))
    assert made.submit("r", "t", 1, spread, replicas=2) == []
    assert made.why("r") == "no-zone-with-room"
    assert "zone y has no room for its part" in made.machine.explain(RequestId("r")).sentence
    assert made.gone("other") == ["r"]
    assert sorted(placement.node for placement in made.live("r").placements) == ["x", "y"]
    assert made.submit("r2", "t", 1, spread, replicas=6) == []
    assert made.why("r2") == "no-zone-that-large"


def as_name(title: str) -> str:
    return "test_" + re.sub(r"[^a-z]+", "_", title.lower()).strip("_")


def test_every_example_of_the_page_is_here() -> None:
    titles = re.findall(r"^## Example: (.+)$", PAGE.read_text(), re.MULTILINE)
    assert titles
    assert [title for title in titles if as_name(title) not in globals()] == []


def test_a_class_has_booked_its_room() -> None:
    bench = bench_of([team("bio"), team("vision")], [node("n", 4)])
    book(bench, booking(team="bio", pieces=4))
    passes(bench, 8 * HOUR)
    assert not starts(bench, "endless", "vision", 2)
    found = bench.machine.explain(RequestId("endless"))
    assert found.code == "reserved"
    assert "team bio has booked 4 CPU from" in found.sentence
    assert starts(bench, "short", "vision", 2, hours=1.5)
    passes(bench, 9 * HOUR)
    assert not starts(bench, "late", "vision", 2, hours=1)
    assert stopped(passes(bench, 9.75 * HOUR)) == {}
    bench.gone("short")
    passes(bench, 10 * HOUR)
    assert starts(bench, "lesson", "bio", 3)
    assert granted(passes(bench, 12 * HOUR)) == []
    assert bench.why("endless") == "no-room"


def test_a_class_has_booked_its_room_where_what_is_lent_is_taken_back() -> None:
    policy = Policy(reclaim=Reclaim(grace_seconds=300.0))
    bench = bench_of([team("bio"), team("vision")], [node("n", 4)], policy)
    book(bench, booking(team="bio", pieces=4))
    passes(bench, 8 * HOUR)
    assert starts(bench, "endless", "vision", 2)
    bench.run("endless")
    minute = 60.0
    assert warned(passes(bench, 10 * HOUR - 6 * minute)) == {"endless": 10 * HOUR - minute}
    assert stopped(passes(bench, 10 * HOUR - minute)) == {"endless": "reserved"}


def test_a_deadline_takes_the_place_of_an_experiment() -> None:
    bench = bench_of([team("vision", 4), team("speech")], [node("n", 4)], Policy(preempt=Preempt()))
    for id_ in ("experiment 1", "experiment 2"):
        assert starts(bench, id_, "vision", 2)
        bench.run(id_)
    rank = bench.machine.requests[RequestId("experiment 2")].rank
    assert stopped(train(bench, "deadline", "vision", 2, priority=1)) == {"experiment 2": "preempted"}
    assert bench.gone("experiment 2", GoneReason.STOPPED) == ["deadline"]
    assert bench.machine.requests[RequestId("experiment 2")].rank == rank
    assert stopped(train(bench, "theirs", "speech", 2, priority=9)) == {}
    assert bench.status("theirs") is RequestStatus.QUEUED


def test_every_code_that_a_waiting_request_can_get_is_on_the_page() -> None:
    source = "".join(
        (EXPLAIN / name).read_text() for name in ("explain.py", "explain_rules.py", "usage.py", "bars.py")
    )
    codes = set(
        re.findall(r'(?:Explanation\(\s*|return \(\s*|(?:_LIMIT|_CAP|PAUSED|BUDGET) = )"([a-z-]+)"', source)
    )
    told = set(re.findall(r"^\| `([a-z-]+)` \|", PAGE.read_text(), re.MULTILINE))
    assert codes == told
