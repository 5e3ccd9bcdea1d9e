from __future__ import annotations

from jupyterhub_mesos_quota.events import NodeRemoved
from jupyterhub_mesos_quota.model import Node, NodeId
from quota_cases import Bench, MakeBench, node, res, team


def places(made: Bench) -> list[str]:
    return [placement.node for placement in made.live("r").placements]


def test_a_gang_is_placed_over_several_nodes_or_not_at_all(bench: MakeBench) -> None:
    made = bench([team("t")], [node("a", 3), node("b", 2)])
    assert made.submit("r", "t", 2, replicas=3) == []
    assert made.machine.free(NodeId("a")) == res(3)
    assert made.see(node("c", 2)) == ["r"]
    assert sorted(places(made)) == ["a", "b", "c"]


def test_a_gang_waits_where_the_sum_would_do_and_a_replica_has_no_node(bench: MakeBench) -> None:
    made = bench([team("t")], [node("a", 3), node("b", 3)])
    assert made.submit("r", "t", 2, replicas=3) == []


def test_the_tightest_node_that_fits_is_taken(bench: MakeBench) -> None:
    made = bench([team("t")], [node("loose", 8), node("tight", 3), node("small", 1)])
    made.submit("r", "t", 2)
    assert places(made) == ["tight"]


def test_who_asks_for_no_accelerator_leaves_nodes_with_accelerators_whole(bench: MakeBench) -> None:
    made = bench([team("t")], [node("gpu", 2, h200=1), node("plain", 64)])
    made.submit("r", "t", 2)
    assert places(made) == ["plain"]


def test_each_replica_gets_devices_of_its_own(bench: MakeBench) -> None:
    made = bench([team("t")], [node("n", 8, h200=4)])
    made.submit("one", "t", 1, h200=1)
    made.submit("r", "t", 1, replicas=3, h200=1)
    held = [placement.devices for id_ in ("one", "r") for placement in made.live(id_).placements]
    assert held == [("n-h200-0",), ("n-h200-1",), ("n-h200-2",), ("n-h200-3",)]


def test_a_freed_device_is_given_again(bench: MakeBench) -> None:
    made = bench([team("t")], [node("n", 8, h200=1)])
    made.submit("one", "t", 1, h200=1)
    made.submit("two", "t", 1, h200=1)
    assert made.gone("one") == ["two"]
    assert made.live("two").placements[0].devices == ("n-h200-0",)


def test_a_node_without_named_devices_counts_them(bench: MakeBench) -> None:
    made = bench([team("t")], [Node(NodeId("n"), res(8, h200=2))])
    assert made.submit("r", "t", 1, h200=2) == ["r"]
    assert made.live("r").placements[0].devices == ()
    assert made.submit("s", "t", 1, h200=1) == []


def test_a_closed_node_takes_nothing_new_and_keeps_what_it_has(bench: MakeBench) -> None:
    made = bench([team("t")], [node("n", 2)])
    made.submit("r", "t", 1)
    made.see(node("n", 2, open_=False))
    assert made.submit("s", "t", 1) == []
    assert made.why("s") == "cluster-too-small"
    assert made.see(node("n", 2)) == ["s"]


def test_a_shrunken_node_owes_and_takes_nothing(bench: MakeBench) -> None:
    made = bench([team("t")], [node("n", 4), node("m", 1)])
    made.submit("r", "t", 4)
    made.see(node("n", 1))
    assert made.machine.free(NodeId("n")) == res(-3)
    assert made.submit("s", "t", 1) == ["s"]
    assert made.live("s").placements[0].node == "m"


def test_a_removed_node_still_holds_what_stood_on_it_when_it_comes_back(bench: MakeBench) -> None:
    made = bench([team("t")], [node("n", 2)])
    made.submit("r", "t", 2)
    made.handle(NodeRemoved(made.tick(), NodeId("n")))
    made.submit("s", "t", 1)
    assert made.why("s") == "no-nodes"
    assert made.see(node("n", 2)) == []
    assert made.gone("r") == ["s"]
