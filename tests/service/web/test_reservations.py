"""Reservations, and what becomes of users, over HTTP."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos_quota.events import TimePassed
from jupyterhub_mesos_quota.model import RequestId
from service.web.test_levers import HOUR, add_node, audited, running, why
from web_cases import Web, job, notebook


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def booking(team: str = "vision", begins: float = 1.0, hours: float = 2.0, **more: Any) -> dict[str, Any]:
    """Two pieces of 1 CPU for `team`, in so many hours."""
    starts = time.time() + begins * HOUR
    return {
        "team": team,
        "title": "Deep learning, group 2",
        "resources": {"cpu_millis": 1000, "mem_mib": 1024},
        "replicas": 2,
        "starts_at": iso(starts),
        "ends_at": iso(starts + hours * HOUR),
        "reason": "a class",
        **more,
    }


async def listed(web: Web, who: str = "member", *, past: bool = False) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await web.api("GET", f"reservations?past={past}", who))["items"]
    return items


async def test_a_team_s_admin_books_its_members_see_it_and_it_can_be_cancelled(web: Web) -> None:
    await add_node(web, "second")
    booked = await web.api("POST", "reservations", "teamadmin", booking())
    assert (booked["state"], booked["booked_by"], booked["may_cancel"]) == ("coming", "tara", True)
    (seen,) = await listed(web)
    assert seen == booked | {"may_cancel": False}
    assert (seen["title"], seen["replicas"], seen["reason"]) == ("Deep learning, group 2", 2, "a class")
    assert await listed(web, "speaker") == []
    over = await web.api("POST", f"reservations/{booked['id']}/cancel", "teamadmin", why("moved"))
    assert (over["state"], over["cancelled_because"]) == ("cancelled", "moved")
    assert web.service.ledger.machine.reservations == {}
    assert await listed(web) == []
    assert [view["state"] for view in await listed(web, past=True)] == ["cancelled"]
    rows = await audited(web, "reservations")
    assert [(row.who, row.what, row.why) for row in rows] == [
        ("tara", "reservation cancelled", "moved"),
        ("tara", "reservation booked", "a class"),
    ]
    assert {row.data["team"] for row in rows} == {"vision"}


async def test_what_is_on_and_what_is_over_is_said(web: Web) -> None:
    await add_node(web, "second")
    await web.api("POST", "reservations", "admin", booking(begins=1, hours=1))
    later = await web.api("POST", "reservations", "admin", booking(begins=5, hours=1))
    web.service.ledger.clock = lambda: time.time() + 1.5 * HOUR
    assert [view["state"] for view in await listed(web)] == ["now", "coming"]
    web.service.ledger.clock = lambda: time.time() + 3 * HOUR
    assert [view["id"] for view in await listed(web)] == [later["id"]]
    assert [view["state"] for view in await listed(web, past=True)] == ["coming", "past"]
    await web.service.ledger.apply(Change(TimePassed(web.service.ledger.clock())))
    assert [view["state"] for view in await listed(web, past=True)] == ["coming", "past"]


async def test_an_overbooking_is_refused_with_its_clash(web: Web) -> None:
    await add_node(web, "second")
    first = await web.api("POST", "reservations", "teamadmin", booking())
    answer = await web.ask("POST", "api/v1/reservations", "labadmin", booking("lab", replicas=7))
    problem = json.loads(answer.body)
    assert (answer.code, problem["code"]) == (409, "overbooked")
    assert f"{first['id']} of team vision until" in problem["detail"]
    clash = problem["clash"]
    assert (clash["amount"], clash["asked"], clash["possible"]) == ("cpu_millis", 7000, 6000)
    assert clash["reservations"] == [first["id"]]
    assert [view["id"] for view in await listed(web, "admin")] == [first["id"]]


@pytest.mark.parametrize(
    ("who", "body", "status", "words"),
    [
        ("member", booking(), 403, "an admin of team vision, books and cancels its reservations"),
        ("teamadmin", booking("speech"), 404, "There is no team 'speech'"),
        ("teamadmin", booking(hours=-1), 400, "name a later end"),
        ("teamadmin", booking(begins=-1), 400, "name a later begin"),
        ("teamadmin", booking(hours=24 * 40), 400, "longer than 31 days"),
        ("teamadmin", booking(resources={}), 400, "name an amount"),
        ("teamadmin", booking(starts_at="2026-12-01T09:00"), 400, "say the zone too"),
        ("teamadmin", booking(replicas=0), 400, "replicas"),
        ("teamadmin", booking(reason=""), 400, "reason"),
        ("teamadmin", booking(replicas=3), 409, "team vision may hold 6 CPU at most"),
    ],
)
async def test_a_booking_that_cannot_be_is_refused_with_what_is_possible(
    web: Web, who: str, body: dict[str, Any], status: int, words: str
) -> None:
    await add_node(web, "second")
    found = await web.problem("POST", "reservations", who, body)
    assert found[0] == status
    assert words in found[2]
    assert web.service.ledger.machine.reservations == {}


async def test_somebody_else_s_reservation_is_not_there_to_cancel(web: Web) -> None:
    await add_node(web, "second")
    booked = await web.api("POST", "reservations", "admin", booking("speech", replicas=1))
    path = f"reservations/{booked['id']}/cancel"
    assert (await web.problem("POST", path, "teamadmin", why()))[0] == 404
    assert (await web.problem("POST", path, "speaker", why()))[0] == 403
    assert len(await listed(web, "speaker")) == 1


# ---- users ----------------------------------------------------------------------------------------


async def test_a_renamed_user_s_requests_are_the_new_name_s_and_the_server_is_found_under_it(
    web: Web,
) -> None:
    asked = await web.api("POST", "requests", body=notebook())
    waiting = await web.api("POST", "requests", body=job(replicas=50, resources={"cpu_millis": 120}))
    assert waiting["status"] == "queued"
    standing = await web.api("POST", "users/mia/rename", "admin", why("married", to="maria"))
    assert standing == {"user": "maria", "waiting": 1, "active": 1}
    ledger = web.service.ledger
    assert {row.request.user for row in ledger.rows()} == {"maria"}
    assert ledger.server("mia", "") is None
    found = ledger.server("maria", "")
    assert found is not None
    assert found.id == asked["id"]
    stored = await ledger.read(lambda store: store.load())
    assert {row.request.user for row in stored.requests} == {"maria"}
    (row,) = await audited(web, "user/mia")
    assert (row.who, row.what, row.why, row.data["to"]) == ("ada", "user renamed", "married", "maria")


async def test_what_a_user_had_who_left_is_ended(web: Web) -> None:
    asked = await web.api("POST", "requests", body=job())
    await running(web, asked["id"])
    waiting = await web.api("POST", "requests", body=job(replicas=50, resources={"cpu_millis": 120}))
    kept = await web.api("POST", "requests", "colleague", job())
    standing = await web.api("POST", "users/mia/leave", "admin", why("graduated"))
    assert (standing["user"], standing["waiting"]) == ("mia", 0)
    for name in (asked["id"], waiting["id"]):
        await web.service.ledger.until(
            lambda name=name: True if web.service.ledger.row(RequestId(name)) is None else None
        )
    ends = {item["id"]: item["status"] for item in (await web.api("GET", "requests"))["items"]}
    assert ends == {asked["id"]: "ended", waiting["id"]: "withdrawn"}
    assert (await web.api("GET", f"requests/{kept['id']}", "colleague"))["status"] == "active"
    (row,) = await audited(web, "user/mia")
    assert (row.who, row.what, row.why) == ("ada", "user left", "graduated")


@pytest.mark.parametrize(
    ("path", "who", "body", "status", "words"),
    [
        ("users/mia/rename", "labadmin", why(to="maria"), 403, "Only an admin renames users"),
        ("users/mia/leave", "teamadmin", why(), 403, "Only an admin renames users"),
        ("users/mai/rename", "admin", why(to="maria"), 404, "Nobody called 'mai'"),
        ("users/mai/leave", "admin", why(), 404, "Nobody called 'mai'"),
        ("users/mia/rename", "admin", why(to="mia"), 400, "mia is the name already"),
        ("users/mia/rename", "admin", why(to="team/vision"), 400, "to"),
        ("users/mia/rename", "admin", why(to="cora"), 409, "cora has 1 request that is not over"),
    ],
)
async def test_a_change_of_a_user_that_cannot_be_is_refused(
    web: Web, path: str, who: str, body: dict[str, Any], status: int, words: str
) -> None:
    await web.api("POST", "requests", body=job())
    await web.api("POST", "requests", "colleague", job())
    found = await web.problem("POST", path, who, body)
    assert found[0] == status
    assert words in found[2]
    assert {row.request.user for row in web.service.ledger.rows()} == {"mia", "cora"}
