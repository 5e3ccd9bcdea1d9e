"""What admins do by hand, over HTTP: pause and resume, cordon and drain, extend."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest

from jupyterhub_mesos.backends.faulty import MEMORY_NODE
from jupyterhub_mesos.service.identity import Identity
from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos.service.lever_notes import LeverNotes, Pulled
from jupyterhub_mesos.service.rows import AuditRow
from jupyterhub_mesos.wire import RequestSubmission
from jupyterhub_mesos_quota.events import NodeSeen, RequestSubmitted
from jupyterhub_mesos_quota.model import AllocationState, NodeId, RequestId
from service.web.test_pages import Stream
from web_cases import Web, job, notebook

HOUR = 3600.0


def why(reason: str = "new disks", **more: Any) -> dict[str, Any]:
    return {"reason": reason, **more}


async def audited(web: Web, subject: str) -> list[AuditRow]:
    return list(await web.service.ledger.read(lambda store: store.audit(subject)))


async def running(web: Web, request_id: str) -> None:
    def look() -> bool | None:
        found = web.service.ledger.allocation_of(RequestId(request_id))
        return True if found is not None and found.state is AllocationState.RUNNING else None

    await web.service.ledger.until(look)


# ---- queues ---------------------------------------------------------------------------------------


async def test_a_paused_team_waits_with_the_reason_and_starts_when_it_is_resumed(web: Web) -> None:
    await web.api("POST", "queue/pause", "teamadmin", why(team="vision"))
    waiting = await web.api("POST", "requests", body=notebook())
    said = waiting["explanation"]
    assert (said["code"], said["sentence"]) == ("paused", "The queue of team vision is paused: new disks.")
    queue = await web.api("GET", "queue")
    assert [entry["explanation"]["code"] for entry in queue["items"]] == ["paused"]
    assert (await web.api("POST", "requests", "speaker", notebook()))["status"] == "active"
    await web.api("POST", "queue/resume", "teamadmin", why("done", team="vision"))
    assert (await web.api("GET", f"requests/{waiting['id']}"))["status"] == "active"


async def test_a_pause_of_everybody_reaches_everybody_and_one_above_those_under_it(web: Web) -> None:
    await web.api("POST", "queue/pause", "admin", why("a power cut"))
    sentence = (await web.api("POST", "requests", "speaker", notebook()))["explanation"]["sentence"]
    assert sentence == "The whole queue is paused: a power cut."
    await web.api("POST", "queue/pause", "labadmin", why("a move", team="lab"))
    await web.api("POST", "queue/resume", "admin", why())
    (waiting,) = (await web.api("GET", "queue", "speaker"))["items"]
    assert waiting["explanation"]["sentence"] == "The queue of team lab is paused: a move."


async def test_members_see_why_and_since_when_and_admins_see_who_too(web: Web) -> None:
    before = time.time()
    await web.api("POST", "queue/pause", "teamadmin", why(team="vision"))
    (member,) = (await web.api("GET", "queue/pauses"))["items"]
    assert (member["team"], member["reason"], member["by"]) == ("vision", "new disks", None)
    assert before <= member["since"] <= time.time()
    assert not member["may_resume"]
    (admin,) = (await web.api("GET", "queue/pauses", "labadmin"))["items"]
    assert (admin["by"], admin["may_resume"]) == ("tara", True)
    for who in ("speaker", "stranger"):
        assert (await web.api("GET", "queue/pauses", who))["items"] == []


async def test_what_an_admin_paused_an_admin_resumes(web: Web) -> None:
    await web.api("POST", "queue/pause", "admin", why(team="vision"))
    (seen,) = (await web.api("GET", "queue/pauses", "teamadmin"))["items"]
    assert (seen["is_by_admin"], seen["may_resume"]) == (True, False)
    status, code, detail = await web.problem("POST", "queue/resume", "teamadmin", why(team="vision"))
    assert (status, code) == (403, "not-allowed")
    assert "An admin paused the queue of team vision (new disks)" in detail
    assert (await web.api("POST", "queue/resume", "admin", why(team="vision")))["items"] == []


@pytest.mark.parametrize(
    ("path", "who", "body", "status", "words"),
    [
        ("queue/pause", "teamadmin", why(), 403, "An admin pauses and resumes the whole queue"),
        ("queue/pause", "teamadmin", why(team="lab"), 403, "an admin of team lab"),
        ("queue/pause", "teamadmin", why(team="speech"), 404, "There is no team 'speech'"),
        ("queue/pause", "admin", why(team="nobody-s"), 404, "There is no team 'nobody-s'"),
        ("queue/pause", "admin", why("  "), 400, "reason"),
        ("queue/pause", "admin", {"team": "vision"}, 400, "reason"),
        ("queue/resume", "admin", why(team="vision"), 409, "The queue of team vision is not paused."),
    ],
)
async def test_a_pause_that_cannot_be_is_refused_and_changes_nothing(
    web: Web, path: str, who: str, body: dict[str, Any], status: int, words: str
) -> None:
    found = await web.problem("POST", path, who, body)
    assert found[0] == status
    assert words in found[2]
    assert web.service.ledger.machine.paused == frozenset()


async def test_pausing_twice_says_who_was_first_and_resuming_too_low_says_what_is_paused(web: Web) -> None:
    await web.api("POST", "queue/pause", "admin", why())
    detail = (await web.problem("POST", "queue/pause", "admin", why("again")))[2]
    assert "The whole queue is paused already by ada, because: new disks" in detail
    detail = (await web.problem("POST", "queue/resume", "teamadmin", why(team="vision")))[2]
    assert detail == "The queue of team vision is not paused; the whole queue is: resume that."


async def test_the_audit_says_who_paused_what_and_why(web: Web) -> None:
    await web.api("POST", "queue/pause", "teamadmin", why(team="vision"))
    await web.api("POST", "queue/resume", "admin", why("done", team="vision"))
    rows = await audited(web, "queue/vision")
    assert [(row.who, row.what, row.why) for row in rows] == [
        ("ada", "queue resumed", "done"),
        ("tara", "queue paused", "new disks"),
    ]
    assert rows[1].data == {"team": "vision", "is_by_admin": False}


async def test_what_is_held_is_read_back_from_the_audit(web: Web) -> None:
    await web.api("POST", "queue/pause", "teamadmin", why(team="vision"))
    await web.api("POST", "nodes/memory/cordon", "admin", why("a fan", drains=True))
    await web.problem("POST", "queue/pause", "teamadmin", why("again", team="vision"))
    fresh = LeverNotes(web.service.ledger)
    await fresh.open()
    held = {name: fresh.of(name) for name in ("queue/vision", "node/memory", "queue")}
    assert {name: pulled and (pulled.who, pulled.why, pulled.lever) for name, pulled in held.items()} == {
        "queue/vision": ("tara", "new disks", "queue paused"),
        "node/memory": ("ada", "a fan", "node drained"),
        "queue": None,
    }
    assert isinstance(held["queue/vision"], Pulled)
    assert not held["queue/vision"].is_by_admin


async def test_open_pages_hear_of_pauses_that_concern_them_and_of_cordons(web: Web) -> None:
    stream = Stream()
    request = HTTPRequest(
        f"{web.service.url}api/v1/events",
        headers={"Authorization": "token speaker"},
        streaming_callback=stream.take,
        request_timeout=60,
    )
    reading = asyncio.ensure_future(AsyncHTTPClient().fetch(request))
    await stream.until("pauses", {"items": []})
    await web.api("POST", "queue/pause", "teamadmin", why(team="vision"))
    await web.api("POST", "nodes/memory/cordon", "admin", why())
    await web.api("POST", "queue/pause", "admin", why("a power cut"))
    async with asyncio.timeout(10):
        while "a power cut" not in stream.text or 'event: cordoned\ndata: ["memory"]' not in stream.text:
            stream.news.clear()
            await stream.news.wait()
    assert "vision" not in stream.text
    web.service.context.feed.close()
    async with asyncio.timeout(10):
        assert (await reading).code == 200


async def test_a_reason_is_text_on_every_page(web: Web) -> None:
    reason = "<img src=x onerror=alert(1)>"
    await web.api("POST", "queue/pause", "admin", why(reason))
    await web.api("POST", "nodes/memory/cordon", "admin", why(reason))
    for path in ("", "queue", "capacity", "teams", "reservations"):
        assert b"<img src=x" not in (await web.ask("GET", path)).body


async def test_a_page_has_the_levers_of_those_who_may(web: Web) -> None:
    shown = {who: (await web.ask("GET", "queue", who)).body for who in ("member", "teamadmin", "admin")}
    assert b'id="pause"' not in shown["member"]
    assert b'data-teams="[&#34;vision&#34;]"' in shown["teamadmin"]
    assert b'data-teams="[&#34;&#34;,&#34;lab&#34;,&#34;speech&#34;,&#34;vision&#34;]"' in shown["admin"]
    assert b'data-admin="no"' in (await web.ask("GET", "capacity", "teamadmin")).body
    assert b'data-admin="yes"' in (await web.ask("GET", "capacity", "admin")).body
    assert b"You are in no team yet" in (await web.ask("GET", "teams", "stranger")).body


# ---- nodes ----------------------------------------------------------------------------------------


async def add_node(web: Web, name: str, **more: Any) -> None:
    node = replace(MEMORY_NODE, id=NodeId(name), **more)
    web.backend.world.nodes = (*web.backend.world.nodes, node)
    await web.service.ledger.apply(Change(NodeSeen(time.time(), node)))


async def node_of(web: Web, who: str = "admin", name: str = "memory") -> dict[str, Any]:
    nodes = (await web.api("GET", "nodes", who))["items"]
    found: dict[str, Any] = next(node for node in nodes if node["id"] == name)
    return found


async def test_a_cordoned_node_keeps_what_runs_and_takes_nothing_new(web: Web) -> None:
    asked = await web.api("POST", "requests", body=job())
    await running(web, asked["id"])
    node = await web.api("POST", "nodes/memory/cordon", "admin", why())
    assert (node["standing"], node["reason"], node["by"], node["held"]) == ("cordoned", "new disks", "ada", 1)
    (held,) = node["holds"]
    assert (held["request_id"], held["user"], held["team"], held["name"]) == (
        asked["id"],
        "mia",
        "vision",
        "digits",
    )
    assert held["resources"]["cpu_millis"] == 100
    assert (await web.api("POST", "requests", "speaker", notebook()))["status"] == "queued"
    await web.api("POST", "nodes/memory/uncordon", "admin", why("done"))
    assert (await node_of(web))["standing"] == "open"
    assert [entry["id"] for entry in (await web.api("GET", "queue", "speaker"))["items"]] == []


async def test_a_drained_node_is_emptied_and_its_work_runs_elsewhere(web: Web) -> None:
    asked = await web.api("POST", "requests", body=job())
    await running(web, asked["id"])
    await add_node(web, "second")
    web.backend.stops_at_once = False
    node = await web.api("POST", "nodes/memory/cordon", "admin", why(drains=True))
    assert (node["standing"], node["held"], node["holds"][0]["state"]) == ("draining", 1, "stopping")
    for task in tuple(web.backend.launches):
        await web.service.ledger.until(lambda task=task: True if task in web.backend.stops else None)
        web.backend.finish(task, 143)

    def moved() -> str | None:
        found = web.service.ledger.allocation_of(RequestId(asked["id"]))
        return found.placements[0].node if found and found.placements[0].node == "second" else None

    await web.service.ledger.until(moved)
    emptied = await node_of(web)
    assert (emptied["standing"], emptied["held"]) == ("drained", 0)
    assert (await web.api("GET", f"requests/{asked['id']}"))["status"] == "active"
    rows = await audited(web, "node/memory")
    assert [(row.who, row.what, row.why) for row in rows] == [("ada", "node drained", "new disks")]


async def test_a_drained_node_stays_closed_when_its_backend_reports_it_again(web: Web) -> None:
    await web.api("POST", "nodes/memory/cordon", "admin", why(drains=True))
    larger = replace(MEMORY_NODE, capacity=MEMORY_NODE.capacity * 2)
    await web.service.ledger.apply(Change(NodeSeen(time.time(), larger)))
    node = await node_of(web)
    assert (node["standing"], node["capacity"]["cpu_millis"]) == ("drained", 16000)


async def test_a_cordoned_node_is_not_reported_again_and_again(web: Web) -> None:
    await web.api("POST", "nodes/memory/cordon", "admin", why())
    commits: list[object] = []
    web.service.ledger.subscribe(commits.append)
    await web.service.controller._report_nodes()
    assert commits == []


async def test_a_node_is_shown_with_its_zone_and_labels(web: Web) -> None:
    await add_node(web, "second", zone="east", labels=(("disk", "nvme"),))
    node = await node_of(web, "member", "second")
    assert (node["zone"], node["labels"]) == ("east", {"disk": "nvme"})


async def test_members_see_how_a_node_stands_and_not_who_holds_it(web: Web) -> None:
    asked = await web.api("POST", "requests", "speaker", job())
    await running(web, asked["id"])
    await web.api("POST", "nodes/memory/cordon", "admin", why())
    node = await node_of(web, "member")
    assert (node["standing"], node["reason"], node["held"]) == ("cordoned", "new disks", 1)
    assert (node["by"], node["holds"]) == (None, [])


@pytest.mark.parametrize(
    ("path", "who", "status", "words"),
    [
        ("nodes/memory/cordon", "labadmin", 403, "Only an admin cordons, drains and uncordons nodes"),
        (
            "nodes/none/cordon",
            "admin",
            404,
            "There is no node 'none'. The nodes are memory: name one of them.",
        ),
        ("nodes/none/uncordon", "admin", 404, "There is no node 'none'."),
        ("nodes/memory/uncordon", "admin", 409, "Node memory is not cordoned."),
    ],
)
async def test_a_cordon_that_cannot_be_is_refused(
    web: Web, path: str, who: str, status: int, words: str
) -> None:
    found = await web.problem("POST", path, who, why())
    assert found[0] == status
    assert words in found[2]
    assert web.service.ledger.machine.cordoned == frozenset()


async def test_a_cordoned_node_is_cordoned_once_and_may_be_drained_then(web: Web) -> None:
    await web.api("POST", "nodes/memory/cordon", "admin", why())
    status, _, detail = await web.problem("POST", "nodes/memory/cordon", "admin", why("again"))
    assert status == 409
    assert "Node memory is cordoned already by ada, because: new disks" in detail
    assert (await web.api("POST", "nodes/memory/cordon", "admin", why(drains=True)))["standing"] == "drained"


# ---- sessions -------------------------------------------------------------------------------------


MIA = Identity("mia", frozenset({"vision"}))


async def session(web: Web, limit: float | None = 8 * HOUR) -> str:
    """Have a job of mia's run under a time limit; return its id."""
    change = web.service.context.operations.change(
        MIA, RequestSubmission.model_validate_json(json.dumps(job()))
    )
    assert isinstance(change.event, RequestSubmitted)
    request = replace(change.event.request, max_seconds=limit)
    await web.service.ledger.apply(replace(change, event=replace(change.event, request=request)))
    await running(web, request.id)
    return request.id


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


async def test_a_team_s_admin_extends_a_session_by_minutes_and_an_admin_until_a_moment(web: Web) -> None:
    name = await session(web)
    before = await web.api("GET", f"requests/{name}/session", "teamadmin")
    assert before["limit_seconds"] == 8 * HOUR
    assert before["latest"] == pytest.approx(time.time() + 8 * HOUR, abs=60)
    web.service.ledger.clock = lambda: time.time() + HOUR  # an hour of it has passed
    after = await web.api("POST", f"requests/{name}/extend", "teamadmin", why("a demo", by_minutes=30))
    assert after["ends_at"] == before["ends_at"] + 1800
    until = after["ends_at"] + 48 * HOUR
    last = await web.api("POST", f"requests/{name}/extend", "admin", why("a paper", until=iso(until)))
    assert last["ends_at"] == pytest.approx(until, abs=0.001)
    (stored,) = (await web.service.ledger.read(lambda store: store.load())).allocations
    assert stored.ends_at == last["ends_at"]
    rows = [row for row in await audited(web, name) if row.what == "session extended"]
    assert [(row.who, row.why) for row in rows] == [("ada", "a paper"), ("tara", "a demo")]
    assert rows[1].data["until"] == after["ends_at"]


async def test_the_owner_sees_the_end_and_may_not_move_it(web: Web) -> None:
    name = await session(web)
    seen = await web.api("GET", f"requests/{name}/session")
    assert seen["ends_at"] == pytest.approx(time.time() + 8 * HOUR, abs=60)
    assert seen["latest"] is None
    status, _, detail = await web.problem("POST", f"requests/{name}/extend", "member", why(by_minutes=5))
    assert status == 403
    assert "an admin of team vision, extends" in detail


@pytest.mark.parametrize(
    ("who", "hours", "words"),
    [
        ("teamadmin", 9, "is possible (8:00:00 from now): ask for that or less; for more, ask an admin."),
        ("admin", 24 * 366, "ask for that or less."),
        ("admin", 1, "name a later moment, or end it."),
    ],
)
async def test_more_than_is_possible_and_less_than_there_is_are_refused_with_what_is_possible(
    web: Web, who: str, hours: float, words: str
) -> None:
    name = await session(web)
    before = (await web.api("GET", f"requests/{name}/session"))["ends_at"]
    body = why(until=iso(time.time() + hours * HOUR))
    status, code, detail = await web.problem("POST", f"requests/{name}/extend", who, body)
    assert (status, code) == (400, "invalid-input")
    assert "UTC was asked for" in detail
    assert detail.endswith(words)
    assert (await web.api("GET", f"requests/{name}/session"))["ends_at"] == before


async def test_what_has_no_limit_waits_or_is_over_cannot_be_extended_and_it_is_said_why(web: Web) -> None:
    async def said(name: str) -> str:
        found = await web.problem("POST", f"requests/{name}/extend", "admin", why(by_minutes=5))
        assert found[:2] == (409, "conflict")
        return found[2]

    name = await session(web, None)
    assert "it has no time limit" in await said(name)
    await web.api("DELETE", f"requests/{name}")
    await web.service.ledger.until(lambda: True if web.service.ledger.row(RequestId(name)) is None else None)
    assert "it is over" in await said(name)
    await web.api("POST", "queue/pause", "admin", why())
    assert "it waits" in await said((await web.api("POST", "requests", body=job()))["id"])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (why(), "either `until` or `by_minutes`"),
        (why(until="2026-12-01T09:00", by_minutes=1), "say the zone too"),
        (why(by_minutes=0), "greater than or equal to 1"),
        ({"by_minutes": 5}, "reason"),
    ],
)
async def test_an_extension_that_says_too_little_or_too_much_is_refused(
    web: Web, body: dict[str, Any], words: str
) -> None:
    status, _, detail = await web.problem("POST", "requests/rnone/extend", "admin", body)
    assert status == 400
    assert words in detail
