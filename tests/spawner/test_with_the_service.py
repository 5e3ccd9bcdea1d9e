"""The spawner, the real service and the real hub together: refused, queued, started by itself, removed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import requests

from deadlines import eventually
from jupyterhub_mesos.cli.person import Person
from jupyterhub_mesos.cli.proxy import proxy_command
from jupyterhub_mesos.cli.supervisor import Supervisor, SupervisorSettings
from jupyterhub_mesos.client import Client
from jupyterhub_mesos.errors import CapacityError
from jupyterhub_mesos_quota.model import RequestStatus
from requirements import require

CONFIG = Path(__file__).resolve().parent.parent / "up_config.py"
SECONDS = 60.0


def has_proxy() -> bool:
    try:
        proxy_command()
    except CapacityError:
        return False
    return True


class Someone:
    """A person of a team, logged in at the hub's form."""

    def __init__(self, up: Supervisor, name: str, team: str) -> None:
        person = Person(up.urls.public, name, up.folder.password(team))
        person.log_in()
        self.requests = Client(person.service_url, person.token)
        self._url = f"{up.urls.public}hub/api/users/{name}"
        self._head = {"Authorization": f"token {person.token}"}

    def call(self, method: str, path: str, body: object = None) -> requests.Response:
        return requests.request(method, self._url + path, json=body, headers=self._head, timeout=SECONDS)

    def is_ready(self, server: str) -> bool:
        return bool(self.call("GET", "").json()["servers"].get(server, {}).get("ready"))

    def statuses(self) -> dict[str, RequestStatus]:
        return {view.name: view.status for view in self.requests.requests()}


def a_day_of(ann: Someone) -> None:
    # options that ask for more than a profile gives, or in another's name, are refused at the door
    smuggled = ann.call("POST", "/servers/one", {"profile": "medium", "cpu_millis": 64000})
    assert (smuggled.status_code, "cpu_millis" in smuggled.json()["message"]) == (400, True)
    foreign = ann.call("POST", "/servers/one", {"profile": "medium", "team": "speech"})
    assert (foreign.status_code, "speech" in foreign.json()["message"]) == (403, True)
    assert ann.statuses() == {}

    # there is room for one of a core and a half of the team's limit; what is more waits
    assert ann.call("POST", "/servers/one", {"profile": "large"}).status_code == 201
    denied = ann.call("POST", "/servers/two", {"profile": "large"})
    assert denied.status_code == 409
    assert "/services/capacity/requests/" in denied.headers["Link"]
    assert int(denied.headers["Retry-After"]) > 0
    assert ann.call("POST", "/servers/three", {"profile": "large"}).status_code == 409
    again = ann.call("POST", "/servers/two", {"profile": "large"})
    assert (again.status_code, again.headers["Link"]) == (409, denied.headers["Link"])

    # a removed server waits no more
    assert ann.call("DELETE", "/servers/three", {"remove": True}).status_code == 204
    waits = {"one": RequestStatus.ACTIVE, "two": RequestStatus.QUEUED, "three": RequestStatus.WITHDRAWN}
    assert ann.statuses() == waits

    # when room comes, the one that waited starts by itself
    assert ann.call("DELETE", "/servers/one").status_code in {202, 204}
    eventually(lambda: ann.is_ready("two"), "the server that waited starts by itself", SECONDS)
    assert ann.statuses() == waits | {"one": RequestStatus.ENDED, "two": RequestStatus.ACTIVE}
    assert ann.call("GET", "").json()["servers"]["two"]["user_options"]["profile"] == "large"


@pytest.mark.timeout(180)
async def test_a_start_is_refused_queued_and_comes_by_itself(tmp_path: Path) -> None:
    require("configurable-http-proxy (make set-up installs it)", has_proxy())
    settings = SupervisorSettings(state=tmp_path / "state", config=CONFIG, stop_notebooks=True)
    async with Supervisor(settings) as up:
        ann = await asyncio.to_thread(Someone, up, "ann", "vision")
        await asyncio.to_thread(a_day_of, ann)
