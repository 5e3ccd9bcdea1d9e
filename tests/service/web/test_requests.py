from __future__ import annotations

import asyncio
import json

from small_hub import SmallHub
from web_cases import HUB_KEY, Web, notebook


async def test_a_notebook_is_asked_for_and_found_again(web: Web) -> None:
    asked = await web.api("POST", "requests", body=notebook())
    assert (asked["user"], asked["team"], asked["status"]) == ("mia", "vision", "active")
    assert asked["payload"]["profile"] == "small"
    assert asked["resources"]["cpu_millis"] == 500
    assert (await web.api("GET", f"requests/{asked['id']}"))["id"] == asked["id"]
    assert asked["page_url"] == f"/services/capacity/requests/{asked['id']}"


async def test_a_second_press_finds_the_first_request(web: Web) -> None:
    first, second = await asyncio.gather(
        web.api("POST", "requests", body=notebook()), web.api("POST", "requests", body=notebook())
    )
    assert first["id"] == second["id"]
    assert len((await web.api("GET", "requests"))["items"]) == 1


async def test_what_finds_no_room_waits_with_a_reason_and_a_place(web: Web) -> None:
    await web.api("POST", "requests", body=notebook("huge"))
    waiting = await web.api("POST", "requests", "colleague", notebook("huge"))
    assert waiting["status"] == "queued"
    assert waiting["explanation"]["position"] == 1
    assert waiting["explanation"]["sentence"]
    assert waiting["explanation"]["expected_start"]["sentence"].endswith("not enough history yet.")


async def test_the_members_of_a_team_see_that_somebody_waits_but_not_what_for(web: Web) -> None:
    first = await web.api("POST", "requests", body=notebook("huge"))
    waiting = await web.api("POST", "requests", "colleague", notebook("huge"))
    queue = await web.api("GET", "queue")
    assert [(entry["id"], entry["is_mine"]) for entry in queue["items"]] == [(waiting["id"], False)]
    assert "payload" not in queue["items"][0]
    assert (await web.problem("GET", f"requests/{waiting['id']}"))[0] == 404
    assert (await web.api("GET", "queue", "speaker")) == {"items": [], "waiting": 1, "next_cursor": None}
    assert (await web.problem("DELETE", f"requests/{first['id']}", "colleague"))[0] == 404


async def test_a_team_admin_an_admin_above_and_an_admin_see_and_end_a_members_request(web: Web) -> None:
    asked = await web.api("POST", "requests", body=notebook())
    for who in ("teamadmin", "labadmin", "admin", "operator"):
        assert (await web.api("GET", f"requests/{asked['id']}", who))["id"] == asked["id"]
        assert [item["id"] for item in (await web.api("GET", "requests", who))["items"]] == [asked["id"]]
    for who in ("colleague", "speaker", "stranger"):
        assert (await web.api("GET", "requests", who))["items"] == []
    assert (await web.api("DELETE", f"requests/{asked['id']}", "teamadmin"))["id"] == asked["id"]


async def test_a_foreign_team_is_refused_with_the_teams_of_the_asker(web: Web) -> None:
    status, code, detail = await web.problem("POST", "requests", "speaker", notebook(team="vision"))
    assert (status, code) == (403, "not-allowed")
    assert "may charge speech" in detail
    status, _, detail = await web.problem("POST", "requests", "both", notebook())
    assert status == 400
    assert "speech, vision" in detail
    assert (await web.problem("POST", "requests", "stranger", notebook()))[0] == 403


async def test_more_than_the_team_may_ever_hold_is_refused_at_once(web: Web) -> None:
    status, code, detail = await web.problem("POST", "requests", body=notebook("enormous"))
    assert (status, code) == (422, "over-limit")
    assert "6 CPU" in detail


async def test_a_notebook_brings_no_resources_of_its_own(web: Web) -> None:
    body = notebook(resources={"cpu_millis": 1})
    assert (await web.problem("POST", "requests", body=body))[:2] == (400, "invalid-input")
    assert (await web.problem("POST", "requests", body=notebook("speech-only")))[0] == 403
    assert (await web.problem("POST", "requests", body=notebook("none-such")))[0] == 400


async def test_a_body_that_does_not_hold_is_answered_with_its_field(web: Web) -> None:
    status, _, detail = await web.problem(
        "POST", "requests", body={"payload": {"kind": "notebook", "cpu": 1}}
    )
    assert status == 400
    assert "payload.notebook.cpu" in detail
    assert (await web.problem("POST", "requests", body=b"{no json"))[:2] == (400, "invalid-input")
    assert (await web.problem("POST", "requests", body=b"x" * (300 * 1024)))[:2] == (413, "too-large")


async def test_priority_above_the_rest_is_for_team_admins(web: Web) -> None:
    assert (await web.problem("POST", "requests", body=notebook(priority=5)))[0] == 403
    assert (await web.api("POST", "requests", "teamadmin", notebook(priority=5)))["priority"] == 5


async def test_filters_that_are_no_words_of_ours_are_refused(web: Web) -> None:
    assert (await web.problem("GET", "requests?status=asleep"))[0] == 400
    assert (await web.problem("GET", "requests?cursor=x"))[0] == 400
    assert (await web.problem("GET", "requests?limit=x"))[0] == 400
    assert (await web.problem("GET", "requests?user=cora"))[0] == 403
    assert (await web.problem("GET", "requests?team=speech"))[0] == 403


async def test_cancel_withdraws_what_waits(web: Web) -> None:
    await web.api("POST", "requests", body=notebook("huge"))
    waiting = await web.api("POST", "requests", "colleague", notebook("huge"))
    ended = await web.api("DELETE", f"requests/{waiting['id']}", "colleague")
    assert ended["status"] == "withdrawn"
    assert (await web.api("GET", "queue"))["waiting"] == 0


async def test_while_the_hub_is_away_nobody_is_let_in(web: Web, hub: SmallHub) -> None:
    hub.is_broken = True
    response = await web.ask("GET", "api/v1/requests")
    assert response.code == 503
    assert response.headers["Retry-After"]


async def test_a_token_is_asked_about_once_in_a_while(web: Web, hub: SmallHub) -> None:
    for _ in range(3):
        await web.api("GET", "capacity")
    assert hub.asked == 1


# ---- the hub's side ------------------------------------------------------------------------------


def start(user: str = "mia", server: str = "", **options: object) -> dict[str, object]:
    return {"user": user, "groups": ["vision"], "server_name": server, "options": options}


async def hub_asks(
    web: Web, method: str, path: str, body: object = None, key: str = HUB_KEY
) -> tuple[int, bytes]:
    response = await web.ask(method, f"api/v1/hub/{path}", None, body, Authorization=f"Bearer {key}")
    return response.code, response.body


async def test_the_hub_s_routes_ask_for_the_hub_s_key(web: Web) -> None:
    assert (await hub_asks(web, "POST", "starts", start(), "wrong"))[0] == 401
    assert (await hub_asks(web, "GET", "servers/mia/~", key="wrong"))[0] == 401
    assert (await web.ask("GET", "api/v1/hub/servers/mia/~", "admin")).code == 401
    assert (await hub_asks(web, "GET", "servers/mia/~"))[0] == 200


async def test_a_start_through_the_hub_with_room_is_claimed_launched_and_stopped(web: Web) -> None:
    status, body = await hub_asks(web, "POST", "starts", start(profile="small"))
    assert status == 200, body
    claim = json.loads(body)
    assert claim["resources"]["cpu_millis"] == 500
    launch = {"argv": ["server"], "env": {"JUPYTERHUB_API_TOKEN": "s3cret"}}
    status, body = await hub_asks(web, "PUT", f"allocations/{claim['allocation_id']}/launch", launch)
    assert (status, json.loads(body)["is_alive"]) == (200, True)
    view = await web.api("GET", f"requests/{claim['request_id']}")
    assert view["url"] == "/user/mia/"
    status, _ = await hub_asks(web, "POST", "servers/mia/~/stop")
    assert status in {200, 202}
    assert (await hub_asks(web, "DELETE", "servers/mia/~"))[0] == 204


async def test_a_start_through_the_hub_without_room_is_queued_with_its_page(web: Web) -> None:
    await web.api("POST", "requests", "colleague", notebook("huge"))
    status, body = await hub_asks(web, "POST", "starts", start(profile="huge"))
    problem = json.loads(body)
    assert (status, problem["code"]) == (409, "queued")
    assert problem["page_url"].endswith(problem["request_id"])
    again = json.loads((await hub_asks(web, "POST", "starts", start(profile="huge")))[1])
    assert again["request_id"] == problem["request_id"]


async def test_options_through_the_hub_carry_a_profile_and_a_team_only(web: Web) -> None:
    status, body = await hub_asks(web, "POST", "starts", start(cpu_millis=64000))
    assert status == 400
    assert b"options.cpu_millis" in body
    assert (await hub_asks(web, "POST", "starts", start(team="speech")))[0] == 403


async def test_a_name_through_the_hub_that_is_none_of_ours_is_refused_with_its_field(web: Web) -> None:
    for body, words in (
        (start(server="a b"), b"server_name"),
        (start(team="a b"), b"team"),
        (start(profile="/"), b"profile"),
    ):
        status, answer = await hub_asks(web, "POST", "starts", body)
        assert status == 400
        assert words in answer
