from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deadlines import DEADLINE_SECONDS
from jupyterhub_mesos.service.web.routes import ROUTES, Route
from web_cases import HUB_KEY, Web, notebook, pipeline_token

API_PAGE = Path(__file__).parents[3] / "docs" / "reference" / "api.md"
CALLS = [(method, route) for route in ROUTES for method in route.methods]


ROLES = {
    "nobody": {},
    "stranger": {"Authorization": "token stranger"},  # in no team
    "other team": {"Authorization": "token speaker"},
    "colleague": {"Authorization": "token colleague"},  # in the owner's team
    "owner": {"Authorization": "token member"},
    "team admin": {"Authorization": "token teamadmin"},
    "admin": {"Authorization": "token admin"},
    "no access": {"Authorization": "token outsider"},  # of the owner's team, without the service's scope
    "wrong token": {"Authorization": "token nobody-s"},
    "hub": {"Authorization": f"Bearer {HUB_KEY}"},
    "own pipeline": {},  # the token of a pipeline of the owner's; the object is not what it asked for
    "team's token": {},  # of the owner's team, whose robot is another user
}

# in the order of ROLES; the objects are the owner's, of team vision
EVERYBODY = (200,) * 12
USERS = (401, 200, 200, 200, 200, 200, 200, 403, 401, 401, 403, 403)
ASKERS = (*USERS[:-2], 200, 200)
OWN = (401, 404, 404, 404, 200, 200, 200, 403, 401, 401, 200, 404)
MEMBERS = (401, 403, 201, 201, 201, 201, 403, 403, 401, 401, 403, 403)  # a notebook, charged to a team
BATCH = (*USERS[:-2], 200, 200)  # each item has its own outcome
TEAM = (401, 404, 404, 503, 503, 503, 503, 403, 401, 401, 503, 404)  # 503: let through, nothing listens
EXTENDED = (401, 404, 404, 404, 403, 409, 409, 403, 401, 401, 403, 403)  # 409: let through, it has no limit
STARTED = (401, 404, 404, 404, 409, 403, 403, 403, 401, 401, 403, 403)  # 409: let through, it runs
PAUSED = (401, 404, 404, 403, 403, 200, 409, 403, 401, 401, 403, 403)  # 409: the team admin was first
RESUMED = (*PAUSED[:5], 409, *PAUSED[6:])  # 409: let through, nothing is paused
ADMINS = (401, 403, 403, 403, 403, 403, 200, 403, 401, 401, 403, 403)
TOKENS = (401, 404, 404, 403, 403, 200, 200, 403, 401, 401, 403, 403)
TOKENS_MADE = (*TOKENS[:5], 201, 409, *TOKENS[7:])  # 409: the team admin has made one of that name
TOKENS_GONE = (*TOKENS[:5], 204, 404, *TOKENS[7:])  # 404: the team admin has revoked it
TEAM_EDITED = (401, 404, 404, 403, 403, 403, 200, 403, 401, 401, 403, 403)  # admins of a team above it
LAKE = (401, 404, 404, 200, 200, 200, 404, 403, 401, 401, 403, 403)  # members of the team alone
HUB = (401, 401, 401, 401, 401, 401, 401, 401, 401, 200, 401, 401)
HUB_DELETES = (*HUB[:9], 204, 401, 401)
PAGE = (302, 200, 200, 200, 200, 200, 200, 403, 302, 302, 403, 403)
OWN_PAGE = (302, 404, 404, 404, 200, 200, 200, 403, 302, 302, 403, 403)
NO_LOGIN = (400,) * 12

LEAVING = "POST api/v1/users/USER/leave"
TABLE = {
    "GET health": EVERYBODY,
    "GET ready": (204,) * 12,
    "GET api/openapi.json": EVERYBODY,
    "GET metrics": (*ADMINS,),
    "GET api/v1/requests": ASKERS,
    "POST api/v1/requests": MEMBERS,
    "POST api/v1/requests/batch": BATCH,
    "POST api/v1/requests/batch/cancel": BATCH,
    "GET api/v1/requests/ID": OWN,
    "DELETE api/v1/requests/ID": OWN,
    "POST api/v1/requests/ID/confirm": STARTED,
    "PUT api/v1/requests/ID/start": STARTED,
    "GET api/v1/requests/ID/logs": OWN,
    "GET api/v1/requests/ID/progress": OWN,
    "GET api/v1/requests/ID/session": (*OWN[:-2], 403, 403),
    "POST api/v1/requests/ID/extend": EXTENDED,
    "GET api/v1/queue": USERS,
    "GET api/v1/queue/pauses": USERS,
    "POST api/v1/queue/pause": PAUSED,
    "POST api/v1/queue/resume": RESUMED,
    "GET api/v1/nodes": USERS,
    "POST api/v1/nodes/ID/cordon": ADMINS,
    "POST api/v1/nodes/ID/uncordon": (*ADMINS[:6], 409, *ADMINS[7:]),
    "GET api/v1/reservations": USERS,
    "POST api/v1/reservations": (
        401,
        404,
        404,
        403,
        403,
        409,
        409,
        403,
        401,
        401,
        403,
        403,
    ),  # 409: overbooked
    "POST api/v1/reservations/ID/cancel": (401, *[404] * 6, 403, 401, 401, 403, 403),  # 404: no such
    "POST api/v1/users/USER/rename": (
        *ADMINS[:6],
        400,
        *ADMINS[7:],
    ),  # 400: let through, the name is the same
    LEAVING: (
        *ADMINS[:10],
        401,
        403,
    ),  # 401: the pipeline was ended, its token with it
    "GET api/v1/audit": ADMINS,
    "GET api/v1/audit.csv": ADMINS,
    "GET api/v1/usage": USERS,
    "GET api/v1/usage.csv": USERS,
    "GET api/v1/capacity": ASKERS,
    "GET api/v1/profiles": USERS,
    "GET api/v1/teams": USERS,
    "PUT api/v1/teams": ADMINS,
    "PUT api/v1/teams/TEAM": TEAM_EDITED,
    "DELETE api/v1/teams/TEAM": (*TEAM_EDITED[:6], 400, *TEAM_EDITED[7:]),  # 400: something of it runs
    "GET api/v1/team-edits": (401, 403, 403, 403, 403, 200, 200, 403, 401, 401, 403, 403),
    "POST api/v1/team-edits/REVISION/undo": (401, *[404] * 6, 403, 401, 401, 403, 403),  # 404: no such
    "GET api/v1/teams/TEAM/tokens": TOKENS,
    "POST api/v1/teams/TEAM/tokens": TOKENS_MADE,
    "DELETE api/v1/teams/TEAM/tokens/ID": TOKENS_GONE,
    "GET api/v1/lake": USERS,
    "POST api/v1/lake/NAME/credentials": LAKE,
    "GET api/v1/events": USERS,
    "GET api/v1/serving/ID/v2/PATH": TEAM,
    "POST api/v1/serving/ID/v2/PATH": TEAM,
    "POST api/v1/hub/starts": HUB,
    "PUT api/v1/hub/allocations/ID/launch": HUB,
    "GET api/v1/hub/servers/USER/SERVER": HUB,
    "DELETE api/v1/hub/servers/USER/SERVER": HUB_DELETES,
    "POST api/v1/hub/servers/USER/SERVER/recover": HUB,
    "POST api/v1/hub/servers/USER/SERVER/stop": HUB,
    "GET ": PAGE,
    "GET requests/ID": OWN_PAGE,
    "GET queue": PAGE,
    "GET capacity": PAGE,
    "GET reservations": PAGE,
    "GET usage": PAGE,
    "GET audit": PAGE,
    "GET teams": PAGE,
    "GET oauth_callback": NO_LOGIN,
}


def named(call: tuple[str, Route]) -> str:
    return f"{call[0]} {call[1].path}"


def test_every_route_is_in_the_table_of_who_may() -> None:
    assert {named(call) for call in CALLS} == set(TABLE)
    assert {len(row) for row in TABLE.values()} == {len(ROLES)}


@dataclass(frozen=True)
class Owned:
    """What the owner has: a model server that runs, a notebook that its hub has claimed, two tokens."""

    model: str
    allocation: str
    start: dict[str, Any]
    team_token: str
    shown: dict[str, str]  # by role

    def headers(self, role: str) -> dict[str, str]:
        return {"Authorization": f"token {self.shown[role]}"} if role in self.shown else ROLES[role]

    def path(self, route: Route) -> str:
        path = (
            route.path.replace("servers/USER/SERVER", "servers/mia/~")
            .replace("USER", "mia")
            .replace("PATH", "models")
        )
        path = path.replace("TEAM", "vision").replace("NAME", "data")
        name = self.allocation if "allocations/" in path else self.model
        if "tokens/" in path:
            name = self.team_token
        if "nodes/" in path:
            name = "memory"
        return re.sub(r"\bID\b", name, path).replace("REVISION", "99")

    def body(self, call: str) -> Any:
        bodies = {
            "POST api/v1/requests": notebook(),
            "POST api/v1/requests/batch": {"items": [notebook()]},
            "POST api/v1/requests/batch/cancel": {"ids": [self.model]},
            "PUT api/v1/teams": TREE,
            "PUT api/v1/teams/TEAM": TREE["teams"]["vision"],
            "POST api/v1/teams/TEAM/tokens": {"name": "gitlab"},
            "POST api/v1/hub/starts": self.start,
            "POST api/v1/requests/ID/confirm": {},
            "PUT api/v1/requests/ID/start": {},
            "POST api/v1/requests/ID/extend": {"by_minutes": 5, "reason": "a demo"},
            "POST api/v1/reservations": BOOKING,
            "POST api/v1/reservations/ID/cancel": {"reason": "it is over"},
            "POST api/v1/users/USER/rename": {"to": "mia", "reason": "married"},
            "POST api/v1/users/USER/leave": {"reason": "graduated"},
            "POST api/v1/queue/pause": {"team": "vision", "reason": "new disks"},
            "POST api/v1/queue/resume": {"team": "vision", "reason": "done"},
            "POST api/v1/nodes/ID/cordon": {"reason": "new disks"},
            "POST api/v1/nodes/ID/uncordon": {"reason": "done"},
            "PUT api/v1/hub/allocations/ID/launch": {"argv": ["server"]},
        }
        return bodies.get(call)


BOOKING = {
    "team": "vision",
    "resources": {"cpu_millis": 1000},
    "starts_at": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
    "ends_at": (datetime.now(UTC) + timedelta(days=2)).isoformat(),
    "reason": "a class",
}
TREE = {
    "teams": {
        "lab": {"admin_groups": ["lab-admins"]},
        "vision": {"parent": "lab", "groups": ["vision"], "admin_groups": ["vision-admins"]},
        "speech": {"parent": "lab", "groups": ["speech"], "weight": 2},
    }
}


async def owned(web: Web) -> Owned:
    payload = {"kind": "serving", "name": "digits", "bundle": "~/models.git"}
    model = await web.api("POST", "requests", body={"payload": payload})
    await web.service.ledger.until(lambda: web.service.controller.endpoint(model["id"]))
    start = {"user": "mia", "groups": ["vision"], "server_name": "", "options": {"profile": "small"}}
    claimed = await web.ask("POST", "api/v1/hub/starts", None, start, **ROLES["hub"])
    assert claimed.code == 200, claimed.body
    made = await web.api("POST", "teams/vision/tokens", "admin", {"name": "jenkins"})
    other = await web.api("POST", "teams/vision/tokens", "admin", {"name": "other"})
    shown = {"own pipeline": await pipeline_token(web), "team's token": other["token"]}
    return Owned(model["id"], json.loads(claimed.body)["allocation_id"], start, made["view"]["id"], shown)


@pytest.mark.parametrize("call", CALLS, ids=named)
async def test_who_may_ask_a_route_about_the_things_of_a_team(web: Web, call: tuple[str, Route]) -> None:
    method, route = call
    things = await owned(web)
    if route.path.endswith("events"):
        web.service.context.feed.close()  # a stream that is let in ends at once
    found = {}
    for role in ROLES:
        body = things.body(named(call))
        if named(call) == LEAVING and role == "own pipeline":
            await has_nothing(web, "mia")
        answer = await web.ask(method, things.path(route), None, body, **things.headers(role))
        found[role] = 200 if answer.code == 202 else answer.code  # 202: done, and not all is gone yet
        if answer.code == 302:
            assert "/hub/api/oauth2/authorize" in answer.headers["Location"]
    assert found == dict(zip(ROLES, TABLE[named(call)], strict=True))


async def has_nothing(web: Web, user: str) -> None:
    """Wait until all that a user had is gone."""
    ledger = web.service.ledger
    async with asyncio.timeout(DEADLINE_SECONDS):
        await ledger.until(lambda: None if any(row.request.user == user for row in ledger.rows()) else True)


async def test_what_is_no_route_is_answered_as_a_problem(web: Web) -> None:
    assert (await web.problem("GET", "none-such"))[:2] == (404, "not-found")
    assert (await web.problem("PUT", "requests"))[0] == 405
    page = await web.ask("GET", "none-such", None)
    assert page.code == 404
    assert b"<h1" in page.body


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_every_route_is_in_the_reference(route: Route) -> None:
    page = API_PAGE.read_text(encoding="utf-8")
    shown = "PREFIX" + (route.path or "")
    for method in route.methods:
        assert f"`{method} {shown}`" in page
