"""Who is next: guarantees first, then borrowers by share, priority and rank."""

from __future__ import annotations

import pytest

from jupyterhub_mesos_quota.errors import OverLimit, RefusedRequest, TreeError, UnknownTeam
from jupyterhub_mesos_quota.events import NodeRemoved, RequestSubmitted, TeamsReplaced
from jupyterhub_mesos_quota.model import RequestId, TeamId
from quota_cases import Bench, MakeBench, granted, node, request, res, team


@pytest.fixture
def two(bench: MakeBench) -> Bench:
    """Four cores; vision and speech are guaranteed two each."""
    return bench([team("vision", 2), team("speech", 2)], [node("n", 4)])


def test_an_idle_guarantee_is_lent(two: Bench) -> None:
    assert two.submit("s", "speech", 3) == ["s"]
    assert two.machine.borrowed(TeamId("speech")) == res(1)
    assert two.live("s").borrowed == res(1)


def test_a_request_inside_its_guarantee_goes_before_an_older_borrower(two: Bench) -> None:
    two.submit("s1", "speech", 4)
    two.submit("s2", "speech", 3)
    two.submit("v", "vision", 2)
    assert two.queue() == ["v", "s2"]
    assert two.gone("s1") == ["v"]


def test_a_borrower_does_not_pass_a_guarantee_that_waits_for_more_room(two: Bench) -> None:
    two.submit("s1", "speech", 3)
    two.submit("v", "vision", 2)
    assert two.submit("s2", "speech", 1) == []
    assert two.why("s2") == "behind-guarantee"
    assert two.why("v") == "waits-for-reclaim"
    assert two.gone("s1") == ["v", "s2"]


def test_a_withdrawn_guarantee_lets_the_borrowers_behind_it_go(two: Bench) -> None:
    two.submit("s1", "speech", 3)
    two.submit("v", "vision", 2)
    two.submit("s2", "speech", 1)
    two.end("v")
    assert two.queue() == []


def test_a_borrower_may_use_nodes_that_could_not_hold_the_waiting_guarantee(bench: MakeBench) -> None:
    made = bench([team("gpu", 8, h200=1), team("cpu")], [node("big", 8, h200=1), node("small", 2)])
    made.submit("c1", "cpu", 8)
    made.submit("g", "gpu", 8, h200=1)
    assert made.submit("c2", "cpu", 2) == ["c2"]


def test_a_borrower_of_other_amounts_passes(bench: MakeBench) -> None:
    made = bench([team("a", 4), team("b")], [node("n", 4, mem=100, h200=1)])
    made.submit("b1", "b", 4)
    made.submit("a1", "a", 4)
    assert made.submit("b2", "b", 0, mem=50) == ["b2"]


def test_a_guarantee_that_no_node_could_hold_holds_up_nobody(bench: MakeBench) -> None:
    made = bench([team("a", 8), team("b")], [node("n", 4)])
    made.submit("a1", "a", 6)
    assert made.why("a1") == "no-node-that-large"
    assert made.submit("b1", "b", 2) == ["b1"]


def test_a_borrower_leaves_room_under_a_shared_limit_for_a_waiting_guarantee(bench: MakeBench) -> None:
    made = bench(
        [team("lab", limit=4), team("a", 3, parent="lab"), team("b", parent="lab")],
        [node("big", 4), node("small", 1)],
    )
    made.submit("b1", "b", 2)
    made.submit("a1", "a", 3)
    assert made.submit("b2", "b", 1) == []
    assert made.why("a1") == "waits-for-reclaim"
    assert made.why("b2") == "behind-guarantee"


def test_inside_guarantees_priority_decides_then_age(bench: MakeBench) -> None:
    made = bench([team("a", 4), team("b", 4)], [])
    made.submit("old", "a")
    made.submit("new", "b")
    made.submit("urgent", "b", priority=5)
    assert made.queue() == ["urgent", "old", "new"]


def test_among_borrowers_the_smaller_share_goes_first_whatever_the_age(bench: MakeBench) -> None:
    made = bench([team("a"), team("b")], [node("n", 4)])
    for id_, who in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a")):
        made.submit(id_, who)
    made.submit("a4", "a", priority=9)
    made.submit("b2", "b")
    assert made.queue() == ["b2", "a4"]


def test_a_weight_makes_a_share_smaller(bench: MakeBench) -> None:
    made = bench([team("heavy", weight=3), team("light")], [node("n", 3)])
    made.submit("h1", "heavy", 2)
    made.submit("l1", "light", 1)
    made.submit("l2", "light", 1)
    made.submit("h2", "heavy", 1)
    assert made.queue() == ["h2", "l2"]


def test_the_dominant_amount_counts_not_the_sum(bench: MakeBench) -> None:
    made = bench([team("gpus"), team("cores")], [node("n", 10, h200=2)])
    made.submit("g1", "gpus", 1, h200=1)
    made.submit("c1", "cores", 4)
    made.submit("g2", "gpus", 6)
    made.submit("c2", "cores", 6)
    assert made.queue() == ["c2", "g2"]


def test_siblings_are_compared_where_their_paths_part(bench: MakeBench) -> None:
    made = bench(
        [team("x"), team("y"), team("x1", parent="x"), team("x2", parent="x"), team("y1", parent="y")],
        [node("n", 6)],
    )
    made.submit("1", "x1", 3)
    made.submit("2", "y1", 2)
    made.submit("3", "x2", 1)
    made.submit("later-x2", "x2", 1)
    made.submit("later-y1", "y1", 1)
    # x2 alone holds less than y1, but its family holds more than y's.
    assert made.queue() == ["later-y1", "later-x2"]


def test_freed_room_is_shared_out_in_turn(bench: MakeBench) -> None:
    made = bench([team("hog"), team("a"), team("b")], [node("n", 4)])
    made.submit("hog", "hog", 4)
    for number in range(3):
        made.submit(f"a{number}", "a")
    for number in range(3):
        made.submit(f"b{number}", "b")
    assert made.gone("hog") == ["a0", "b0", "a1", "b1"]


def test_a_parents_guarantee_serves_its_family_before_strangers(bench: MakeBench) -> None:
    made = bench([team("org", 4), team("dept", parent="org"), team("stranger")], [node("n", 4)])
    made.submit("s1", "stranger", 2)
    made.submit("s2", "stranger", 2)
    made.submit("s3", "stranger", 1)
    made.submit("d", "dept", 4)
    assert made.queue() == ["d", "s3"]
    assert made.gone("s1") == []
    assert made.gone("s2") == ["d"]


def test_a_parents_own_request_does_not_stand_on_its_childrens_guarantees(bench: MakeBench) -> None:
    made = bench([team("org", 4), team("dept", 3, parent="org")], [])
    made.submit("own", "org", 2)
    made.submit("child", "dept", 3)
    assert made.queue() == ["child", "own"]


def test_a_smaller_request_backfills_past_one_that_does_not_fit(two: Bench) -> None:
    two.submit("v1", "vision", 1)
    two.submit("s1", "speech", 2)
    assert two.submit("v2", "vision", 3) == []
    assert two.submit("v3", "vision", 1) == ["v3"]


def test_a_borrower_backfills_past_a_borrower(bench: MakeBench) -> None:
    made = bench([team("a"), team("b")], [node("n", 4)])
    made.submit("a1", "a", 3)
    made.submit("b1", "b", 4)
    assert made.submit("a2", "a", 1) == ["a2"]


def test_a_grant_that_uses_up_a_guarantee_lets_those_behind_it_go(bench: MakeBench) -> None:
    made = bench([team("t", 4), team("b")], [node("m", 4), node("n", 4)])
    made.submit("b1", "b", 2)
    made.submit("b2", "b", 4)
    made.submit("t1", "t", 4)
    assert made.submit("b3", "b", 1) == []
    assert made.why("b3") == "behind-guarantee"
    # With t2 granted, t1 no longer stands inside the guarantee and holds up nobody.
    assert made.submit("t2", "t", 1) == ["t2", "b3"]


def test_a_guarantee_that_waits_lays_one_node_aside_and_leaves_the_others_in_use(bench: MakeBench) -> None:
    made = bench([team("t", 4), team("b")], [node("m", 4), node("n", 4)])
    made.submit("b1", "b", 2)
    made.submit("b2", "b", 3)
    made.submit("t1", "t", 4)  # m has 2 free and n 1: m is laid aside
    assert made.submit("b3", "b", 1) == ["b3"]
    assert made.live("b3").placements[0].node == "n"
    assert made.submit("b4", "b", 1) == []
    assert made.gone("b3") == ["b4"]
    assert made.gone("b1") == ["t1"]


def test_a_guarantee_that_lost_its_last_nodes_holds_up_nobody(bench: MakeBench) -> None:
    made = bench([team("t", 4), team("b")], [node("m", 2), node("n", 2)])
    made.submit("b1", "b", 2)
    made.submit("t1", "t", 2, replicas=2)
    assert made.submit("b2", "b", 1) == []
    gone = made.live("b1").placements[0].node
    assert granted(made.handle(NodeRemoved(made.tick(), gone))) == ["b2"]


# ---- limits and caps ------------------------------------------------------------------------------


def test_nobody_passes_a_limit_of_a_team_above(bench: MakeBench) -> None:
    made = bench([team("lab", limit=3), team("a", parent="lab"), team("b", parent="lab")], [node("n", 9)])
    made.submit("a1", "a", 2)
    assert made.submit("b1", "b", 2) == []
    assert made.why("b1") == "parent-limit"
    assert made.submit("b2", "b", 1) == ["b2"]


def test_a_team_waits_at_its_own_limit(bench: MakeBench) -> None:
    made = bench([team("a", limit=2)], [node("n", 9)])
    made.submit("a1", "a", 2)
    assert made.submit("a2", "a", 1) == []
    assert made.why("a2") == "team-limit"


def test_a_borrow_cap_binds_above_the_guarantee_only(bench: MakeBench) -> None:
    made = bench([team("a", 2, borrow=1)], [node("n", 9)])
    assert made.submit("a1", "a", 3) == ["a1"]
    assert made.submit("a2", "a", 1) == []
    assert made.why("a2") == "borrow-cap"


def test_a_lend_cap_keeps_the_rest_of_an_idle_guarantee(bench: MakeBench) -> None:
    made = bench([team("lender", 3, lend=1), team("b")], [node("n", 4)])
    assert made.submit("b1", "b", 2) == ["b1"]
    assert made.submit("b2", "b", 1) == []
    assert made.why("b2") == "lend-cap"
    assert made.submit("l1", "lender", 2) == ["l1"]


def test_a_lender_that_uses_its_guarantee_keeps_nothing_more(bench: MakeBench) -> None:
    made = bench([team("lender", 3, lend=0), team("b")], [node("n", 6)])
    made.submit("l1", "lender", 3)
    assert made.submit("b1", "b", 3) == ["b1"]


def test_a_lend_cap_holds_under_a_shared_limit(bench: MakeBench) -> None:
    made = bench(
        [team("lab", 3, limit=4), team("l", 3, parent="lab", lend=0), team("b", parent="lab")],
        [node("n", 9)],
    )
    assert made.submit("b1", "b", 2) == []
    assert made.why("b1") == "lend-cap"
    assert made.submit("b2", "b", 1) == ["b2"]


def test_a_limit_lowered_under_use_is_accepted_and_grants_nothing_more(bench: MakeBench) -> None:
    made = bench([team("a")], [node("n", 9)])
    made.submit("a1", "a", 4)
    assert made.teams(team("a", limit=2)) == []
    assert made.submit("a2", "a", 1) == []
    assert made.gone("a1") == ["a2"]


def test_a_raised_limit_starts_what_waited_for_it(bench: MakeBench) -> None:
    made = bench([team("a", limit=2)], [node("n", 9)])
    made.submit("a1", "a", 2)
    made.submit("a2", "a", 2)
    assert made.teams(team("a", limit=4)) == ["a2"]


def test_a_team_in_use_cannot_be_edited_away(bench: MakeBench) -> None:
    made = bench([team("a"), team("b")], [node("n", 1)])
    made.submit("a1", "a")
    with pytest.raises(TreeError, match="end the team's requests first"):
        made.machine.handle(TeamsReplaced(9.0, (team("b"),)))
    assert "a" in made.machine.tree
    made.gone("a1")
    assert made.teams(team("b")) == []


# ---- refusals -------------------------------------------------------------------------------------


def test_more_than_a_limit_is_refused_with_what_is_possible(bench: MakeBench) -> None:
    made = bench([team("lab", limit=4), team("a", parent="lab")], [node("n", 9)])
    with pytest.raises(OverLimit, match="6 CPU asked for by team a; team lab may hold 4 CPU at most"):
        made.submit("a1", "a", 3, replicas=2)
    assert made.machine.requests == {}


def test_more_than_guarantee_and_borrow_cap_is_refused(bench: MakeBench) -> None:
    made = bench([team("a", 2, borrow=1)], [node("n", 9)])
    with pytest.raises(RefusedRequest, match="ask for 3 CPU or less"):
        made.submit("a1", "a", 4)


@pytest.mark.parametrize(("cpu", "replicas"), [(0, 1), (1, 0), (1, -1), (-1, 1)])
def test_amounts_that_make_no_sense_are_refused(two: Bench, cpu: int, replicas: int) -> None:
    with pytest.raises(RefusedRequest):
        two.submit("x", "vision", cpu, replicas=replicas)


def test_an_unknown_team_is_refused(two: Bench) -> None:
    with pytest.raises(UnknownTeam):
        two.submit("x", "nobody")


def test_submitting_a_known_id_again_changes_nothing(two: Bench) -> None:
    two.submit("v", "vision")
    assert two.machine.handle(RequestSubmitted(9.0, request("v", "speech", 4))) == []
    assert two.machine.requests[RequestId("v")].team == "vision"


def test_could_start_says_what_a_submission_would_become(two: Bench) -> None:
    assert two.machine.could_start(TeamId("speech"), res(4), 1)
    two.submit("s1", "speech", 3)
    two.submit("v", "vision", 2)
    assert not two.machine.could_start(TeamId("speech"), res(1), 1)
    assert two.machine.could_start(TeamId("vision"), res(1), 1)
    assert not two.machine.could_start(TeamId("nobody"), res(1), 1)
