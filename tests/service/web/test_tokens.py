"""The service's own tokens: a pipeline's, valid while it runs, and a team's, made by its admins for CI."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest

from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos.service.rows import TokenRow
from jupyterhub_mesos.tasks import TaskId
from jupyterhub_mesos_quota.model import AllocationId, RequestId
from web_cases import Web, job, notebook, pipeline, pipeline_token

SERVING = {"payload": {"kind": "serving", "name": "digits", "bundle": "~/models.git"}}


async def team_token(web: Web, name: str = "gitlab", who: str = "teamadmin", **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = await web.api("POST", "teams/vision/tokens", who, {"name": name, **more})
    return made


async def ended(web: Web, request_id: str) -> None:
    await web.service.ledger.until(
        lambda: True if web.service.ledger.row(RequestId(request_id)) is None else None
    )


def pipeline_of(token: str) -> str:
    return token.removeprefix("capwork_").partition("-")[0]


# ---- a pipeline's own --------------------------------------------------------------------------------


async def test_a_pipeline_asks_for_training_and_serving_as_its_owner_and_their_parent(web: Web) -> None:
    token = await pipeline_token(web)
    for body in (job(), SERVING):
        view = await web.api("POST", "requests", token, body)
        assert (view["user"], view["team"]) == ("mia", "vision")
        assert view["parent"] == pipeline_of(token)
    assert {view["kind"] for view in (await web.api("GET", "requests", token))["items"]} == {
        "training",
        "serving",
    }


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (notebook(), "the token of a pipeline may ask for serving and training"),
        (pipeline(), "the token of a pipeline may ask for serving and training"),
        (job(team="speech"), "Team speech asked for; mia may charge vision"),
        (job(priority=5), "Priority 5 asked for"),
    ],
)
async def test_a_pipeline_asks_for_nothing_else(web: Web, body: dict[str, Any], words: str) -> None:
    status, code, detail = await web.problem("POST", "requests", await pipeline_token(web), body)
    assert (status, code) == (403, "not-allowed")
    assert words in detail


async def test_a_pipeline_is_the_parent_and_nobody_else(web: Web) -> None:
    other = (await web.api("POST", "requests", body=job()))["id"]
    status, _, detail = await web.problem("POST", "requests", await pipeline_token(web), job(parent=other))
    assert status == 400
    assert "leave it out" in detail


async def test_a_pipeline_sees_and_ends_its_owner_s_jobs_in_its_team_and_nothing_else(web: Web) -> None:
    token = await pipeline_token(web)
    own_job = (await web.api("POST", "requests", body=job()))["id"]
    own_notebook = (await web.api("POST", "requests", body=notebook()))["id"]
    foreign = (await web.api("POST", "requests", "colleague", job()))["id"]
    assert (await web.api("GET", f"requests/{own_job}", token))["id"] == own_job
    assert (await web.api("GET", f"requests/{pipeline_of(token)}", token))["kind"] == "pipeline"
    for hidden in (own_notebook, foreign):
        assert (await web.problem("GET", f"requests/{hidden}", token))[0] == 404
        assert (await web.problem("DELETE", f"requests/{hidden}", token))[0] == 404
    listed = (await web.api("GET", "requests", token))["items"]
    assert [view["id"] for view in listed] == [own_job]
    assert (await web.api("GET", "requests?kind=notebook,pipeline", token))["items"] == []
    await web.api("DELETE", f"requests/{own_job}", token)
    await ended(web, own_job)


async def test_what_its_owner_has_in_another_team_is_not_a_pipeline_s(web: Web) -> None:
    elsewhere = (await web.api("POST", "requests", "both", job(team="speech")))["id"]
    view = await web.api("POST", "requests", "both", pipeline(team="vision"))
    task = TaskId(f"{view['id']}-1-g1-pipeline-0")
    await web.service.ledger.until(lambda: True if task in web.backend.launches else None)
    token = web.backend.spec(task).env["CAPACITY_TOKEN"]
    assert (await web.problem("GET", f"requests/{elsewhere}", token))[0] == 404
    assert (await web.problem("GET", "requests?team=speech", token))[0] == 403
    assert (await web.api("GET", "requests?team=vision", token))["items"] == []


async def test_a_pipeline_uses_model_servers_of_its_owner_alone(web: Web) -> None:
    token = await pipeline_token(web)
    own, foreign = [(await web.api("POST", "requests", who, SERVING))["id"] for who in (token, "colleague")]
    for model in (own, foreign):
        await web.service.ledger.until(lambda model=model: web.service.controller.endpoint(model))
    assert (await web.problem("GET", f"serving/{own}/v2/models", token))[0] == 503  # nothing listens there
    assert (await web.problem("GET", f"serving/{foreign}/v2/models", token))[0] == 404


async def test_a_pipeline_s_token_is_worth_nothing_once_its_run_is_over(web: Web) -> None:
    token = await pipeline_token(web)
    assert (await web.ask("GET", "api/v1/requests", token)).code == 200
    name = pipeline_of(token)
    web.backend.finish(TaskId(f"{name}-1-g1-pipeline-0"), 0)
    await ended(web, name)
    status, code, detail = await web.problem("GET", "requests", token)
    assert (status, code) == (401, "not-authenticated")
    assert "while its run holds its resources" in detail


async def test_a_pipeline_that_is_being_stopped_ends_its_jobs_and_starts_none(web: Web) -> None:
    web.backend.stops_at_once = False
    token = await pipeline_token(web)
    child = (await web.api("POST", "requests", token, job()))["id"]
    await web.api("DELETE", f"requests/{pipeline_of(token)}")
    status, _, detail = await web.problem("POST", "requests", token, job())
    assert (status, "is being stopped" in detail) == (409, True)
    await web.api("DELETE", f"requests/{child}", token)
    for task in list(web.backend.launches):
        web.backend.finish(TaskId(task), 143)
    await ended(web, child)


@pytest.mark.parametrize("kind", ["training", "serving"])
async def test_a_token_of_another_kind_of_allocation_is_none(web: Web, kind: str) -> None:
    from jupyterhub_mesos.pipeline.plan import workload_token  # noqa: PLC0415 - what an attacker would do

    view = await web.api("POST", "requests", body=job() if kind == "training" else SERVING)
    name = AllocationId(f"{view['id']}-1")
    forged = workload_token(name, web.service.controller.secret(name))
    assert (await web.ask("GET", "api/v1/requests", forged)).code == 401


async def test_a_made_up_token_is_none_and_the_hub_is_not_asked(web: Web) -> None:
    token = await pipeline_token(web)
    asked = web.hub.asked
    for shown in (
        token[:-1] + ("0" if token[-1] != "0" else "1"),
        "capwork_",
        "capwork_x.y",
        "capteam_x",
        "capteam_é",
    ):
        answer = await web.ask("GET", "api/v1/requests", None, Authorization=f"token {shown}")
        assert answer.code == 401
    assert web.hub.asked == asked


# ---- a team's ----------------------------------------------------------------------------------------


async def test_a_team_s_token_asks_for_jobs_and_pipelines_as_the_team_s_robot(web: Web) -> None:
    token = (await team_token(web))["token"]
    for body in (job(), SERVING, pipeline()):
        view = await web.api("POST", "requests", token, body)
        assert (view["user"], view["team"]) == ("team/vision", "vision")
        assert (await web.api("GET", f"requests/{view['id']}", token))["id"] == view["id"]
    listed = (await web.api("GET", "requests", token))["items"]
    assert {view["kind"] for view in listed} == {"training", "serving", "pipeline"}
    assert (await web.problem("POST", "requests", token, notebook()))[0] == 403
    assert (await web.problem("POST", "requests", token, job(team="speech")))[0] == 403


async def test_a_team_s_token_sees_and_ends_what_it_made_and_its_admins_do_too(web: Web) -> None:
    token = (await team_token(web))["token"]
    own = (await web.api("POST", "requests", token, job()))["id"]
    person_s = (await web.api("POST", "requests", body=job()))["id"]
    assert (await web.problem("GET", f"requests/{person_s}", token))[0] == 404
    assert (await web.problem("GET", f"requests/{own}"))[0] == 404, "a member is no owner of the robot's"
    assert (await web.api("GET", f"requests/{own}", "teamadmin"))["user"] == "team/vision"
    await web.api("DELETE", f"requests/{own}", token)
    await ended(web, own)


async def test_the_robot_s_pipeline_asks_as_the_robot(web: Web) -> None:
    token = (await team_token(web))["token"]
    own = await pipeline_token(web, token)
    view = await web.api("POST", "requests", own, job())
    assert (view["user"], view["parent"]) == ("team/vision", pipeline_of(own))
    assert (await web.api("GET", f"requests/{view['id']}", token))["id"] == view["id"]


async def test_tokens_are_listed_without_secrets_with_who_made_them_and_when_used(web: Web) -> None:
    made = await team_token(web, expires_in_days=30)
    [before] = (await web.api("GET", "teams/vision/tokens", "labadmin"))["items"]
    assert before == made["view"]
    assert (before["name"], before["made_by"], before["last_used_at"]) == ("gitlab", "tara", None)
    assert before["expires_at"] - before["made_at"] == 30 * 86400
    await web.api("GET", "requests", made["token"])
    await web.api("GET", "requests", made["token"])
    [after] = (await web.api("GET", "teams/vision/tokens", "admin"))["items"]
    assert after["last_used_at"] == pytest.approx(time.time(), abs=30)
    assert made["token"] not in json.dumps(after)


async def test_a_revoked_token_is_worth_nothing_at_once(web: Web) -> None:
    made = await team_token(web)
    answer = await web.ask("DELETE", f"api/v1/teams/vision/tokens/{made['view']['id']}", "teamadmin")
    assert answer.code == 204
    status, _, detail = await web.problem("GET", "requests", made["token"])
    assert status == 401
    assert "revoked" in detail
    assert (await web.api("GET", "teams/vision/tokens", "teamadmin"))["items"] == []


async def test_an_expired_token_says_so_and_is_listed_as_such(web: Web) -> None:
    made = await team_token(web)
    ledger = web.service.ledger
    row = ledger.memory.tokens[made["view"]["id"]]
    old = TokenRow(row.id, row.team, row.name, row.digest, row.made_by, 1.0, 2.0)
    await ledger.apply(Change(None, (old,)))
    status, _, detail = await web.problem("GET", "requests", made["token"])
    assert (status, "has expired" in detail) == (401, True)
    assert (await web.api("GET", "teams/vision/tokens", "admin"))["items"][0]["is_expired"] is True


async def test_a_second_token_of_one_name_is_refused(web: Web) -> None:
    await team_token(web)
    status, code, detail = await web.problem("POST", "teams/vision/tokens", "admin", {"name": "gitlab"})
    assert (status, code) == (409, "conflict")
    assert "choose another name" in detail


@pytest.mark.parametrize("body", [{"name": "x", "expires_in_days": 366}, {"name": ""}, {}, {"name": "a b"}])
async def test_what_is_no_order_of_a_token_is_refused(web: Web, body: dict[str, Any]) -> None:
    assert (await web.problem("POST", "teams/vision/tokens", "admin", body))[0] == 400


async def test_tokens_go_with_their_team_and_do_not_come_back_with_it(web: Web) -> None:
    token = (await team_token(web))["token"]
    tree = (await web.api("GET", "teams", "admin"))["teams"]
    teams = {team["id"]: team["team"] for team in tree}
    without = {"teams": {name: team for name, team in teams.items() if name != "vision"}}
    await web.api("PUT", "teams", "admin", without)
    assert (await web.ask("GET", "api/v1/requests", token)).code == 401
    await web.api("PUT", "teams", "admin", {"teams": teams})
    assert (await web.ask("GET", "api/v1/requests", token)).code == 401


async def test_tokens_are_kept_hashed_audited_and_out_of_the_log(
    web: Web, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made, own = await team_token(web), await pipeline_token(web)
    await web.api("POST", "requests", made["token"], job())
    await web.api("POST", "requests", own, job())
    await web.ask("DELETE", f"api/v1/teams/vision/tokens/{made['view']['id']}", "teamadmin")
    audit = await web.service.ledger.read(lambda store: store.audit(made["view"]["id"]))
    assert [(row.who, row.what) for row in audit] == [("tara", "token revoked"), ("tara", "token made")]
    everything = await web.service.ledger.read(lambda store: store.audit(limit=500))
    assert any(row.who.startswith("team/vision with the token gitlab (t") for row in everything)
    files = [tmp_path / "ledger.sqlite", tmp_path / "ledger.sqlite-wal"]
    written = b"".join([await asyncio.to_thread(file.read_bytes) for file in files])
    for secret in (made["token"], own):
        assert secret not in caplog.text
        assert secret.encode() not in written
