"""More than can ever be had: refused at the submission by a limit, answered at once by the capacity.

Each answer says what was asked, what is possible and what to do.
"""

from __future__ import annotations

from typing import Any

import pytest

from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos_quota.events import NodeSeen
from jupyterhub_mesos_quota.model import Device, DeviceId, Node, NodeId
from jupyterhub_mesos_quota.resources import Flavor, Resources
from web_cases import Web, job

H200 = Flavor("h200")
TREE: dict[str, Any] = {
    "teams": {
        "lab": {"limit": {"cpu_millis": 5000, "accelerators": {"h200": 3}}},
        "vision": {"parent": "lab", "limit": {"accelerators": {"h200": 2}}, "groups": ["vision"]},
        "speech": {"groups": ["speech"]},
    }
}


@pytest.fixture
async def cluster(web: Web) -> Web:
    """Two nodes of 4 GPUs and 4 CPUs each, beside the backend's own."""
    await web.api("PUT", "teams", "admin", TREE)
    ledger, world = web.service.ledger, web.backend.world
    added = tuple(map(node, ("one", "two")))
    world.nodes = (*world.nodes, *added)
    await ledger.apply(*(Change(NodeSeen(ledger.clock(), one)) for one in added))
    return web


def node(name: str) -> Node:
    devices = tuple(Device(DeviceId(f"{name}-{index}"), H200) for index in range(4))
    return Node(NodeId(name), Resources.of(cpu_millis=4000, mem_mib=8192, accelerators={H200: 4}), devices)


@pytest.mark.parametrize(
    ("replicas", "resources", "words"),
    [
        (
            6,
            {"cpu_millis": 1000},
            "6 CPU asked for by team vision; team lab may hold 5 CPU at most",
        ),
        (
            3,
            {"accelerators": {"h200": 1}},
            "3 h200 asked for by team vision; team vision may hold 2 h200",
        ),
        (
            1,
            {"accelerators": {"h200": 3}},
            "3 h200 asked for by team vision; team vision may hold 2 h200",
        ),
    ],
)
async def test_more_than_a_team_or_one_above_it_may_ever_hold_is_refused(
    cluster: Web, replicas: int, resources: dict[str, Any], words: str
) -> None:
    status, code, detail = await cluster.problem(
        "POST", "requests", "member", job(replicas=replicas, resources=resources)
    )
    assert (status, code) == (422, "over-limit")
    assert words in detail
    assert "or ask an admin to raise the limit of" in detail
    assert (await cluster.api("GET", "requests"))["items"] == []


@pytest.mark.parametrize(
    ("replicas", "resources", "code", "words", "cure"),
    [
        (
            9,
            {"accelerators": {"h200": 1}},
            "cluster-too-small",
            "9 x (0.1 CPU, 64 MiB, 1 h200) asked for; the nodes that take new work could hold 8 of 9",
            "ask for 8 at most",
        ),
        (
            1,
            {"accelerators": {"h200": 5}},
            "no-node-that-large",
            "no node could ever hold one replica of that: the nearest, two, has 4 CPU, 8 GiB, 4 h200",
            "ask for less per replica",
        ),
        (
            2,
            {"accelerators": {"h100": 1}},
            "no-node-that-large",
            "0.1 CPU, 64 MiB, 1 h100) asked for; no node could ever hold one replica of that",
            "ask for less per replica",
        ),
    ],
)
async def test_more_than_the_cluster_has_is_answered_at_once_with_what_it_has(
    cluster: Web, replicas: int, resources: dict[str, Any], code: str, words: str, cure: str
) -> None:
    asked = job(replicas=replicas, resources=resources)
    said = (await cluster.api("POST", "requests", "speaker", asked))["explanation"]
    assert said["code"] == code
    assert words in said["sentence"]
    assert cure in said["cure"]
