"""Each code with its sentence; the sentences are what people read, so they are pinned."""

from __future__ import annotations

from jupyterhub_mesos_quota.model import RequestId
from quota_cases import Bench, MakeBench, node, team


def sentence(made: Bench, id_: str) -> str:
    found = made.machine.explain(RequestId(id_))
    assert found.cure, "whoever waits is told what would change it"
    return f"{found.code}: {found.sentence}"


def test_no_room_says_what_is_missing_and_who_borrows_it(bench: MakeBench) -> None:
    made = bench([team("vision", 2), team("speech", 1)], [node("n", 4)])
    made.submit("s", "speech", 2)
    made.submit("v", "vision", 3)
    assert sentence(made, "v") == ("no-room: 2 CPU are free, 3 CPU are asked for; team speech borrows 1 CPU.")


def test_no_room_says_who_holds_it_where_nobody_borrows(bench: MakeBench) -> None:
    made = bench([team("a", 3), team("b", 1)], [node("n", 4)])
    made.submit("a1", "a", 3)
    made.submit("b1", "b", 2)
    assert sentence(made, "b1") == "no-room: 1 CPU is free, 2 CPU are asked for; team a holds 3 CPU."


def test_no_node_that_large_names_the_nearest(bench: MakeBench) -> None:
    made = bench([team("a")], [node("n", 4), node("m", 6)])
    made.submit("r", "a", 8)
    assert sentence(made, "r") == (
        "no-node-that-large: 8 CPU asked for; no node could ever hold one replica of that: "
        "the nearest, m, has 6 CPU."
    )


def test_a_gang_larger_than_the_cluster_is_told_so(bench: MakeBench) -> None:
    made = bench([team("a")], [node("n", 4)])
    made.submit("r", "a", 2, replicas=3)
    assert sentence(made, "r") == (
        "cluster-too-small: 3 x (2 CPU) asked for; the nodes that take new work could hold 2 of 3, "
        "even if empty."
    )


def test_room_in_sum_on_no_node_is_fragmented(bench: MakeBench) -> None:
    made = bench([team("a")], [node("m", 3), node("n", 3)])
    made.submit("one", "a", 2)
    made.submit("two", "a", 2)
    made.submit("r", "a", 2)
    assert sentence(made, "r") == (
        "fragmented: 2 CPU asked for; enough is free in sum, but not on nodes that hold a whole replica."
    )


def test_nobody_is_told_to_wait_for_room_where_no_node_is(bench: MakeBench) -> None:
    made = bench([team("a")], [])
    made.submit("r", "a")
    assert sentence(made, "r") == "no-nodes: No node has been reported yet."


def test_a_lent_guarantee_names_the_borrowers(bench: MakeBench) -> None:
    made = bench([team("vision", 2), team("speech", 2)], [node("n", 4)])
    made.submit("s", "speech", 4)
    made.submit("v", "vision", 2)
    assert sentence(made, "v") == (
        "waits-for-reclaim: 2 CPU asked for, inside the guarantee of team vision, which is lent out: "
        "0 CPU are free; team speech borrows 2 CPU."
    )


def test_behind_a_guarantee_names_the_team_that_goes_first(bench: MakeBench) -> None:
    made = bench([team("vision", 2), team("speech", 2)], [node("n", 4)])
    made.submit("s", "speech", 3)
    made.submit("v", "vision", 2)
    made.submit("s2", "speech", 1)
    assert sentence(made, "s2") == (
        "behind-guarantee: 1 CPU asked for, above the guarantee of team speech, would fit; "
        "but team vision waits inside its guarantee for the same amounts and nodes: first served."
    )


def test_limits_and_caps_say_the_bound_and_what_is_left(bench: MakeBench) -> None:
    made = bench(
        [
            team("lab", limit=8),
            team("limited", parent="lab", limit=3),
            team("capped", 1, parent="lab", borrow=2),
            team("free", parent="lab"),
            team("lender", 4, lend=1),
        ],
        [node("n", 12)],
    )
    made.submit("l1", "limited", 2)
    made.submit("c1", "capped", 2)
    made.submit("l2", "limited", 2)
    made.submit("c2", "capped", 2)
    made.submit("f1", "free", 5)
    assert sentence(made, "l2") == (
        "team-limit: 2 CPU asked for; team limited may hold 3 CPU at most and has 1 CPU of it left."
    )
    assert sentence(made, "c2") == (
        "borrow-cap: 2 CPU asked for, above the guarantee; team capped may borrow 2 CPU at most "
        "and has 1 CPU of it left."
    )
    assert sentence(made, "f1") == (
        "parent-limit: 5 CPU asked for; the teams under lab may hold 8 CPU together "
        "and have 4 CPU of it left."
    )


def test_a_lend_cap_names_the_lender_and_what_may_still_be_lent(bench: MakeBench) -> None:
    made = bench([team("lender", 3, lend=1), team("b")], [node("n", 4)])
    made.submit("b1", "b", 1)
    made.submit("b2", "b", 2)
    assert sentence(made, "b2") == (
        "lend-cap: 2 CPU asked for, above the guarantee; 1 CPU may still be lent: "
        "team lender keeps the rest of its idle guarantee for itself."
    )


def test_a_position_counts_from_one_among_all_that_wait(bench: MakeBench) -> None:
    made = bench([team("a", 3)], [])
    made.submit("one", "a")
    made.submit("two", "a")
    found = made.machine.explain(RequestId("two"))
    assert (found.position, found.waiting) == (2, 2)


def test_what_does_not_wait_has_its_status_for_a_code(bench: MakeBench) -> None:
    made = bench([team("a", 3)], [node("n", 1)])
    made.submit("one", "a")
    found = made.machine.explain(RequestId("one"))
    assert (found.code, found.position) == ("active", None)
    made.gone("one")
    assert made.why("one") == "ended"
