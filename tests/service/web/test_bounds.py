"""How much one person may ask for, live and in a minute; and a queue that does not cost its square."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyterhub_mesos.backends.faulty import MemoryBackend
from jupyterhub_mesos.service.app import Parts, serving
from jupyterhub_mesos.service.controller import ControllerSettings
from small_hub import SmallHub
from web_cases import HUB_KEY, NoLake, Web, notebook, settings_for

EVERYTHING: dict[str, Any] = {"cpu_millis": 4000, "mem_mib": 4096}


def training(number: int = 1) -> dict[str, Any]:
    role = {"argv": ["python"], "resources": EVERYTHING}
    job = {"name": f"job{number}", "roles": [role], "restart": {"max_restarts": 0}}
    return {"payload": {"kind": "training", "job": job}}


@pytest.fixture
async def bounded(hub: SmallHub, tmp_path: Path) -> AsyncIterator[Web]:
    settings = replace(settings_for(hub, tmp_path), max_live_requests_per_user=3, writes_per_minute=6)
    backend = MemoryBackend()
    async with serving(settings, Parts(backend, NoLake(), ControllerSettings())) as service:
        yield Web(service, hub, backend)


async def test_a_user_has_only_so_many_live_requests(bounded: Web) -> None:
    requests = [(await bounded.api("POST", "requests", body=training(n)))["id"] for n in range(3)]
    status, code, detail = await bounded.problem("POST", "requests", body=training())
    assert (status, code) == (429, "too-many")
    assert detail.startswith("mia has 3 requests that wait or run; 3 are possible at once: end some of them")
    await bounded.api("POST", "requests", "colleague", training())
    await bounded.api("DELETE", f"requests/{requests[-1]}")
    await bounded.api("POST", "requests", body=training())


async def test_submissions_that_arrive_together_get_no_more_places(bounded: Web) -> None:
    answers = await asyncio.gather(
        *(bounded.ask("POST", "api/v1/requests", body=training(number)) for number in range(6))
    )
    assert sorted(answer.code for answer in answers) == [201, 201, 201, 429, 429, 429]


async def test_a_live_notebook_is_returned_and_takes_no_place(bounded: Web) -> None:
    for _ in range(2):
        await bounded.api("POST", "requests", body=training())
    first = await bounded.api("POST", "requests", body=notebook())
    assert (await bounded.api("POST", "requests", body=notebook()))["id"] == first["id"]


async def test_a_user_writes_only_so_often_and_leaves_no_audit_of_more(bounded: Web) -> None:
    foolish = notebook("no-such-profile")
    for _ in range(6):
        assert (await bounded.problem("POST", "requests", body=foolish))[0] == 400
    before = await bounded.service.ledger.read(lambda store: store.audit())
    response = await bounded.ask("POST", "api/v1/requests", body=training())
    assert (response.code, response.headers["Content-Type"]) == (429, "application/problem+json")
    assert 1 <= int(response.headers["Retry-After"]) <= 10
    assert await bounded.service.ledger.read(lambda store: store.audit()) == before
    assert (await bounded.ask("GET", "api/v1/requests")).code == 200  # who looks changes nothing
    await bounded.api("POST", "requests", "colleague", training())


async def test_the_hub_and_services_are_exempt(bounded: Web) -> None:
    for _ in range(8):
        assert (await bounded.problem("PUT", "teams", "operator", {"teams": 1}))[0] == 400
        stop = "hub/servers/mia/~/stop"
        response = await bounded.ask("POST", f"api/v1/{stop}", None, None, Authorization=f"Bearer {HUB_KEY}")
        assert response.code == 200


async def test_the_queue_gives_each_its_place(web: Web) -> None:
    for number in range(8):
        await web.api("POST", "requests", body=training(number))
    queue = await web.api("GET", "queue")
    places = [item["explanation"]["position"] for item in queue["items"]]
    assert places == list(range(1, queue["waiting"] + 1))
    assert len(places) >= 6


async def test_the_queue_searches_itself_for_nobody(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(8):
        await web.api("POST", "requests", body=training(number))

    class Unsearchable(list[Any]):
        def index(self, *_: Any) -> int:
            raise AssertionError("one search a row is the square of the queue")

    machine = web.service.ledger.machine
    order = Unsearchable(request.id for request in machine.queue())
    monkeypatch.setattr(machine, "_queue_order", lambda: order)
    assert len((await web.api("GET", "queue"))["items"]) >= 6
