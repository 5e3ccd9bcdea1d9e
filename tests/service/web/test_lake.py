"""The lake's connections: who gets a session, and where its key never is."""

from __future__ import annotations

import configparser
import json
import logging
import shlex
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from jupyterhub_mesos.errors import TooMany
from jupyterhub_mesos.lake.sessions import Sessions
from jupyterhub_mesos.service.identity import Identity
from jupyterhub_mesos.service.lake import NOUN, LakeOperations
from jupyterhub_mesos.service.rates import WriteRates
from jupyterhub_mesos.tasks import TaskId, TaskSpec
from jupyterhub_mesos.wire import ConnectionsView
from jupyterhub_mesos_quota.model import RequestId
from service.web.test_pages import Browser, xsrf_of
from web_cases import HUB_KEY, LAKE_SECRET, Web, connections, job

CREDENTIALS = "lake/data/credentials"


async def launched(web: Web, who: str = "member", body: Any = None) -> tuple[str, TaskSpec]:
    """Have a job run; return its request and what its task was given."""
    view = await web.api("POST", "requests", who, body or job())
    task = f"{view['id']}-1-g1-worker-0"
    found = await web.service.ledger.until(lambda: task if task in web.backend.launches else None)
    return view["id"], web.backend.spec(TaskId(found))


def files(spec: TaskSpec) -> Mapping[str, bytes]:
    return {file.path: file.content for file in spec.files}


def everything_in(folder: Path) -> str:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file()).decode("latin-1")


async def test_everybody_sees_the_connections_of_their_teams_and_no_key(web: Web) -> None:
    seen = {
        who: [found["name"] for found in (await web.api("GET", "lake", who))["connections"]]
        for who in ("member", "speaker", "both", "stranger", "admin")
    }
    assert seen == {
        "member": ["data"],
        "speaker": ["words"],
        "both": ["data", "words"],
        "stranger": [],
        "admin": [],
    }
    answer = (await web.ask("GET", "api/v1/lake")).body.decode()
    assert "AKIA" not in answer
    assert LAKE_SECRET not in answer


async def test_a_member_gets_a_session_and_a_foreign_connection_is_none(web: Web) -> None:
    session = await web.api("POST", CREDENTIALS)
    assert (session["access_key_id"], session["secret_access_key"]) == ("AKIAPLANTED", LAKE_SECRET)
    assert session["expiration"] - web.service.ledger.clock() > 1200
    for name in ("words", "none-such"):
        status, code, words = await web.problem("POST", f"lake/{name}/credentials")
        assert (status, code) == (404, "not-found")
        assert words == f"No team of mia has a connection '{name}': ask an admin for it."


async def test_a_page_gets_no_session_whatever_it_shows(web: Web) -> None:
    browser = Browser(web)
    xsrf = xsrf_of(await browser.visit(""))
    listed = await browser.fetch(f"{web.service.url}api/v1/lake?_xsrf={xsrf}", "cors")
    assert listed.code == 200  # the cookie is good
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    for authorization in ("", "Basic bWlhOng=", "token "):
        headers = {"Cookie": cookies, "X-Xsrftoken": xsrf, "Authorization": authorization}
        shown = {name: value for name, value in headers.items() if value}
        answer = await web.ask("POST", f"api/v1/{CREDENTIALS}?_xsrf={xsrf}", None, {}, **shown)
        assert answer.code in {401, 403}, answer.body
        assert LAKE_SECRET not in answer.body.decode()


async def test_a_task_is_led_to_its_team_s_connections_and_given_no_key(web: Web) -> None:
    _, spec = await launched(web)
    assert spec.env["AWS_S3_BUCKET"] == spec.env["AWS_S3_BUCKET_DATA"] == "data"
    assert spec.env["AWS_S3_ENDPOINT"] == "http://s3.example.org:9000"
    assert (spec.env["AWS_S3_PREFIX"], spec.env["AWS_DEFAULT_REGION"]) == ("base", "us-east-1")
    assert spec.env["AWS_CONFIG_FILE"] == "{task}/lake/aws-config"
    assert spec.env["CAPACITY_API_URL"] == web.service.url
    config = configparser.RawConfigParser()
    config.read_string(files(spec)["lake/aws-config"].decode())
    assert config.sections() == ["default", "profile data"]
    command = shlex.split(config["profile data"]["credential_process"])
    assert command[1:] == ["-I", "-m", "jupyterhub_mesos.lake.credentials", "data"]
    listed = ConnectionsView.model_validate_json(files(spec)["lake/sources.json"])
    assert [view.name for view in listed.connections] == ["data"]
    assert LAKE_SECRET not in f"{spec.env}{files(spec)}{spec.argv}"
    assert "AKIA" not in f"{spec.env}{files(spec)}{spec.argv}"


async def test_a_notebook_and_a_model_server_are_led_there_too(web: Web) -> None:
    payload = {"kind": "serving", "name": "digits", "bundle": "~/models.git"}
    model = await web.api("POST", "requests", body={"payload": payload})
    task = TaskId(f"{model['id']}-1-g1-server-0")
    await web.service.ledger.until(lambda: True if task in web.backend.launches else None)
    start = {"user": "mia", "groups": ["vision"], "server_name": "", "options": {"profile": "small"}}
    hub = {"Authorization": f"Bearer {HUB_KEY}"}
    claim = json.loads((await web.ask("POST", "api/v1/hub/starts", None, start, **hub)).body)
    launch = {"argv": ["server"], "env": {"JUPYTERHUB_API_TOKEN": "x"}}
    path = f"api/v1/hub/allocations/{claim['allocation_id']}/launch"
    assert (await web.ask("PUT", path, None, launch, **hub)).code in {200, 202}
    notebook = TaskId(f"{claim['allocation_id']}-g1-notebook-0")
    await web.service.ledger.until(lambda: True if notebook in web.backend.launches else None)
    for name in (task, notebook):
        spec = web.backend.spec(name)
        assert "lake/aws-config" in files(spec)
        session = await web.api("POST", CREDENTIALS, spec.env["LAKE_TOKEN"])
        assert session["secret_access_key"] == LAKE_SECRET


async def test_a_team_without_connections_has_its_tasks_as_ever(web: Web) -> None:
    tree = {
        "teams": {
            "lab": {"admin_groups": ["lab-admins"]},
            "sound": {"parent": "lab", "groups": ["speech"]},
        }
    }
    await web.api("PUT", "teams", "admin", tree)
    _, spec = await launched(web, "speaker", job(team="sound"))
    assert "LAKE_TOKEN" not in spec.env
    assert "AWS_CONFIG_FILE" not in spec.env
    assert "lake/aws-config" not in files(spec)


async def test_a_task_s_token_is_good_for_its_team_s_sessions_alone_while_it_lives(web: Web) -> None:
    request_id, spec = await launched(web, "both", job(team="vision"))
    token = spec.env["LAKE_TOKEN"]
    assert (await web.api("POST", CREDENTIALS, token))["secret_access_key"] == LAKE_SECRET
    assert [found["name"] for found in (await web.api("GET", "lake", token))["connections"]] == ["data"]
    status, _, words = await web.problem("POST", "lake/words/credentials", token)
    assert (status, "No team of bo has a connection 'words'" in words) == (404, True)
    for method, path in (
        ("GET", "requests"),
        ("POST", "requests"),
        ("GET", f"requests/{request_id}"),
        ("DELETE", f"requests/{request_id}"),
        ("GET", "teams"),
        ("GET", "capacity"),
        ("GET", f"serving/{request_id}/v2/models"),
    ):
        assert (await web.problem(method, path, token, {} if method == "POST" else None))[0] == 403, path
    assert (await web.ask("GET", "", token)).code == 403
    last = "1" if token.endswith("0") else "0"
    for forged in (token[:-1] + last, token.replace(request_id, "r0"), "caplake_", "caplake_x.y"):
        assert forged != token
        assert (await web.problem("POST", CREDENTIALS, forged))[0] == 401
    await web.api("DELETE", f"requests/{request_id}", "both")
    await web.service.ledger.until(
        lambda: True if web.service.ledger.row(RequestId(request_id)) is None else None
    )
    assert (await web.problem("POST", CREDENTIALS, token))[0] == 401


async def test_every_session_stands_in_the_audit_and_the_key_nowhere(
    web: Web, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    request_id, spec = await launched(web)
    await web.api("POST", CREDENTIALS, spec.env["LAKE_TOKEN"])
    await web.api("POST", CREDENTIALS)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as ledger:
        rows = ledger.execute("SELECT who, subject, why FROM audit WHERE what = 'lake opened'").fetchall()
    assert rows == [("mia", "data", f"for request {request_id}"), ("mia", "data", "with a token of the hub")]
    pages = [
        (await web.ask("GET", path)).body.decode()
        for path in ("", "queue", f"requests/{request_id}", f"api/v1/requests/{request_id}", "health")
    ]
    kept = everything_in(tmp_path)
    for secret in (LAKE_SECRET, "AKIAPLANTED", spec.env["LAKE_TOKEN"].rpartition(".")[2]):
        assert secret not in caplog.text
        assert secret not in kept
        assert secret not in "".join(pages)


async def test_one_person_s_sessions_are_bounded(web: Web) -> None:
    rates = WriteRates(2, lambda: 0.0, NOUN)
    lake = LakeOperations(web.service.ledger, connections(), Sessions(lambda: 0.0), rates)
    mia, cora = (Identity(name, frozenset({"vision"})) for name in ("mia", "cora"))
    for _ in range(2):
        await lake.session(mia, "data")
    with pytest.raises(TooMany, match="mia has asked for more than 2 sessions of the lake in a minute"):
        await lake.session(mia, "data")
    assert await lake.session(cora, "data")


async def test_a_connection_whose_key_is_missing_says_so_to_who_asks(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_LAKE_SECRET_ACCESS_KEY")
    status, _, words = await web.problem("POST", CREDENTIALS)
    assert status == 503
    assert words == "Connection data cannot be opened now: an admin finds the reason in the service's log."
