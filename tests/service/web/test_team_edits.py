"""One team is edited at a time, and an edit is taken back where nobody has changed that again."""

from __future__ import annotations

import json
from typing import Any

from web_cases import Web


async def team(web: Web, name: str) -> dict[str, Any]:
    teams = (await web.api("GET", "teams", "admin"))["teams"]
    return next(each["team"] for each in teams if each["id"] == name)


async def write(web: Web, name: str, who: str = "labadmin", query: str = "", **change: Any) -> Any:
    return await web.api("PUT", f"teams/{name}{query}", who, {**await team(web, name), **change})


async def test_a_team_is_edited_alone_by_who_administers_a_team_above_it(web: Web) -> None:
    before = await team(web, "vision")
    made = await write(web, "speech", weight=3)
    assert [(one["team"], one["field"], one["after"]) for one in made["changes"]] == [
        ("speech", "weight", "3")
    ]
    assert await team(web, "vision") == before
    body = {**before, "weight": 9}
    assert (await web.problem("PUT", "teams/vision", "teamadmin", body))[0] == 403
    assert (await web.problem("PUT", "teams/vision", "speaker", body))[0] == 404
    assert await team(web, "vision") == before


async def test_who_may_edit_a_team_is_told_so(web: Web) -> None:
    for who, expected in (("admin", ["lab", "speech", "vision"]), ("labadmin", ["speech", "vision"])):
        teams = (await web.api("GET", "teams", who))["teams"]
        assert [each["id"] for each in teams if each["may_edit"]] == expected
    assert not any(each["may_edit"] for each in (await web.api("GET", "teams", "teamadmin"))["teams"])


async def test_a_team_is_added_below_the_own_one_and_removed_again(web: Web) -> None:
    assert (await web.api("PUT", "teams/robots", "labadmin", {"parent": "lab"}))["is_applied"]
    assert (await web.problem("PUT", "teams/top", "labadmin", {}))[0] == 404
    assert (await web.api("PUT", "teams/under", "teamadmin", {"parent": "vision"}))["is_applied"]
    status, code, detail = await web.problem("DELETE", "teams/lab", "admin")
    assert (status, code) == (400, "teams-invalid")
    assert "lab" in detail
    assert (await web.api("DELETE", "teams/robots", "labadmin"))["is_applied"]


async def test_a_field_that_does_not_hold_is_named(web: Web) -> None:
    body = {**await team(web, "speech"), "limit": {"cpu_millis": 1}}
    problem = json.loads((await web.ask("PUT", "api/v1/teams/speech", "admin", body)).body)
    assert problem["where"] == "teams.speech.limit"
    body["weight"] = 0
    problem = json.loads((await web.ask("PUT", "api/v1/teams/speech", "admin", body)).body)
    assert problem["where"] == "weight"


async def test_the_second_of_two_editors_of_one_team_is_told_what_the_first_has_changed(web: Web) -> None:
    body = {**await team(web, "speech"), "weight": 4}
    await write(web, "speech", weight=3)
    late = await web.ask("PUT", "api/v1/teams/speech", "admin", body, **{"If-Match": '"r1"'})
    problem = json.loads(late.body)
    assert (late.code, problem["revision"]) == (412, 2)
    assert [(one["field"], one["after"]) for one in problem["changes"]] == [("weight", "3")]


async def test_edits_are_listed_with_who_and_why_and_undone(web: Web) -> None:
    await write(web, "speech", query="?reason=a+deadline", weight=3)
    await write(web, "vision", who="admin", weight=5)
    listed = await web.api("GET", "team-edits", "labadmin")
    assert listed["revision"] == 3
    assert [(one["revision"], one["who"], one["why"]) for one in listed["items"]] == [
        (3, "ada", "teams edited"),
        (2, "lea", "a deadline"),
        (1, "service", str(web.service.context.settings.teams_file)),
    ]
    only = await web.api("GET", "team-edits?team=speech&limit=2", "labadmin")
    assert ([one["revision"] for one in only["items"]], only["next_cursor"]) == ([2], "2")
    tried = await web.api("POST", "team-edits/2/undo?dry_run=true", "labadmin")
    assert (tried["is_applied"], tried["changes"][0]["after"]) == (False, "1")
    undone = await web.api("POST", "team-edits/2/undo", "labadmin")
    assert undone["is_applied"]
    assert ((await team(web, "speech"))["weight"], (await team(web, "vision"))["weight"]) == (1, 5)
    newest = (await web.api("GET", "team-edits", "admin"))["items"][0]
    assert (newest["who"], newest["why"]) == ("lea", "edit 2 is undone")


async def test_what_was_changed_again_since_is_not_undone(web: Web) -> None:
    await write(web, "speech", weight=3, title="Voices")
    await write(web, "speech", weight=4)
    status, code, detail = await web.problem("POST", "team-edits/2/undo", "admin")
    assert (status, code) == (409, "conflict")
    assert "speech.weight was changed again" in detail
    assert (await team(web, "speech"))["title"] == "Voices"
    assert (await web.problem("POST", "team-edits/1/undo", "admin"))[0] == 400


async def test_who_does_not_administer_a_team_sees_nothing_of_its_edits(web: Web) -> None:
    await write(web, "speech", weight=3)
    seen = (await web.api("GET", "team-edits", "teamadmin"))["items"]
    assert {change["team"] for one in seen for change in one["changes"]} == {"vision"}
    assert (await web.problem("POST", "team-edits/2/undo", "teamadmin"))[0] == 403
    assert (await web.problem("GET", "team-edits", "member"))[0] == 403
