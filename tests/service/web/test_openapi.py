from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from jupyterhub_mesos.service.web.base import ApiHandler
from jupyterhub_mesos.service.web.contract import contract_of
from jupyterhub_mesos.service.web.openapi_examples import EXAMPLES
from jupyterhub_mesos.service.web.routes import ROUTES
from web_cases import PREFIX, Web

API = [
    (route, method) for route in ROUTES for method in route.methods if issubclass(route.handler, ApiHandler)
]


async def document(web: Web) -> Any:
    answer = await web.ask("GET", "api/openapi.json", None)
    assert (answer.code, answer.headers["Content-Type"]) == (200, "application/json")
    return json.loads(answer.body)


async def test_every_route_of_the_api_is_in_the_document_with_who_may_and_what_it_takes(web: Web) -> None:
    told = await document(web)
    assert told["openapi"].startswith("3.1.")
    assert told["servers"] == [{"url": PREFIX.rstrip("/")}]
    assert sum(len(methods) for methods in told["paths"].values()) == len(API)
    post = told["paths"]["/api/v1/requests"]["post"]
    assert post["security"] == [{"hubToken": []}, {"ownToken": []}]
    assert [one["name"] for one in post["parameters"]] == ["Idempotency-Key"]
    reference = post["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert "payload" in told["components"]["schemas"][reference.rpartition("/")[2]]["properties"]
    logs = told["paths"]["/api/v1/requests/{id}/logs"]["get"]["parameters"]
    assert [(one["in"], one["name"]) for one in logs] == [
        ("path", "id"),
        ("query", "task"),
        ("query", "offset"),
        ("query", "limit"),
    ]
    assert told["paths"]["/api/v1/hub/starts"]["post"]["security"] == [{"hubKey": []}]


def test_every_route_of_the_api_has_a_contract() -> None:
    missing = [(route.path, method) for route, method in API if contract_of(route.handler, method) is None]
    assert missing == []


TAKEN = sorted(
    {found.takes for route, method in API if (found := contract_of(route.handler, method)) and found.takes},
    key=lambda model: model.__name__,
)


@pytest.mark.parametrize("model", TAKEN, ids=lambda model: model.__name__)
def test_the_example_of_a_body_is_one(model: type[BaseModel]) -> None:
    model.model_validate_json(json.dumps(EXAMPLES[model]))


def test_there_is_no_example_of_what_nothing_takes() -> None:
    assert set(EXAMPLES) == set(TAKEN)
