from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from jupyterhub_mesos.cli.commands import main
from web_cases import TEAMS, Web, notebook


def tree(**changes: dict[str, Any]) -> dict[str, Any]:
    written = yaml.safe_load(TEAMS)
    for team, change in changes.items():
        written["teams"][team] = written["teams"].get(team, {}) | change
    return written


async def test_capacity_is_what_the_backend_reported(web: Web) -> None:
    capacity = await web.api("GET", "capacity", "stranger")
    assert capacity["total"]["cpu_millis"] == 8000
    assert capacity["backend"] == "memory"


async def test_a_member_sees_the_own_team_and_those_above_without_their_groups(web: Web) -> None:
    teams = (await web.api("GET", "teams"))["teams"]
    assert [(team["id"], team["is_member"], team["is_admin"]) for team in teams] == [
        ("lab", False, False),
        ("vision", True, False),
    ]
    assert all(team["team"]["groups"] == [] for team in teams)
    assert (await web.api("GET", "teams", "stranger"))["teams"] == []
    assert len((await web.api("GET", "teams", "admin"))["teams"]) == 3


async def test_an_edit_is_looked_at_before_it_is_made(web: Web) -> None:
    edited = tree(speech={"weight": 3})
    dry = await web.api("PUT", "teams?dry_run=true", "admin", edited)
    assert [(change["team"], change["field"]) for change in dry["changes"]] == [("speech", "weight")]
    assert not dry["is_applied"]
    made = await web.api("PUT", "teams", "admin", edited)
    assert made["is_applied"]
    assert made["revision"] == dry["revision"] + 1
    again = await web.api("PUT", "teams", "admin", edited)
    assert (again["changes"], again["is_applied"]) == ([], False)


async def test_quota_diff_says_what_an_edit_would_do_to_what_runs(
    web: Web, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await web.api("POST", "requests", body=notebook("huge"))
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump(tree(vision={"limit": {"cpu_millis": 5000}})))
    command = ["quota", "diff", str(mine), "--url", web.service.url, "--token", "admin"]
    assert await asyncio.to_thread(main, command) == 0
    said = capsys.readouterr().out
    assert "Within an hour, as things stand now:" in said
    assert "team vision holds 6 CPU and may hold 5 CPU: what runs goes on" in said
    assert web.service.ledger.revision == 1


async def test_an_edit_that_is_made_foretells_nothing_any_more(web: Web) -> None:
    await web.api("POST", "requests", body=notebook("huge"))
    edited = tree(vision={"limit": {"cpu_millis": 5000}})
    assert len((await web.api("PUT", "teams?dry_run=true", "admin", edited))["effects"]) == 1
    assert (await web.api("PUT", "teams", "admin", edited))["effects"] == []


async def test_an_edit_of_an_old_revision_is_refused(web: Web) -> None:
    await web.api("PUT", "teams", "admin", tree(speech={"weight": 3}))
    assert (await web.problem("PUT", "teams?revision=1", "admin", tree(speech={"weight": 4})))[0] == 409


async def test_the_second_of_two_admins_is_told_what_the_first_has_changed(web: Web) -> None:
    tag = (await web.ask("GET", "api/v1/teams", "admin")).headers["ETag"]
    assert tag.startswith('"r1.')
    made = await web.ask("PUT", "api/v1/teams", "labadmin", tree(speech={"weight": 3}), **{"If-Match": tag})
    assert (made.code, made.headers["ETag"]) == (200, '"r2"')
    late = await web.ask("PUT", "api/v1/teams", "admin", tree(vision={"weight": 4}), **{"If-Match": tag})
    problem = json.loads(late.body)
    assert (late.code, problem["code"], problem["revision"]) == (412, "precondition-failed", 2)
    assert [(one["team"], one["field"], one["after"]) for one in problem["changes"]] == [
        ("speech", "weight", "3")
    ]
    assert "speech.weight: 1 -> 3" in problem["detail"]
    teams = {team["id"]: team["team"] for team in (await web.api("GET", "teams", "admin"))["teams"]}
    assert (teams["speech"]["weight"], teams["vision"]["weight"]) == (3, 1)
    repeated = await web.ask("PUT", "api/v1/teams", "admin", tree(speech={"weight": 3}), **{"If-Match": tag})
    assert (repeated.code, json.loads(repeated.body)["is_applied"]) == (200, False)
    good = {"If-Match": '"r1", "r2"'}
    assert (await web.ask("PUT", "api/v1/teams", "admin", tree(vision={"weight": 4}), **good)).code == 200
    assert (await web.ask("PUT", "api/v1/teams", "admin", tree(), **{"If-Match": "r2"})).code == 400


async def test_two_edits_at_once_of_one_revision_are_one_edit(web: Web) -> None:
    edits = (tree(vision={"weight": weight}) for weight in (5, 6, 7))
    header = {"If-Match": '"r1"'}
    answers = await asyncio.gather(
        *(web.ask("PUT", "api/v1/teams", "admin", edit, **header) for edit in edits)
    )
    assert sorted(answer.code for answer in answers) == [200, 412, 412]


async def test_what_has_not_changed_is_not_sent_again(web: Web) -> None:
    for path in ("teams", "nodes", "requests"):
        tag = (await web.ask("GET", f"api/v1/{path}", "admin")).headers["ETag"]
        again = await web.ask("GET", f"api/v1/{path}", "admin", **{"If-None-Match": tag})
        assert (again.code, again.body) == (304, b"")
    await web.api("POST", "requests", body=notebook())
    assert (await web.ask("GET", "api/v1/requests", "admin", **{"If-None-Match": tag})).code == 200


async def test_quota_apply_of_a_revision_that_somebody_has_edited_changes_nothing(
    web: Web, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump(tree(vision={"weight": 2})))
    command = ["quota", "apply", "--revision", "1", str(mine), "--url", web.service.url, "--token", "admin"]
    await web.api("PUT", "teams", "admin", tree(speech={"weight": 3}))
    assert await asyncio.to_thread(main, command) == 2
    assert "speech.weight: 1 -> 3" in capsys.readouterr().err
    assert web.service.ledger.revision == 2
    mine.write_text(yaml.safe_dump(tree(vision={"weight": 2}, speech={"weight": 3})))
    command[3] = "2"
    assert await asyncio.to_thread(main, command) == 0
    assert web.service.ledger.revision == 3


async def test_a_tree_that_does_not_hold_is_refused_with_its_place(web: Web) -> None:
    status, code, detail = await web.problem("PUT", "teams", "admin", tree(speech={"parent": "none-such"}))
    assert (status, code) == (400, "teams-invalid")
    assert "speech" in detail


async def test_an_admin_of_a_team_edits_what_is_below_it_only(web: Web) -> None:
    assert (await web.api("PUT", "teams", "labadmin", tree(vision={"weight": 2})))["is_applied"]
    assert (await web.problem("PUT", "teams", "labadmin", tree(lab={"weight": 2})))[0] == 403
    own = tree(vision={"weight": 5})
    for who in ("teamadmin", "member", "stranger"):
        assert (await web.problem("PUT", "teams", who, own))[0] == 403
    assert (await web.problem("PUT", "teams", "labadmin", tree(vision={"weight": 2}, new={})))[0] == 403


async def test_a_budget_is_edited_over_the_api_and_seen_by_the_team_with_what_is_left(web: Web) -> None:
    budget = {"window_days": 7, "team_hours": 500, "user_hours": 100}
    edit = await web.api("PUT", "teams", "admin", tree(vision={"budget": budget}))
    told = [(change["field"], change["before"], change["after"]) for change in edit["changes"]]
    assert told == [("budget", "-", "500 accelerator-hours in 7 days, 100 per user")]
    teams = {team["id"]: team for team in (await web.api("GET", "teams"))["teams"]}
    assert teams["lab"]["budget"] is None
    assert teams["vision"]["budget"] == {
        "window_seconds": 7 * 86400,
        "team": {"hours": 500, "used_hours": 0.0, "left_hours": 500.0, "stops_at": None},
        "asker": {"hours": 100, "used_hours": 0.0, "left_hours": 100.0, "stops_at": None},
    }
    seen = {team["id"]: team for team in (await web.api("GET", "teams", "admin"))["teams"]}
    assert seen["vision"]["budget"]["asker"] is None
    page = (await web.ask("GET", "")).body.decode()
    assert "0 of 500 accelerator-hours used in 7 days; 0 of 100 accelerator-hours by you" in page


async def test_a_budget_that_makes_no_sense_is_refused_whole(web: Web) -> None:
    status, _, detail = await web.problem(
        "PUT", "teams", "admin", tree(vision={"budget": {"window_days": 7}})
    )
    assert status == 400
    assert "teams.vision.budget: a budget bounds something" in detail
    assert (await web.api("GET", "teams"))["revision"] == 1


async def test_a_team_s_session_time_ends_a_notebook_that_is_started_after_the_edit(web: Web) -> None:
    await web.api("PUT", "teams", "admin", tree(lab={"max_session_minutes": 30}))
    view = await web.api("POST", "requests", "member", notebook())
    row = web.service.ledger.row(view["id"])
    assert row is not None
    assert row.request.max_seconds == 1800.0


async def test_profiles_are_those_of_the_asker_s_teams(web: Web) -> None:
    profiles = (await web.api("GET", "profiles"))["profiles"]
    assert [(view["name"], view["fits_now"]) for view in profiles] == [
        ("small", True),
        ("huge", True),
        ("enormous", False),
    ]
    assert (await web.api("GET", "profiles", "stranger"))["profiles"] == []


async def test_health_needs_no_token(web: Web) -> None:
    response = await web.ask("GET", "health", None)
    assert response.code == 200
    assert b'"status":"ok"' in response.body


async def test_a_team_named_as_the_lakes_shared_folder_is_refused(web: Web) -> None:
    for path in ("teams", "teams?dry_run=true"):
        status, code, detail = await web.problem("PUT", path, "admin", tree(shared={"parent": "lab"}))
        assert (status, code) == (400, "teams-invalid")
        assert "may not be named 'shared'" in detail
