"""What is shown of a payload, and to whom; what is refused in one because it would be shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient

from jupyterhub_mesos.giturls import holds_secret
from web_cases import Web, pipeline

TEXT = "print('the whole source')"
DIFF = "+a line of the difference"


def training() -> dict[str, Any]:
    resources = {"cpu_millis": 500, "mem_mib": 256}
    role = {"argv": ["python", "train.py"], "env": {"API_KEY": "s3cret"}, "resources": resources}
    source = {"files": [{"path": "train.py", "text": TEXT}], "diff": DIFF}
    job = {"name": "digits", "roles": [role], "source": source, "restart": {"max_restarts": 0}}
    return {"payload": {"kind": "training", "job": job}}


def shown(view: Any) -> tuple[dict[str, str], dict[str, str]]:
    """Return the role's env and the files' texts of a view."""
    job = view["payload"]["job"]
    return job["roles"][0]["env"], {file["path"]: file["text"] for file in job["source"]["files"]}


async def first_events(web: Web, request_id: str, who: str) -> dict[str, Any]:
    """Return the first snapshot of `who`'s live events."""
    said: list[bytes] = []

    def take(piece: bytes) -> None:
        said.append(piece)
        if b"event: request\n" in b"".join(said):
            web.service.context.feed.close()

    await AsyncHTTPClient().fetch(
        f"{web.service.url}api/v1/events?request={request_id}",
        headers={"Authorization": f"token {who}"},
        streaming_callback=take,
        request_timeout=20,
    )
    blocks = [block.split("\n") for block in b"".join(said).decode().split("\n\n") if "event: " in block]
    fields = [dict(line.split(": ", 1) for line in lines) for lines in blocks]
    return {event["event"]: json.loads(event["data"]) for event in fields}


async def test_the_files_of_a_job_are_in_the_answer_to_one_request_only(web: Web) -> None:
    asked = await web.api("POST", "requests", body=training())
    path = f"requests/{asked['id']}"
    empty = {"train.py": ""}
    assert shown(asked)[1] == empty
    assert shown((await web.api("GET", "requests"))["items"][0])[1] == empty
    assert asked["payload"]["job"]["source"]["diff"] == ""
    one = await web.api("GET", path)
    assert shown(one)[1] == {"train.py": TEXT}
    assert one["payload"]["job"]["source"]["diff"] == DIFF
    page = await web.ask("GET", path, "member")
    assert TEXT not in page.body.decode()
    assert DIFF not in page.body.decode()
    events = await first_events(web, asked["id"], "member")
    assert shown(events["request"])[1] == empty
    assert shown(events["requests"][0])[1] == empty
    assert shown(await web.api("DELETE", path))[1] == empty


@pytest.mark.parametrize("who", ["teamadmin", "labadmin", "admin", "operator"])
async def test_the_environment_of_a_job_is_its_owners(web: Web, who: str) -> None:
    asked = await web.api("POST", "requests", body=training())
    path = f"requests/{asked['id']}"
    assert shown(await web.api("GET", path))[0] == {"API_KEY": "s3cret"}
    assert shown(await web.api("GET", path, who))[0] == {"API_KEY": "***"}
    assert shown((await web.api("GET", "requests", who))["items"][0])[0] == {"API_KEY": "***"}
    events = await first_events(web, asked["id"], who)
    assert shown(events["request"])[0] == {"API_KEY": "***"}


async def test_a_bundles_address_with_a_password_is_refused_and_not_repeated(web: Web) -> None:
    payload = {"kind": "serving", "name": "digits", "bundle": "https://ada:hush@git.example/models.git"}
    status, code, detail = await web.problem("POST", "requests", body={"payload": payload})
    assert (status, code) == (400, "invalid-input")
    assert "git credential helper" in detail
    assert "hush" not in detail


@pytest.mark.parametrize(
    ("address", "holds"),
    [
        ("https://ada:hush@git.example/x.git", True),
        ("HTTPS://token@git.example/x.git", True),
        ("https://ada:with@sign@git.example/x.git", True),
        ("ssh://git:hush@git.example/x.git", True),
        ("ssh://git@git.example/x.git", False),
        ("git@git.example:x.git", False),
        ("https://git.example/~team/x@1.git", False),
        ("~/lake/team/models.git", False),
    ],
)
def test_which_addresses_hold_a_secret(address: str, holds: bool) -> None:
    assert holds_secret(address) is holds


async def test_a_pipeline_has_resources_of_its_own_or_those_that_are_asked_for(web: Web) -> None:
    usual = (await web.api("POST", "requests", body=pipeline()))["resources"]
    assert (usual["cpu_millis"], usual["mem_mib"]) == (500, 1024)
    more = {"cpu_millis": 1000, "mem_mib": 2048, "accelerators": {}}
    assert (await web.api("POST", "requests", body=pipeline(resources=more)))["resources"] == more
    less = pipeline(resources={"cpu_millis": 1, "mem_mib": 1})
    status, _, detail = await web.problem("POST", "requests", body=less)
    assert (status, detail.startswith("resources: 1 cpu_millis and 1 mem_mib asked for")) == (400, True)


async def test_a_pipeline_s_repository_holds_no_password(web: Web) -> None:
    order = pipeline(payload={"repository": "https://mia:s3cret@git.example/digits.git"})
    status, _, detail = await web.problem("POST", "requests", body=order)
    assert status == 400
    assert "credential helper" in detail
    assert "s3cret" not in detail
