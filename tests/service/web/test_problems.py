from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyterhub_mesos.service.web.codes import codes, table
from jupyterhub_mesos.service.web.routes import ROUTES
from web_cases import Web, notebook

API_PAGE = Path(__file__).parents[3] / "docs" / "reference" / "api.md"


def test_the_reference_has_the_table_of_codes_as_the_errors_make_it() -> None:
    assert table() in API_PAGE.read_text(encoding="utf-8")


def test_no_code_comes_with_two_statuses() -> None:
    assert len({one.code for one in codes()}) == len(codes())


async def test_a_method_that_a_route_has_not_is_answered_with_those_that_it_has(web: Web) -> None:
    for method, path, allowed in (
        ("PUT", "requests", "GET, POST"),
        ("POST", "teams", "GET, PUT"),
        ("DELETE", "queue/pause", "POST"),
        ("PATCH", "queue", "GET"),
    ):
        answer = await web.ask(method, f"api/v1/{path}")
        assert (answer.code, answer.headers["Allow"]) == (405, allowed)
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_methods_that_a_handler_has_are_those_of_its_routes() -> None:
    api = [route for route in ROUTES if hasattr(route.handler, "methods")]
    assert len(api) > 20
    for route in api:
        assert set(route.handler.methods()) == set(route.methods), route.path  # type: ignore[attr-defined]


async def test_a_body_of_another_type_is_refused_with_the_one_that_is_taken(web: Web) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await web.ask("POST", "api/v1/requests", body=notebook(), **headers)
    assert answer.code == 415
    assert "application/json" in json.loads(answer.body)["detail"]
    headers = {"Content-Type": "application/JSON; charset=utf-8"}
    assert (await web.ask("POST", "api/v1/requests", body=notebook(), **headers)).code == 201


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("requests?usr=mia", "no parameter 'usr'; it takes limit, cursor, since, until, user"),
        ("capacity?verbose=1", "no parameter 'verbose'; it takes none"),
        ("queue?kind=dance", "kind: Input should be 'notebook'"),
        ("nodes?limit=0", "limit: Input should be greater than or equal to 1"),
        ("nodes?limit=1&limit=2", "limit: given 2 times"),
        ("requests?since=2026-12-01T09:00", "since: say the zone too"),
        ("requests?user=a%00", "NUL"),
        ("requests?user=%ff", "UTF-8"),
        ("nodes?cursor=next", "is no cursor"),
        ("audit?cursor=99999999999999999999", "is no cursor"),
    ],
)
async def test_a_parameter_that_does_not_hold_is_refused_with_what_is_possible(
    web: Web, path: str, words: str
) -> None:
    status, code, detail = await web.problem("GET", path, "admin")
    assert (status, code) == (400, "invalid-input")
    assert words in detail
