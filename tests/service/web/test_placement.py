"""Labels and zones, from what is asked for over HTTP to the node where it runs, and back after a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jupyterhub_mesos.backends.faulty import MemoryBackend, MemoryWorld
from jupyterhub_mesos.service.app import Parts, serving
from jupyterhub_mesos.service.controller import ControllerSettings
from jupyterhub_mesos_quota.model import Node, NodeId
from jupyterhub_mesos_quota.resources import Resources
from small_hub import SmallHub
from web_cases import NoLake, Web, notebook, settings_for

ROOM = Resources.of(cpu_millis=2000, mem_mib=4096)
NODES = (
    Node(NodeId("a"), ROOM, zone="x"),
    Node(NodeId("b"), ROOM, zone="y", labels=(("generation", "new"),)),
    Node(NodeId("c"), ROOM, zone="y"),
)
NEWEST = """
profiles:
  newest:
    title: Newest
    resources: {cpu_millis: 500, mem_mib: 512}
    placement: {labels: {generation: new}}
"""


@asynccontextmanager
async def service(hub: SmallHub, folder: Path) -> AsyncIterator[Web]:
    backend = MemoryBackend(MemoryWorld(nodes=NODES))
    settings = settings_for(hub, folder)
    assert settings.profiles_file is not None
    settings.profiles_file.write_text(NEWEST)
    async with serving(settings, Parts(backend, NoLake(), ControllerSettings())) as running:
        yield Web(running, hub, backend)


@pytest.fixture
async def zoned(hub: SmallHub, tmp_path: Path) -> AsyncIterator[Web]:
    async with service(hub, tmp_path) as web:
        yield web


def training(
    placement: Mapping[str, Any] | None, replicas: int = 2, cpu_millis: int = 1000
) -> dict[str, Any]:
    role = {"argv": ["true"], "replicas": replicas, "resources": {"cpu_millis": 1000, "mem_mib": 256}}
    job = {"name": "digits", "roles": [role], "restart": {"max_restarts": 0}, "placement": placement}
    return {"payload": {"kind": "training", "job": job}}


def places(request: dict[str, Any]) -> list[str]:
    return sorted(placed["node"] for placed in request["allocation"]["placements"])


async def test_a_notebook_runs_on_a_node_with_the_labels_of_its_profile(zoned: Web) -> None:
    asked = await zoned.api("POST", "requests", body=notebook("newest"))
    assert places(asked) == ["b"]
    assert asked["placement"] == {"labels": {"generation": "new"}, "zones": "any", "prefer_zone": ""}


async def test_a_job_is_spread_over_the_zones_and_its_page_says_so(zoned: Web) -> None:
    asked = await zoned.api("POST", "requests", body=training({"zones": "spread"}))
    zones = {node.id: node.zone for node in NODES}
    assert sorted(zones[NodeId(place)] for place in places(asked)) == ["x", "y"]
    page = await zoned.ask("GET", f"requests/{asked['id']}")
    assert b"<dt>Where</dt><dd>spread over the zones</dd>" in page.body


async def test_a_job_of_one_zone_waits_where_no_zone_holds_it_and_is_told_so(zoned: Web) -> None:
    asked = await zoned.api("POST", "requests", body=training({"zones": "one"}, replicas=5))
    assert (asked["status"], asked["explanation"]["code"]) == ("queued", "no-zone-that-large")
    assert "the largest of zones x and y could hold 4 of 5" in asked["explanation"]["sentence"]


async def test_the_rule_of_what_waits_is_kept_over_a_restart(hub: SmallHub, tmp_path: Path) -> None:
    placement = {"labels": {"generation": "newest"}, "zones": "one", "prefer_zone": "y"}
    async with service(hub, tmp_path) as web:
        asked = await web.api("POST", "requests", body=training(placement))
        plain = await web.api("POST", "requests", body=training(None))
    async with service(hub, tmp_path) as web:
        found = await web.api("GET", f"requests/{asked['id']}")
        assert (found["placement"], found["explanation"]["code"]) == (placement, "no-node-with-labels")
        assert (await web.api("GET", f"requests/{plain['id']}"))["placement"] is None


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            {**notebook("newest"), "placement": {}},
            "placement: a notebook's nodes are its profile's choice",
        ),
        ({**training(None), "placement": {}}, "placement: a job says itself where it runs"),
        (training({"zones": "all"}), "job.placement.zones: Input should be"),
        (training({"labels": {"a b": "c"}}), "job.placement.labels.a b"),
        (
            {"payload": {"kind": "serving", "name": "m", "bundle": "/b"}, "placement": {"zones": "one"}},
            "placement.zones: 'one' asked for of one process, which stands in one zone",
        ),
    ],
)
async def test_a_placement_that_cannot_be_is_refused_and_nothing_waits(
    zoned: Web, body: dict[str, Any], told: str
) -> None:
    answer = await zoned.problem("POST", "requests", body=body)
    assert answer[0] == 400
    assert told in answer[2]
    assert (await zoned.api("GET", "queue"))["waiting"] == 0


async def test_zones_and_labels_of_nodes_are_told(zoned: Web) -> None:
    for path, items in (("capacity", "nodes"), ("nodes", "items")):
        nodes = {node["id"]: node for node in (await zoned.api("GET", path))[items]}
        assert (nodes["b"]["zone"], nodes["b"]["labels"]) == ("y", {"generation": "new"})
        assert (nodes["a"]["zone"], nodes["a"]["labels"]) == ("x", {})


async def test_a_profile_fits_only_where_a_node_with_its_labels_has_room(zoned: Web) -> None:
    (profile,) = (await zoned.api("GET", "profiles"))["profiles"]
    assert profile["fits_now"]
    await zoned.api("POST", "nodes/b/cordon", "admin", {"reason": "new disks"})
    (profile,) = (await zoned.api("GET", "profiles"))["profiles"]
    assert not profile["fits_now"]
