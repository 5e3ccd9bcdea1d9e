from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPResponse

from jupyterhub_mesos.backends.faulty import MemoryBackend
from jupyterhub_mesos.errors import LedgerError
from jupyterhub_mesos.service.app import Parts, serving
from jupyterhub_mesos.service.controller import ControllerSettings
from jupyterhub_mesos.service.idempotency import IdempotencyKeys
from jupyterhub_mesos.service.rows import KEY_SECONDS, KeyName
from small_hub import SmallHub
from web_cases import NoLake, Web, job, notebook, settings_for


async def ask(web: Web, key: str, body: Any, path: str = "requests", who: str = "member") -> HTTPResponse:
    return await web.ask("POST", f"api/v1/{path}", who, body, **{"Idempotency-Key": key})


async def made(web: Web) -> int:
    return len((await web.api("GET", "requests", "admin"))["items"])


async def test_a_repeated_write_is_done_once_and_answered_as_the_first_time(web: Web) -> None:
    first, again, quoted = [await ask(web, key, job()) for key in ("k1", "k1", '"k1"')]
    assert first.code == again.code == quoted.code == 201
    assert first.body == again.body == quoted.body
    assert again.headers["Location"] == first.headers["Location"]
    assert ("Idempotent-Replayed" in first.headers, again.headers["Idempotent-Replayed"]) == (False, "true")
    assert await made(web) == 1
    assert json.loads((await ask(web, "k2", job())).body)["id"] != json.loads(first.body)["id"]
    assert (await ask(web, "k1", job(), who="colleague")).code == 201  # a key is its asker's own
    assert await made(web) == 3


async def test_a_key_of_another_write_is_refused_and_nothing_is_done(web: Web) -> None:
    await ask(web, "k1", job("one"))
    for body, path in ((job("two"), "requests"), (job("one"), "requests/batch")):
        answer = await ask(web, "k1", body, path)
        assert (answer.code, json.loads(answer.body)["code"]) == (422, "idempotency-key-reused")
    assert await made(web) == 1


@pytest.mark.parametrize("key", ["", "a" * 256, "caf\u00e9", '""'])
async def test_what_is_no_key_is_refused(web: Web, key: str) -> None:
    answer = await ask(web, key, job())
    assert (answer.code, json.loads(answer.body)["code"]) == (400, "invalid-input")
    assert await made(web) == 0


async def test_the_same_write_at_the_same_time_waits_for_the_first(web: Web) -> None:
    answers = await asyncio.gather(*(ask(web, "k1", job()) for _ in range(5)))
    assert {answer.code for answer in answers} == {201}
    assert len({answer.body for answer in answers}) == 1
    assert await made(web) == 1


async def test_a_refusal_keeps_no_key(web: Web) -> None:
    refused = await ask(web, "k1", notebook("enormous"))
    assert refused.code == 422
    assert (await ask(web, "k1", notebook("enormous"))).headers.get("Idempotent-Replayed") is None
    assert (await ask(web, "k1", job())).code == 201


async def test_every_write_takes_a_key(web: Web) -> None:
    request = json.loads((await ask(web, "r", job())).body)["id"]
    pause = {"team": "vision", "reason": "disks"}
    for path, body in (
        ("queue/pause", pause),  # a second one without a key is a 409
        ("queue/resume", pause),
        ("requests/batch", {"items": [job()]}),
        ("requests/batch/cancel", {"ids": [request]}),
        ("nodes/memory/cordon", {"reason": "disks"}),
        ("nodes/memory/uncordon", {"reason": "disks"}),
    ):
        first, again = await ask(web, path, body, path, "admin"), await ask(web, path, body, path, "admin")
        assert (first.code, again.code, again.body) == (200, 200, first.body), path
        assert again.headers["Idempotent-Replayed"] == "true"
    key = {"Idempotency-Key": "d"}
    token = await web.api("POST", "teams/vision/tokens", "admin", {"name": "ci"})
    path = f"api/v1/teams/vision/tokens/{token['view']['id']}"
    assert [(await web.ask("DELETE", path, "admin", **key)).code for _ in range(2)] == [204, 204]


async def test_a_secret_is_not_kept_with_its_key(web: Web) -> None:
    first = await ask(web, "k1", {"name": "ci"}, "teams/vision/tokens", "admin")
    again = await ask(web, "k1", {"name": "ci"}, "teams/vision/tokens", "admin")
    assert (first.code, again.code) == (201, 409)
    assert "secret" in json.loads(again.body)["detail"]
    kept = await web.service.ledger.read(lambda store: store.key(KeyName("user:ada", "k1")))
    assert kept is not None
    assert json.loads(first.body)["token"] not in repr(kept.answer)
    assert len((await web.api("GET", "teams/vision/tokens", "admin"))["items"]) == 1


async def test_an_answer_is_told_again_after_a_restart(hub: SmallHub, tmp_path: Path) -> None:
    answers = []
    backend = MemoryBackend()
    for _ in range(2):
        async with serving(
            settings_for(hub, tmp_path), Parts(backend, NoLake(), ControllerSettings())
        ) as service:
            answers.append(await ask(Web(service, hub, backend), "k1", job()))
    assert [answer.code for answer in answers] == [201, 201]
    assert answers[0].body == answers[1].body


async def test_a_write_whose_answer_was_lost_is_not_done_again(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: object) -> None:
        raise LedgerError("the service died here")

    with monkeypatch.context() as died:
        died.setattr(IdempotencyKeys, "keep", dies)
        assert (await ask(web, "k1", job())).code == 503
        assert (await ask(web, "k2", {"items": [job(), job()]}, "requests/batch")).code == 503
    (first,) = (await web.api("GET", "requests"))["items"][-1:]
    again = await ask(web, "k1", job())
    assert (again.code, json.loads(again.body)["id"]) == (201, first["id"])
    batch = await ask(web, "k2", {"items": [job(), job()]}, "requests/batch")
    assert (batch.code, "nothing was done twice" in json.loads(batch.body)["detail"]) == (409, True)
    assert await made(web) == 3


async def test_a_key_is_forgotten_after_a_day(web: Web) -> None:
    await ask(web, "k1", job())
    await ask(web, "old", job())
    web.service.ledger.clock = lambda: time.time() + KEY_SECONDS + 60
    assert (await ask(web, "k1", job())).headers.get("Idempotent-Replayed") is None
    assert await made(web) == 3
    read = web.service.ledger.read
    assert await read(lambda store: store.key(KeyName("user:mia", "old"))) is None
    assert await read(lambda store: store.key(KeyName("user:mia", "k1"))) is not None
