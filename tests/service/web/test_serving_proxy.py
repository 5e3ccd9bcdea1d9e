"""The door to model servers: for the team alone, with a token, and no server's slowness is another's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from jupyterhub_mesos.service.web import serving_proxy
from jupyterhub_mesos.serving.plan import TOKEN_VARIABLE
from jupyterhub_mesos.tasks import task_id
from jupyterhub_mesos_quota.model import AllocationId
from web_cases import Web

SECONDS = 20.0


class Model:
    """What a model server was asked; it answers `v2/slow` once `free` is set."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.slow = asyncio.Queue[None]()


class Handler(RequestHandler):
    def initialize(self, model: Model) -> None:
        self.model = model

    async def get(self, path: str) -> None:
        self.set_cookie("stolen", "no")
        if path == "v2/slow":
            self.model.slow.put_nowait(None)
            await self.model.free.wait()
        if path == "v2/large":
            self.finish(b"x" * 4096)
            return
        self.finish({"path": path, "headers": dict(self.request.headers), "query": self.request.query})

    def post(self, path: str) -> None:
        self.finish({"path": path, "body": self.request.body.decode()})


async def asked_for(web: Web) -> str:
    resources = {"cpu_millis": 500, "mem_mib": 256}
    body = {"payload": {"kind": "serving", "name": "digits", "bundle": "/nowhere"}, "resources": resources}
    asked = await web.api("POST", "requests", body=body)
    await web.service.ledger.until(lambda: web.service.controller.endpoint(asked["id"]))
    return str(asked["id"])


@asynccontextmanager
async def model_at(web: Web, request_id: str) -> AsyncIterator[Model]:
    """Answer where the model server of a request listens."""
    endpoint: Any = web.service.controller.endpoint(request_id)  # type: ignore[arg-type]  # an id from JSON
    model = Model()
    rules: list[Any] = [(r"/(.*)", Handler, {"model": model})]
    server = HTTPServer(Application(rules, log_function=lambda handler: None))
    server.add_sockets(bind_sockets(endpoint.ports["http"], endpoint.host))
    try:
        yield model
    finally:
        model.free.set()
        server.stop()
        await server.close_all_connections()


async def test_a_model_server_is_for_its_team_and_sees_no_token_but_its_own(web: Web) -> None:
    request_id = await asked_for(web)
    path = f"serving/{request_id}/v2/models"
    assert (await web.problem("GET", path, "speaker"))[0] == 404
    assert (await web.problem("GET", path, "stranger"))[0] == 404
    async with model_at(web, request_id):
        seen = await web.api("GET", f"{path}?a=1", "colleague")
        assert (seen["path"], seen["query"]) == ("v2/models", "a=1")
        assert "Cookie" not in seen["headers"]
        spec = web.backend.spec(task_id(AllocationId(f"{request_id}-1"), 1, "server", 0))
        assert seen["headers"]["Authorization"] == f"Bearer {spec.env[TOKEN_VARIABLE]}"
        assert "JOB_SECRET" not in spec.env
        assert (await web.api("POST", path, "colleague", {"x": 1}))["body"] == '{"x": 1}'
        assert "Set-Cookie" not in (await web.ask("GET", f"api/v1/{path}")).headers
    assert (await web.problem("GET", path))[:2] == (503, "unavailable")


async def test_two_model_servers_have_two_tokens(web: Web) -> None:
    first, second = await asked_for(web), await asked_for(web)
    controller = web.service.controller
    assert controller.serving_token(first) != controller.serving_token(second)  # type: ignore[arg-type]


async def test_a_slow_model_server_holds_nobody_elses_calls(web: Web) -> None:
    slow, quick = await asked_for(web), await asked_for(web)
    async with model_at(web, slow) as model, model_at(web, quick), asyncio.timeout(SECONDS):
        calls = [
            asyncio.ensure_future(web.service_call(f"serving/{slow}/v2/slow"))
            for _ in range(serving_proxy.MAX_CALLS_EACH)
        ]
        for _ in calls:
            await model.slow.get()
        one_more = await web.service_call(f"serving/{slow}/v2/slow")
        assert one_more.code == 503
        assert one_more.headers["Retry-After"]
        assert (await web.service_call(f"serving/{quick}/v2/models")).code == 200
        model.free.set()
        assert {answer.code for answer in await asyncio.gather(*calls)} == {200}
        assert (await web.service_call(f"serving/{slow}/v2/models")).code == 200


@pytest.fixture
def small_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_proxy, "MAX_ANSWER_BYTES", 1024)


@pytest.mark.usefixtures("small_answers")
async def test_an_answer_that_is_too_large_is_not_taken(web: Web) -> None:
    request_id = await asked_for(web)
    async with model_at(web, request_id):
        status, code, detail = await web.problem("GET", f"serving/{request_id}/v2/large")
    assert (status, code) == (503, "unavailable")
    assert "more than 1024 bytes" in detail
