"""`/metrics`: what it says of a service at work, and to whom."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from jupyterhub_mesos.backends.faulty import MemoryBackend
from jupyterhub_mesos.errors import LedgerError, NotFound
from jupyterhub_mesos.service.app import Parts, serving
from jupyterhub_mesos.service.controller import ControllerSettings
from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos.service.metrics.definitions import METRICS
from jupyterhub_mesos.service.rows import TeamsRecord
from jupyterhub_mesos.service.watching_traits import Watching
from jupyterhub_mesos.wire import TeamsModel
from jupyterhub_mesos_quota.errors import QuotaError
from jupyterhub_mesos_quota.events import EndRequested, TeamsReplaced
from jupyterhub_mesos_quota.model import Node, RequestId
from small_hub import ACCESS, Person, SmallHub
from web_cases import NoLake, Web, job, settings_for


class Shown:
    """What `/metrics` said once."""

    def __init__(self, text: str) -> None:
        self.samples = [
            (sample.name, sample.labels, sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]

    def value(self, name: str, **labels: str) -> float:
        """The one value of a series; 0 where it was never counted."""
        found = [
            value for each, of, value in self.samples if each == f"jupyterhub_mesos_{name}" and of == labels
        ]
        assert len(found) <= 1
        return found[0] if found else 0.0


async def metrics(web: Web, who: str | None = "admin") -> Shown:
    answer = await web.ask("GET", "metrics", who)
    assert answer.code == 200, answer.body
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return Shown(answer.body.decode())


async def granted(web: Web, name: str, **more: Any) -> str:
    view = await web.api("POST", "requests", "member", job(name, **more))
    request_id = RequestId(view["id"])
    await web.service.ledger.until(lambda: web.service.ledger.allocation_of(request_id))
    return str(view["id"])


async def test_capacity_and_use_of_teams_are_what_the_core_says(web: Web) -> None:
    await granted(web, "digits", resources={"cpu_millis": 5000, "mem_mib": 64})
    shown = await metrics(web)
    machine = web.service.ledger.machine
    (node,) = machine.nodes.values()
    for amount, held in node.capacity.amounts():
        free = machine.free(node.id).get(amount)
        assert shown.value("capacity_offered_amount", amount=amount) == held
        assert shown.value("capacity_free_amount", amount=amount) == free
        assert shown.value("capacity_used_amount", amount=amount) == held - free
    assert shown.value("capacity_used_amount", amount="cpu_millis") == 5000
    assert shown.value("team_used_amount", team="vision", amount="cpu_millis") == 5000
    assert shown.value("team_used_amount", team="lab", amount="cpu_millis") == 5000
    assert shown.value("team_guaranteed_amount", team="vision", amount="cpu_millis") == 4000
    assert shown.value("team_borrowed_amount", team="vision", amount="cpu_millis") == 1000
    assert shown.value("nodes_known_count", schedulable="yes") == 1


async def test_who_waits_counts_for_the_team_and_those_above(web: Web) -> None:
    await granted(web, "first", resources={"cpu_millis": 5000, "mem_mib": 64})
    await web.api("POST", "requests", "member", job("second", resources={"cpu_millis": 2000}))
    shown = await metrics(web)
    assert shown.value("queue_waiting_requests") == 1
    assert shown.value("team_waiting_requests", team="vision") == 1
    assert shown.value("team_waiting_requests", team="lab") == 1
    assert shown.value("team_waiting_requests", team="speech") == 0


async def test_grants_waits_stops_and_refusals_are_counted(web: Web) -> None:
    request_id = await granted(web, "digits")
    await web.ask("DELETE", f"api/v1/requests/{request_id}")
    ledger = web.service.ledger
    with pytest.raises((QuotaError, NotFound)):
        await ledger.apply(Change(EndRequested(ledger.clock(), RequestId("none-such"))))
    shown = await metrics(web)
    assert shown.value("allocations_granted_total", kind="training") == 1
    assert shown.value("requests_waited_seconds_count", kind="training") == 1
    assert shown.value("allocations_stopped_total", reason="ended") == 1
    refused = {of["code"] for name, of, value in shown.samples if name.endswith("changes_refused_total")}
    assert len(refused) == 1


async def test_commits_are_timed_and_those_that_fail_are_counted(web: Web) -> None:
    before = await metrics(web)
    ledger = web.service.ledger
    again = Change(TeamsReplaced(1.0, ()), (TeamsRecord(TeamsModel(teams={})),))
    await ledger.read(lambda store: store.close())
    with pytest.raises(LedgerError):
        await ledger.apply(again)
    await ledger.read(lambda store: store.open())
    await ledger.apply(again)
    shown = await metrics(web)
    assert shown.value("ledger_failed_total") >= 1
    for name in (
        "ledger_committed_seconds_count",
        "ledger_batched_calls_count",
        "ledger_decided_seconds_count",
    ):
        assert shown.value(name) > before.value(name)


async def test_answers_are_counted_by_route_and_nothing_that_a_stranger_chooses(web: Web) -> None:
    await web.ask("GET", "health", None)
    await web.ask("GET", "api/v1/requests/none-such")
    await web.ask("GET", "none-such", None)
    await web.ask("GET", "nor-this", None)
    shown = await metrics(web)
    assert shown.value("http_answered_total", method="GET", route="health", status="200") == 1
    assert shown.value("http_answered_total", method="GET", route="api/v1/requests/ID", status="404") == 1
    assert shown.value("http_answered_total", method="GET", route="other", status="404") == 2


async def test_the_hub_s_answers_are_counted(web: Web) -> None:
    view = await web.api("POST", "requests", "member", {"payload": {"kind": "notebook", "profile": "small"}})
    await web.service.ledger.until(lambda: web.service.ledger.allocation_of(RequestId(view["id"])))
    shown = await metrics(web)
    assert shown.value("hub_called_total", call="list", outcome="ok") >= 1


async def test_every_metric_without_labels_is_there_from_the_start(web: Web) -> None:
    shown = {name for name, _, _ in (await metrics(web)).samples}
    for metric in METRICS:
        if not metric.labels:
            assert any(name.startswith(metric.name) for name in shown), metric.name


async def test_the_metrics_ask_for_the_hub_s_scope_or_an_admin(hub: SmallHub, web: Web) -> None:
    hub.tokens["prometheus"] = Person("prometheus", (), (ACCESS, "read:metrics"), "service")
    assert (await web.ask("GET", "metrics", "prometheus")).code == 200
    assert (await web.ask("GET", "metrics", "admin")).code == 200
    assert (await web.ask("GET", "metrics", "member")).code == 403
    assert (await web.ask("GET", "metrics", None)).code == 401


async def test_the_metrics_are_open_where_the_operator_says_so(hub: SmallHub, tmp_path: Path) -> None:
    settings = replace(settings_for(hub, tmp_path), watching=Watching(open_metrics=True))
    backend = MemoryBackend()
    async with serving(settings, Parts(backend, NoLake(), ControllerSettings())) as service:
        await metrics(Web(service, hub, backend), None)


async def test_pages_that_listen_are_counted_while_they_do(web: Web) -> None:
    listening = web.service.context.feed.join()
    assert (await metrics(web)).value("streams_open_count") == 1
    web.service.context.feed.leave(listening)
    assert (await metrics(web)).value("streams_open_count") == 0


async def test_a_hub_and_a_backend_that_do_not_answer_are_told(hub: SmallHub, tmp_path: Path) -> None:
    class FallsSilent(MemoryBackend):
        is_silent = False

        async def capacity(self) -> tuple[Node, ...]:
            if self.is_silent:
                await asyncio.get_running_loop().create_future()
            return tuple(await super().capacity())

    settings = replace(settings_for(hub, tmp_path), watching=Watching(open_metrics=True))
    quick = ControllerSettings(backoff_seconds=0.01, hub_seconds=0.01, capacity_seconds=0.01)
    backend = FallsSilent()
    async with serving(settings, Parts(backend, NoLake(), quick)) as service:
        web = Web(service, hub, backend)
        assert (await metrics(web, None)).value("hub_called_total", call="list", outcome="unavailable") == 0
        hub.is_broken = backend.is_silent = True
        async with asyncio.timeout(20):
            while True:
                shown = await metrics(web, None)
                away = shown.value("hub_called_total", call="list", outcome="unavailable")
                if away and shown.value("service_missing_parts"):
                    break
