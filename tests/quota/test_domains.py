"""Labels, zones and gangs: where what is asked for may stand, and where it does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyterhub_mesos_quota.errors import RefusedRequest
from jupyterhub_mesos_quota.events import GoneReason, NodeRemoved, RequestSubmitted, StopAllocation
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import Node, NodeId, RequestId, TeamId, WorkloadKind
from jupyterhub_mesos_quota.policy import Policy, Reclaim
from jupyterhub_mesos_quota.rules import PlacementRule, Zones
from quota_cases import Bench, MakeBench, granted, node, request, res, team

ONE = PlacementRule.of(zones=Zones.ONE)
SPREAD = PlacementRule.of(zones=Zones.SPREAD)
NEW = PlacementRule.of({"kind": "new"})


def places(made: Bench, id_: str = "r") -> list[str]:
    return [placement.node for placement in made.live(id_).placements]


def sentence(made: Bench, id_: str = "r") -> str:
    found = made.machine.explain(RequestId(id_))
    assert found.cure, "whoever waits is told what would change it"
    return f"{found.code}: {found.sentence}"


def in_zones(*cpus: tuple[str, int]) -> list[Node]:
    """A node per entry: its zone and its CPU."""
    return [node(f"{zone}{number}", cpu, zone=zone) for number, (zone, cpu) in enumerate(cpus)]


# ---- labels ---------------------------------------------------------------------------------------


def test_a_label_sends_a_request_to_a_node_that_has_it(bench: MakeBench) -> None:
    made = bench([team("t")], [node("tight", 2), node("new", 8, labels={"kind": "new", "cpu": "x"})])
    made.submit("r", "t", 2, rule=NEW)
    assert places(made) == ["new"]


def test_a_node_with_another_value_of_the_label_is_none(bench: MakeBench) -> None:
    made = bench([team("t")], [node("n", 8, labels={"kind": "old"})])
    assert made.submit("r", "t", rule=NEW) == []
    assert sentence(made) == (
        "no-node-with-labels: Nodes with kind=new asked for; there are none: nodes have kind=old."
    )
    assert made.see(node("m", 1, labels={"kind": "new"})) == ["r"]


def test_who_asks_for_a_label_waits_while_others_use_the_rest(bench: MakeBench) -> None:
    made = bench([team("t")], [node("new", 2, labels={"kind": "new"}), node("n", 8)])
    made.submit("a", "t", 2, rule=NEW)
    made.submit("r", "t", 2, rule=NEW)
    assert sentence(made) == ("no-room: 0 CPU are free, 2 CPU are asked for; team t holds 2 CPU.")
    assert made.submit("b", "t", 2) == ["b"]
    assert made.gone("a") == ["r"]


def test_a_gang_too_large_for_the_nodes_with_the_label_is_told_so(bench: MakeBench) -> None:
    made = bench([team("t")], [node("new", 2, labels={"kind": "new"}), node("n", 8)])
    made.submit("r", "t", 2, replicas=2, rule=NEW)
    assert sentence(made) == (
        "cluster-too-small: 2 x (2 CPU) on nodes with kind=new asked for; "
        "the nodes that take new work could hold 1 of 2, even if empty."
    )


def test_a_node_that_loses_its_label_takes_no_more_of_those_who_ask_for_it(bench: MakeBench) -> None:
    made = bench([team("t")], [node("n", 8, labels={"kind": "new"})])
    made.submit("a", "t", rule=NEW)
    made.see(node("n", 8))
    assert made.submit("r", "t", rule=NEW) == []
    assert made.see(node("n", 8, labels={"kind": "new"})) == ["r"]


def test_two_values_of_one_label_are_refused_and_nothing_is_left_behind(bench: MakeBench) -> None:
    made = bench([team("t")], [node("n", 8)])
    rule = PlacementRule((("kind", "new"), ("kind", "old")))
    with pytest.raises(RefusedRequest, match=r"kind = new and kind = old; .* name kind once"):
        made.submit("r", "t", rule=rule)
    assert made.queue() == []


# ---- one zone -------------------------------------------------------------------------------------


def test_one_zone_holds_all_replicas(bench: MakeBench) -> None:
    made = bench([team("t")], in_zones(("x", 3), ("y", 2), ("x", 2)))
    made.submit("r", "t", 2, replicas=2, rule=ONE)
    assert sorted(places(made)) == ["x0", "x2"]


def test_of_two_zones_the_one_with_the_tightest_fit_is_taken(bench: MakeBench) -> None:
    made = bench([team("t")], in_zones(("x", 8), ("y", 5)))
    made.submit("r", "t", 2, replicas=2, rule=ONE)
    assert places(made) == ["y1", "y1"]


def test_the_preferred_zone_is_taken_where_it_has_room_else_another(bench: MakeBench) -> None:
    made = bench([team("t")], in_zones(("x", 8), ("y", 4)))
    rule = PlacementRule.of(zones=Zones.ONE, prefer_zone="x")
    made.submit("r", "t", 2, replicas=2, rule=rule)
    made.submit("s", "t", 3, rule=PlacementRule.of(prefer_zone="x"))
    made.submit("u", "t", 3, rule=PlacementRule.of(prefer_zone="x"))
    assert (places(made), places(made, "s"), places(made, "u")) == (["x0", "x0"], ["x0"], ["y1"])


def test_room_in_sum_but_in_no_zone_waits_and_says_so(bench: MakeBench) -> None:
    made = bench([team("t")], in_zones(("x", 4), ("y", 4)))
    made.submit("a", "t", 2, rule=PlacementRule.of(prefer_zone="x"))
    made.submit("b", "t", 2, rule=PlacementRule.of(prefer_zone="y"))
    assert made.submit("r", "t", 2, replicas=2, rule=ONE) == []
    assert sentence(made) == (
        "no-zone-with-room: 2 x (2 CPU) in one zone asked for; "
        "there is room in sum, but none of zones x and y has all of it."
    )
    assert made.gone("b") == ["r"]


def test_no_zone_that_could_ever_hold_it_is_said_with_how_many_one_holds(bench: MakeBench) -> None:
    made = bench([team("t")], in_zones(("x", 2), ("y", 4)))
    made.submit("r", "t", 2, replicas=3, rule=ONE)
    assert sentence(made) == (
        "no-zone-that-large: 3 x (2 CPU) in one zone asked for; "
        "the largest of zones x and y could hold 2 of 3, even if empty."
    )


def test_nodes_without_a_zone_are_one_zone_together(bench: MakeBench) -> None:
    made = bench([team("t")], [node("m", 2), node("n", 2), node("x", 2, zone="x")])
    made.submit("r", "t", 2, replicas=2, rule=ONE)
    assert sorted(places(made)) == ["m", "n"]


# ---- spread ---------------------------------------------------------------------------------------


def zones_of(made: Bench, id_: str = "r") -> list[str]:
    return sorted(made.machine.nodes[NodeId(place)].zone for place in places(made, id_))


def test_a_spread_stands_in_all_zones_in_numbers_that_differ_by_one_at_most(bench: MakeBench) -> None:
    made = bench([team("t")], in_zones(("x", 16), ("y", 4), ("z", 4)))
    made.submit("r", "t", 1, replicas=8, rule=SPREAD)
    assert zones_of(made) == ["x"] * 2 + ["y"] * 3 + ["z"] * 3


def test_a_spread_of_few_takes_as_many_zones_as_it_has_replicas(bench: MakeBench) -> None:
    made = bench([team("t")], in_zones(("x", 4), ("y", 4), ("z", 4)))
    made.submit("r", "t", 1, replicas=2, rule=PlacementRule.of(zones=Zones.SPREAD, prefer_zone="z"))
    assert zones_of(made) == ["x", "z"]


def test_a_spread_waits_for_the_zone_without_room_rather_than_stand_unevenly(bench: MakeBench) -> None:
    made = bench([team("t")], in_zones(("x", 8), ("y", 2)))
    made.submit("a", "t", 2, rule=PlacementRule.of(prefer_zone="y"))
    assert made.submit("r", "t", 1, replicas=2, rule=SPREAD) == []
    assert sentence(made) == (
        "no-zone-with-room: 2 x (1 CPU) spread over the zones asked for; "
        "there is room in sum, but zone y has no room for its part."
    )
    assert made.gone("a") == ["r"]


def test_a_zone_that_could_never_hold_a_replica_does_not_count(bench: MakeBench) -> None:
    made = bench([team("t")], [*in_zones(("x", 8), ("y", 8)), node("z", 1, zone="z")])
    made.submit("r", "t", 2, replicas=2, rule=SPREAD)
    assert zones_of(made) == ["x", "y"]


def test_a_zone_that_goes_lets_a_spread_start_over_the_others(bench: MakeBench) -> None:
    made = bench([team("t")], in_zones(("x", 4), ("y", 4), ("z", 1)))
    made.submit("a", "t", 1, rule=PlacementRule.of(prefer_zone="z"))
    made.submit("r", "t", 1, replicas=4, rule=SPREAD)
    assert made.why("r") == "no-zone-with-room"
    assert granted(made.handle(NodeRemoved(made.tick(), NodeId("z2")))) == ["r"]
    assert zones_of(made) == ["x", "x", "y", "y"]


def test_a_spread_too_large_for_its_smallest_zone_is_told_how_many_go(bench: MakeBench) -> None:
    made = bench([team("t")], in_zones(("x", 8), ("y", 1)))
    made.submit("r", "t", 1, replicas=4, rule=SPREAD)
    assert sentence(made) == (
        "no-zone-that-large: 4 x (1 CPU) spread over the zones asked for; "
        "zones x and y could hold 3 in numbers that differ by one at most, even if empty."
    )


def test_one_replica_is_asked_no_question_of_zones(bench: MakeBench) -> None:
    made = bench([team("t")], in_zones(("x", 8), ("y", 1)))
    made.submit("r", "t", 1, rule=SPREAD)
    assert made.machine.requests[RequestId("r")].rule is None


def test_could_start_asks_for_the_rule_too(bench: MakeBench) -> None:
    made = bench([team("t")], in_zones(("x", 2), ("y", 2)))
    assert made.machine.could_start(TeamId("t"), res(1), 3)
    assert not made.machine.could_start(TeamId("t"), res(1), 3, ONE)
    assert made.machine.could_start(TeamId("t"), res(1), 3, SPREAD)


# ---- what is laid aside, and what is taken back ---------------------------------------------------


def test_room_is_laid_aside_on_nodes_with_the_label_alone(bench: MakeBench) -> None:
    """Team a waits for the new node; b may go on using the others, and may not take what frees there."""
    made = bench([team("a", 4), team("b")], [node("new", 4, labels={"kind": "new"}), node("n", 8)])
    made.submit("b1", "b", 2, rule=NEW)
    made.submit("b2", "b", 2, rule=NEW)
    made.submit("r", "a", 4, rule=NEW)
    assert made.submit("b3", "b", 8) == ["b3"]
    made.submit("b4", "b", 1)
    assert made.gone("b1") == []
    assert made.why("b4") == "behind-guarantee"
    assert made.gone("b2") == ["r"]


def test_room_is_laid_aside_in_one_zone_for_who_asks_for_one(bench: MakeBench) -> None:
    made = bench([team("a", 4), team("b")], in_zones(("x", 4), ("y", 4)))
    made.submit("b1", "b", 4)
    made.submit("b2", "b", 2)
    made.submit("b3", "b", 2)
    made.submit("r", "a", 2, replicas=2, rule=ONE)
    made.submit("b5", "b", 1)
    assert made.gone("b2") == []
    assert made.gone("b3") == ["r"]


def taking_back(*nodes: Node) -> Bench:
    teams = [team("a", 4), team("b")]
    return Bench(QuotaMachine(teams, nodes, Policy(reclaim=Reclaim(0.0, 0.0))))


def run(made: Bench, id_: str, cpu: int, rule: PlacementRule | None = None) -> None:
    asked = replace(request(id_, "b", cpu, rule=rule), kind=WorkloadKind.TRAINING)
    made.handle(RequestSubmitted(made.tick(), asked))
    made.run(id_)


def stopped(made: Bench, replicas: int, cpu: int, rule: PlacementRule) -> list[str]:
    asked = request("r", "a", cpu, replicas=replicas, rule=rule)
    actions = made.handle(RequestSubmitted(made.tick(), asked))
    return [action.allocation_id[:-2] for action in actions if isinstance(action, StopAllocation)]


def test_only_nodes_with_the_label_are_cleared(bench: MakeBench) -> None:
    made = taking_back(node("new", 4, labels={"kind": "new"}), node("n", 4))
    run(made, "old", 4, NEW)
    run(made, "young", 4)
    assert stopped(made, 1, 4, NEW) == ["old"]
    assert made.gone("old", GoneReason.STOPPED) == ["r"]


def test_one_zone_is_cleared_where_the_least_is_lost(bench: MakeBench) -> None:
    """In x two would have to end, in y one; the youngest of all runs in x."""
    made = taking_back(*in_zones(("x", 2), ("x", 2), ("y", 2), ("y", 2)))
    run(made, "y", 2, PlacementRule.of(prefer_zone="y"))
    run(made, "x1", 2, PlacementRule.of(prefer_zone="x"))
    run(made, "x2", 2, PlacementRule.of(prefer_zone="x"))
    assert stopped(made, 2, 2, ONE) == ["y"]
    assert made.gone("y", GoneReason.STOPPED) == ["r"]
    assert zones_of(made) == ["y", "y"]


def test_a_spread_clears_its_part_in_each_zone(bench: MakeBench) -> None:
    made = taking_back(*in_zones(("x", 4), ("y", 4)))
    run(made, "x1", 2, PlacementRule.of(prefer_zone="x"))
    run(made, "x2", 2, PlacementRule.of(prefer_zone="x"))
    assert stopped(made, 2, 2, SPREAD) == ["x2"]
    assert made.gone("x2", GoneReason.STOPPED)[0] == "r"
    assert zones_of(made) == ["x", "y"]


def test_nothing_is_taken_where_no_zone_could_be_cleared_whole(bench: MakeBench) -> None:
    made = taking_back(*in_zones(("x", 4), ("y", 4)))
    mine = PlacementRule.of(prefer_zone="x")
    made.submit("a1", "a", 2, rule=mine)
    run(made, "x", 2, mine)
    run(made, "y", 2, PlacementRule.of(prefer_zone="y"))
    made.teams(team("a", 4), team("b", 4))
    assert stopped(made, 2, 1, PlacementRule.of({"kind": "new"}, Zones.ONE)) == []


# ---- gangs ----------------------------------------------------------------------------------------


def gpus(name: str, count: int, used: int = 0) -> Node:
    return node(name, 64, h200=count - used)


def test_a_gang_goes_to_a_whole_node_rather_than_over_fragments(bench: MakeBench) -> None:
    made = bench([team("t")], [gpus("broken1", 8, 6), gpus("broken2", 8, 5), gpus("whole", 8)])
    made.submit("r", "t", 1, replicas=8, h200=1)
    assert set(places(made)) == {"whole"}


def test_one_accelerator_goes_to_a_node_that_is_broken_already(bench: MakeBench) -> None:
    made = bench([team("t")], [gpus("broken", 8, 5), gpus("whole", 8)])
    made.submit("r", "t", 1, h200=1)
    assert places(made) == ["broken"]


def test_a_gang_takes_few_nodes_and_for_its_rest_the_tightest(bench: MakeBench) -> None:
    made = bench([team("t")], [gpus("two", 8, 6), gpus("three", 8, 5), gpus("a", 8), gpus("b", 8)])
    made.submit("r", "t", 1, replicas=10, h200=1)
    assert places(made) == ["a"] * 8 + ["two"] * 2


def test_a_small_gang_takes_the_tightest_node_that_holds_all_of_it(bench: MakeBench) -> None:
    made = bench([team("t")], [gpus("whole", 8), gpus("one", 8, 7), gpus("three", 8, 5)])
    made.submit("r", "t", 1, replicas=2, h200=1)
    assert set(places(made)) == {"three"}


def test_a_gang_without_accelerators_leaves_nodes_that_have_them_alone(bench: MakeBench) -> None:
    made = bench([team("t")], [gpus("gpu", 8), node("m", 2), node("n", 2)])
    made.submit("r", "t", 2, replicas=2)
    assert sorted(places(made)) == ["m", "n"]
