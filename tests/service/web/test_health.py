"""`/health` says which part does not answer; a service that lost its ledger ends."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from jupyterhub_mesos.backends.faulty import MemoryBackend, WatchBreaks
from jupyterhub_mesos.errors import LedgerError, TakenOver
from jupyterhub_mesos.service.app import Parts, run, serving
from jupyterhub_mesos.service.controller import ControllerSettings
from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos.service.rows import TeamsRecord
from jupyterhub_mesos.service.store import Store, store_url
from jupyterhub_mesos.service.vitals import Vitals
from jupyterhub_mesos.wire import TeamsModel
from jupyterhub_mesos_quota.events import TeamsReplaced
from jupyterhub_mesos_quota.model import Node
from jupyterhub_mesos_quota.resources import Resources
from service_rig import Clock
from small_hub import SmallHub
from web_cases import NoLake, Web, settings_for

DEADLINE_SECONDS = 20.0
QUICK = ControllerSettings(backoff_seconds=0.01, hub_seconds=0.01, capacity_seconds=0.01)


async def health(web: Web) -> dict[str, Any]:
    response = await web.ask("GET", "health", None)
    assert response.code == 200  # degraded is not down
    return dict(json.loads(response.body))


async def until_it_says(web: Web, status: str, words: str) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (said := await health(web))["status"] != status or words not in said["message"]:
            pass


async def test_a_hub_that_is_away_degrades_until_it_answers(hub: SmallHub, tmp_path: Path) -> None:
    backend = MemoryBackend()
    async with serving(settings_for(hub, tmp_path), Parts(backend, NoLake(), QUICK)) as service:
        web = Web(service, hub, backend)
        hub.is_broken = True
        await until_it_says(web, "degraded", "the hub does not answer")
        hub.is_broken = False
        await until_it_says(web, "ok", "")


async def test_a_watch_that_breaks_off_degrades(hub: SmallHub, tmp_path: Path) -> None:
    backend = WatchBreaks()
    async with serving(
        settings_for(hub, tmp_path), Parts(backend, NoLake(), ControllerSettings())
    ) as service:
        web = Web(service, hub, backend)
        await web.api("POST", "requests", "member", TRAINING)
        await until_it_says(web, "degraded", "the watch of the backend broke off")


async def test_a_backend_that_is_silent_for_long_degrades(hub: SmallHub, tmp_path: Path) -> None:
    class FallsSilent(MemoryBackend):
        is_silent = False

        async def capacity(self) -> tuple[Node, ...]:
            if self.is_silent:
                await asyncio.get_running_loop().create_future()
            return (Node(self.world.nodes[0].id, Resources.of(8000, 16384)),)

    backend = FallsSilent()
    async with serving(settings_for(hub, tmp_path), Parts(backend, NoLake(), QUICK)) as service:
        web = Web(service, hub, backend)
        await until_it_says(web, "ok", "")  # three rounds of its look are 30 ms: a busy machine misses some
        backend.is_silent = True
        await until_it_says(web, "degraded", "the backend has not answered")
        answer = await web.ask("GET", "ready", None)
        assert answer.code == 503
        assert "the backend has not answered" in json.loads(answer.body)["detail"]


async def test_a_ledger_that_cannot_be_written_degrades_until_it_can(web: Web) -> None:
    ledger = web.service.ledger
    again = Change(TeamsReplaced(1.0, ()), (TeamsRecord(TeamsModel(teams={})),))
    await ledger.read(lambda store: store.close())
    with pytest.raises(LedgerError):
        await ledger.apply(again)
    said = await health(web)
    assert (said["status"], said["ledger"]) == ("degraded", "failed")
    assert "could not be written" in said["message"]
    await ledger.read(lambda store: store.open())
    await ledger.apply(again)
    assert (await health(web))["ledger"] == "ok"


async def test_a_service_whose_ledger_was_taken_over_ends_itself(hub: SmallHub, tmp_path: Path) -> None:
    settings = settings_for(hub, tmp_path)
    other = Store(store_url(settings.ledger_file))

    class OpensIt(MemoryBackend):
        """The other service opens the ledger once this one is at work."""

        async def watch(self):  # type: ignore[no-untyped-def]
            await asyncio.to_thread(other.open)
            async for status in super().watch():
                yield status

    async with asyncio.timeout(DEADLINE_SECONDS):
        with pytest.raises(TakenOver, match="run one of the two"):
            await run(settings, Parts(OpensIt(), NoLake(), QUICK))
    await asyncio.to_thread(other.close)


def test_a_watch_that_holds_again_is_told_of_for_a_while() -> None:
    clock = Clock()
    vitals = Vitals(clock, bound_seconds=30.0)
    with vitals.watch():
        assert list(vitals.complaints()) == []
    clock.now += 60
    assert list(vitals.complaints()) == ["the watch of the backend broke off"]  # and nobody watches
    with vitals.watch():
        assert list(vitals.complaints()) == []


TRAINING = {
    "payload": {
        "kind": "training",
        "job": {
            "name": "digits",
            "roles": [{"argv": ["python"], "resources": {"cpu_millis": 500, "mem_mib": 512}}],
            "restart": {"max_restarts": 0},
        },
    }
}
