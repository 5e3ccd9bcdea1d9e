"""The capacity service as tests of its web side ask it: people, teams, and one call per route."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from jupyterhub_mesos.backends.faulty import MemoryBackend
from jupyterhub_mesos.lake.connections import Connections
from jupyterhub_mesos.service.app import RunningService
from jupyterhub_mesos.service.settings import CapacitySettings, HubSettings
from jupyterhub_mesos.tasks import Mount, TaskId
from jupyterhub_mesos.wire import LakeModel
from small_hub import ACCESS, ADMIN, Person, SmallHub

HUB_KEY = "the-hub-s-key"
PREFIX = "/services/capacity/"
TEAMS = """
teams:
  lab: {guarantee: {cpu_millis: 8000, mem_mib: 16384}, admin_groups: [lab-admins]}
  vision:
    parent: lab
    guarantee: {cpu_millis: 4000, mem_mib: 8192}
    limit: {cpu_millis: 6000, mem_mib: 12288}
    groups: [vision]
    admin_groups: [vision-admins]
  speech:
    parent: lab
    guarantee: {cpu_millis: 1000, mem_mib: 1536}
    limit: {cpu_millis: 4000, mem_mib: 8192}
    groups: [speech]
"""
PROFILES = """
profiles:
  small: {title: Small, resources: {cpu_millis: 500, mem_mib: 512}, is_default: true}
  huge: {title: Huge, resources: {cpu_millis: 6000, mem_mib: 4096}}
  enormous: {title: Enormous, resources: {cpu_millis: 7000, mem_mib: 4096}}
  speech-only: {title: Speech, resources: {cpu_millis: 500, mem_mib: 512}, teams: [speech]}
"""


LAKE_SECRET = "the-planted-secret-of-the-lake"
LAKE = {
    "data": {
        "title": "Data",
        "endpoint": "http://s3.example.org:9000",
        "bucket": "data",
        "prefix": "base",
        "mode": "rw",
        "teams": ("vision",),
        "credentials": {"env": "TEST_LAKE"},
    },
    "words": {"bucket": "words", "teams": ("speech",), "credentials": {"env": "TEST_LAKE"}},
}
LAKE_ENVIRONMENT = {"TEST_LAKE_ACCESS_KEY_ID": "AKIAPLANTED", "TEST_LAKE_SECRET_ACCESS_KEY": LAKE_SECRET}


def connections() -> Connections:
    return Connections(LakeModel.model_validate({"connections": LAKE}))


class NoLake:
    def prepare(self, team: str) -> Path:
        return Path("/nowhere") / team

    def mounts(self, team: str, user: str) -> tuple[Mount, ...]:
        return ()

    def groups(self, team: str) -> tuple[int, ...]:
        return ()

    def env(self, team: str) -> Mapping[str, str]:
        return {}


@dataclass
class Web:
    """The service at work, asked over HTTP."""

    service: RunningService
    hub: SmallHub
    backend: MemoryBackend

    async def ask(
        self, method: str, path: str, who: str | None = "member", body: Any = None, **headers: str
    ) -> HTTPResponse:
        """Ask a route below the prefix; `body` is JSON, or bytes as they are."""
        sent = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        if who is not None:
            headers["Authorization"] = f"token {who}"
        headers.setdefault("Content-Type", "application/json")
        return await AsyncHTTPClient().fetch(
            self.service.url + path,
            method=method,
            headers=headers,
            body=sent if sent is not None or method in {"GET", "DELETE"} else b"",
            raise_error=False,
            follow_redirects=False,
            request_timeout=20,
        )

    async def service_call(self, path: str, who: str = "member") -> HTTPResponse:
        """Look at a route of the API with a client of its own: the shared one has ten places in all."""
        client = SimpleAsyncHTTPClient(force_instance=True)
        try:
            return await client.fetch(
                f"{self.service.url}api/v1/{path}",
                headers={"Authorization": f"token {who}"},
                raise_error=False,
                request_timeout=20,
            )
        finally:
            client.close()

    async def api(self, method: str, path: str, who: str | None = "member", body: Any = None) -> Any:
        """Ask a route of the API and return its JSON."""
        response = await self.ask(method, f"api/v1/{path}", who, body)
        assert response.code < 400, response.body
        return json.loads(response.body)

    async def problem(
        self, method: str, path: str, who: str | None = "member", body: Any = None
    ) -> tuple[int, str, str]:
        """Ask a route that refuses; return status, code and detail."""
        response = await self.ask(method, f"api/v1/{path}", who, body)
        assert response.headers["Content-Type"] == "application/problem+json"
        problem = json.loads(response.body)
        assert problem["status"] == response.code
        return problem["status"], problem["code"], problem["detail"]


def notebook(profile: str = "small", **more: Any) -> dict[str, Any]:
    return {"payload": {"kind": "notebook", "profile": profile}, **more}


def pipeline(name: str = "digits", **more: Any) -> dict[str, Any]:
    payload = {"kind": "pipeline", "name": name, "repository": "~/digits.git", "commit": "ab" * 20}
    return {"payload": payload | more.pop("payload", {}), **more}


def job(name: str = "digits", replicas: int = 1, **more: Any) -> dict[str, Any]:
    resources = {"cpu_millis": 100, "mem_mib": 64} | more.pop("resources", {})
    role = {"argv": ["python", "train.py"], "replicas": replicas, "resources": resources}
    return {
        "payload": {
            "kind": "training",
            "job": {"name": name, "roles": [role], "restart": {"max_restarts": 0}},
        },
        **more,
    }


async def pipeline_token(web: Web, who: str = "member") -> str:
    """Have a pipeline run; return the token that its task was given."""
    view = await web.api("POST", "requests", who, pipeline())
    task = f"{view['id']}-1-g1-pipeline-0"
    found = await web.service.ledger.until(lambda: task if task in web.backend.launches else None)
    return web.backend.spec(TaskId(found)).env["CAPACITY_TOKEN"]


def people() -> dict[str, Person]:
    return {
        "member": Person("mia", ("vision",)),
        "colleague": Person("cora", ("vision",)),
        "speaker": Person("sam", ("speech",)),
        "both": Person("bo", ("speech", "vision")),
        "teamadmin": Person("tara", ("vision-admins",)),
        "labadmin": Person("lea", ("lab-admins",)),
        "admin": Person("ada", (), (ACCESS, ADMIN)),
        "stranger": Person("stan", ()),
        "outsider": Person("otto", ("vision",), ()),
        "operator": Person("operator", (), (ACCESS, ADMIN), "service"),
    }


def settings_for(hub: SmallHub, state: Path) -> CapacitySettings:
    (state / "teams.yaml").write_text(TEAMS)
    (state / "profiles.yaml").write_text(PROFILES)
    return CapacitySettings(
        state_dir=state,
        ip="127.0.0.1",
        port=0,
        prefix=PREFIX,
        hub=HubSettings(hub.api_url, "the-service-s-token", public_host=f"http://127.0.0.1:{hub.port}"),
        hub_key=HUB_KEY,
        cookie_secret="a-secret-for-cookies",
        teams_file=state / "teams.yaml",
        profiles_file=state / "profiles.yaml",
        max_body_bytes=256 * 1024,
    )
