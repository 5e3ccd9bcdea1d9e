from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from jupyterhub_mesos.service.web.paging import page_of
from jupyterhub_mesos.service.web.queries import PageQuery
from web_cases import PREFIX, Web, job, notebook


async def pages(web: Web, path: str, field: str = "items", who: str = "admin") -> list[list[dict[str, Any]]]:
    """Follow the links of a list."""
    found = []
    at = f"api/v1/{path}"
    while True:
        answer = await web.ask("GET", at, who)
        assert answer.code == 200, answer.body
        page = json.loads(answer.body)
        found.append(page[field])
        link = answer.headers.get("Link")
        assert (link is None) == (page["next_cursor"] is None)
        if link is None:
            return found
        assert link.endswith('>; rel="next"')
        target = urlsplit(link[1 : link.index(">")])
        at = f"{target.path.removeprefix(PREFIX)}?{target.query}"


async def test_every_list_is_told_whole_by_following_its_links(web: Web) -> None:
    for name in ("a", "b", "c"):
        await web.api("POST", "teams/vision/tokens", "admin", {"name": name})
        await web.api("POST", "requests", "teamadmin", job(name))
        await web.api(
            "POST",
            "queue/pause",
            "admin",
            {"team": {"a": "lab", "b": "vision", "c": "speech"}[name], "reason": name},
        )
    for path, field, name in (
        ("requests", "items", "id"),
        ("audit", "items", "seq"),
        ("queue", "items", "id"),
        ("queue/pauses", "items", "team"),
        ("nodes", "items", "id"),
        ("teams", "teams", "id"),
        ("teams/vision/tokens", "items", "id"),
    ):
        (whole,) = await pages(web, path, field)
        assert len(whole) == (1 if path == "nodes" else len(whole)) > 0
        by_one = await pages(web, f"{path}?limit=1", field)
        assert [item[name] for page in by_one for item in page][: len(whole)] == [
            item[name] for item in whole
        ]
        assert all(len(page) == 1 for page in by_one)


async def test_requests_are_found_by_their_name_and_by_when_they_were_submitted(web: Web) -> None:
    first = await web.api("POST", "requests", body=job("digits"))
    second = await web.api("POST", "requests", body=job("a_b"))
    found = (await web.api("GET", "requests?text=DIG"))["items"]
    assert [item["id"] for item in found] == [first["id"]]
    assert [item["id"] for item in (await web.api("GET", "requests?text=_"))["items"]] == [second["id"]]
    between = (first["submitted_at"] + second["submitted_at"]) / 2
    then = datetime.fromtimestamp(between, UTC).isoformat().replace("+00:00", "Z")
    since = (await web.api("GET", f"requests?since={then}"))["items"]
    until = (await web.api("GET", f"requests?until={then}"))["items"]
    assert [[item["id"] for item in page] for page in (since, until)] == [[second["id"]], [first["id"]]]


async def test_the_queue_is_looked_at_by_team_user_and_kind(web: Web) -> None:
    await web.api("POST", "queue/pause", "admin", {"reason": "a test"})
    await web.api("POST", "requests", body=job())
    await web.api("POST", "requests", "speaker", notebook())
    for query, expected in (("team=speech", ["sam"]), ("user=mia", ["mia"]), ("kind=notebook", ["sam"])):
        found = await web.api("GET", f"queue?{query}", "admin")
        assert [item["user"] for item in found["items"]] == expected
        assert found["waiting"] == 2


async def test_an_admin_sees_the_audit_and_an_owner_what_happened_to_a_request(web: Web) -> None:
    mine = await web.api("POST", "requests", body=job("digits"))
    await web.api("DELETE", f"requests/{mine['id']}", "teamadmin")
    seen = (await web.api("GET", f"audit?subject={mine['id']}"))["items"]
    assert {row["subject"] for row in seen} > {mine["id"]}  # its allocation's, too
    assert "tara" in {row["who"] for row in seen}
    assert (await web.problem("GET", "audit"))[0] == 403
    for who in ("colleague", "speaker"):
        assert (await web.problem("GET", f"audit?subject={mine['id']}", who))[0] == 404
    assert (await web.problem("GET", "audit?subject=teams"))[0] == 404
    edits = (await web.api("GET", "audit?what=teams%20written&who=service", "admin"))["items"]
    assert [row["subject"] for row in edits] == ["teams"]
    assert (await web.api("GET", "audit?text=no-such-word", "admin"))["items"] == []


def test_a_page_goes_on_after_its_item_where_others_have_come_or_gone() -> None:
    page, cursor = page_of("abcdef", PageQuery(limit=2), str)
    assert (page, cursor) == (("a", "b"), "2~b")
    asked = PageQuery(limit=2, cursor=cursor)
    assert page_of("abcdef", asked, str)[0] == ("c", "d")
    assert page_of("bcdef", asked, str)[0] == ("c", "d")
    assert page_of("xyabcdef", asked, str)[0] == ("c", "d")
    assert page_of("acdef", asked, str)[0] == ("d", "e")  # b has gone: from its place on
    assert page_of("a", asked, str) == ((), None)
