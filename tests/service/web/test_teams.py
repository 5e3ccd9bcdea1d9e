from __future__ import annotations

from typing import Any

import yaml

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


async def test_an_edit_of_an_old_revision_is_refused(web: Web) -> None:
    await web.api("PUT", "teams", "admin", tree(speech={"weight": 3}))
    assert (await web.problem("PUT", "teams?revision=1", "admin", tree(speech={"weight": 4})))[0] == 409


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
