from __future__ import annotations

import re
from pathlib import Path

import pytest

from jupyterhub_mesos.service.web.routes import ROUTES, Access, Route
from web_cases import Web

API_PAGE = Path(__file__).parents[3] / "docs" / "reference" / "api.md"
CALLS = [(method, route) for route in ROUTES for method in route.methods]


def path_of(route: Route) -> str:
    path = route.path.replace("servers/USER/SERVER", "servers/mia/~")
    return re.sub(r"\bID\b", "r000", path).replace("PATH", "models")


def named(call: tuple[str, Route]) -> str:
    return f"{call[0]} {call[1].path}"


@pytest.mark.parametrize("call", CALLS, ids=named)
async def test_without_a_token_only_what_is_for_everybody_answers(web: Web, call: tuple[str, Route]) -> None:
    method, route = call
    response = await web.ask(method, path_of(route), None)
    if route.path == "oauth_callback":
        assert response.code == 400
    elif route.access is Access.EVERYBODY:
        assert response.code == 200
    elif route.path.startswith("api/"):
        assert response.code == 401
    else:
        assert response.code == 302
        assert "/hub/api/oauth2/authorize" in response.headers["Location"]


@pytest.mark.parametrize("who", ["stranger", "member", "teamadmin", "admin", "outsider", "nobody-s-token"])
@pytest.mark.parametrize("call", [call for call in CALLS if call[1].path != "api/v1/events"], ids=named)
async def test_no_route_fails_whoever_asks(web: Web, call: tuple[str, Route], who: str) -> None:
    method, route = call
    response = await web.ask(method, path_of(route), who)
    assert response.code < 500
    if who == "outsider" and route.access is Access.USER:
        assert response.code == 403
    if route.access is Access.HUB:
        assert response.code == 401
    if who == "nobody-s-token" and route.access is Access.USER:
        assert response.code in {401, 302}


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
