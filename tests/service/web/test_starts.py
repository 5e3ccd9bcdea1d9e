"""When a request starts, over HTTP: held, confirmed, changed, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from web_cases import Web, notebook

CONFIRMED = {"mode": "when-confirmed"}


async def test_what_is_to_be_confirmed_is_held_though_there_is_room_until_it_is(web: Web) -> None:
    held = await web.api("POST", "requests", body=notebook(start=CONFIRMED))
    assert (held["status"], held["allocation"]) == ("held", None)
    assert held["explanation"]["code"] in {"unconfirmed", "room-is-there"}
    assert held["start"] == {"wish": {**CONFIRMED, "hours": None}, "confirmed_until": None}
    started = await web.api("POST", f"requests/{held['id']}/confirm", body={})
    assert started["status"] == "active"


async def test_a_second_press_of_start_finds_what_is_held(web: Web) -> None:
    held = await web.api("POST", "requests", body=notebook(start=CONFIRMED))
    again = await web.api("POST", "requests", body=notebook())
    assert (again["id"], again["status"]) == (held["id"], "held")


async def test_another_wish_starts_it(web: Web) -> None:
    held = await web.api("POST", "requests", body=notebook(start=CONFIRMED))
    started = await web.api("PUT", f"requests/{held['id']}/start", body={})
    assert (started["status"], started["start"]) == ("active", None)


async def test_what_waits_for_room_can_be_held(web: Web) -> None:
    await web.api("POST", "requests", body=notebook("huge"))
    waiting = await web.api("POST", "requests", "colleague", notebook("huge"))
    held = await web.api("PUT", f"requests/{waiting['id']}/start", "colleague", CONFIRMED)
    assert (held["status"], held["explanation"]["code"]) == ("held", "unconfirmed")
    assert (await web.api("GET", "queue"))["waiting"] == 0
    queued = await web.api("POST", f"requests/{waiting['id']}/confirm", "colleague", {})
    assert (queued["status"], queued["explanation"]["position"]) == ("queued", 1)
    assert queued["start"]["confirmed_until"] > queued["submitted_at"]


async def test_what_is_held_can_be_cancelled(web: Web) -> None:
    held = await web.api("POST", "requests", body=notebook(start=CONFIRMED))
    assert (await web.api("DELETE", f"requests/{held['id']}"))["status"] == "withdrawn"


async def test_the_words_of_an_owner_stand_in_the_audit(web: Web) -> None:
    held = await web.api("POST", "requests", body=notebook(start=CONFIRMED))
    await web.api("POST", f"requests/{held['id']}/confirm", body={})
    rows = (await web.api("GET", f"audit?subject={held['id']}", "admin"))["items"]
    assert [row["what"] for row in rows if row["who"] == "mia"][:2] == [
        "start wish changed",
        "queued -> active",
    ]


@pytest.mark.parametrize("who", ["teamadmin", "admin"])
async def test_nobody_else_says_when_it_starts(web: Web, who: str) -> None:
    held = await web.api("POST", "requests", body=notebook(start=CONFIRMED))
    status, code, detail = await web.problem("POST", f"requests/{held['id']}/confirm", who, {})
    assert (status, code) == (403, "not-allowed")
    assert "ask them" in detail


async def test_what_runs_has_no_start_to_choose(web: Web) -> None:
    runs = await web.api("POST", "requests", body=notebook())
    status, code, detail = await web.problem("PUT", f"requests/{runs['id']}/start", body=CONFIRMED)
    assert (status, code) == (409, "conflict")
    assert "only what waits" in detail


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ({"mode": "at-noon"}, "by-itself"),
        ({"hours": {"time_zone": "Mars/Olympus"}}, "write it as Europe/Berlin"),
        ({"hours": {"begins": "25:00"}}, "begins"),
        ({"hours": {"days": []}}, "days"),
    ],
)
async def test_a_wish_that_is_none_is_refused_and_nothing_is_asked_for(
    web: Web, start: dict[str, Any], said: str
) -> None:
    status, code, detail = await web.problem("POST", "requests", body=notebook(start=start))
    assert (status, code) == (400, "invalid-input")
    assert said in detail
    assert (await web.api("GET", "requests"))["items"] == []
