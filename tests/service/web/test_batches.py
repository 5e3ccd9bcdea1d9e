from __future__ import annotations

import asyncio
import json
from typing import Any

from jupyterhub_mesos.service.ledger import Commit
from jupyterhub_mesos.service.rates import WriteRates
from jupyterhub_mesos.wire import MAX_BATCH_ITEMS
from web_cases import Web, job, notebook


def outcomes(answer: dict[str, Any]) -> list[str]:
    return [item["outcome"] for item in answer["items"]]


async def test_a_batch_is_made_in_one_commit_with_an_outcome_each(web: Web) -> None:
    await web.api("POST", "queue/pause", "admin", {"reason": "nothing else commits"})
    commits: list[Commit] = []
    web.service.ledger.subscribe(commits.append)
    items = [
        job("one"),
        notebook("enormous"),
        notebook(),
        notebook(),
        job("two", team="speech"),
        job("three", resources={"cpu_millis": 1}),
    ]
    answer = await web.api("POST", "requests/batch", body={"items": items})
    assert outcomes(answer) == ["created", "refused", "created", "existed", "refused", "refused"]
    assert answer["refused"] == 3
    made = [item["id"] for item in answer["items"]]
    assert made[2] == made[3]
    problems = [item["problem"] and item["problem"]["code"] for item in answer["items"]]
    assert problems == [None, "over-limit", None, None, "not-allowed", "invalid-input"]
    assert [commit.requests for commit in commits if commit.requests] == [frozenset({made[0], made[2]})]
    assert {item["status"] for item in answer["items"]} == {"queued", None}
    assert outcomes(await web.api("POST", "requests/batch", body={"items": [notebook()]})) == ["existed"]


async def test_a_batch_of_another_shape_makes_nothing(web: Web) -> None:
    for body, words in (
        ({"items": []}, "items"),
        ({"items": [job(), {"payload": {"kind": "notebook", "cpu": 1}}]}, "items.1.payload.notebook.cpu"),
        ({"items": [job()] * (MAX_BATCH_ITEMS + 1)}, "at most 1000"),
        ({"ids": ["a"]}, "items"),
    ):
        status, code, detail = await web.problem("POST", "requests/batch", body=body)
        assert (status, code) in {(400, "invalid-input"), (413, "too-large")}
        assert words in detail or status == 413
    assert (await web.api("GET", "requests"))["items"] == []


async def test_a_batch_ends_what_the_asker_may_end_and_says_what_was_over(web: Web) -> None:
    runs = (await web.api("POST", "requests", body=job("runs")))["id"]
    await web.api("POST", "queue/pause", "admin", {"reason": "what comes now waits"})
    waits = (await web.api("POST", "requests", body=job("waits")))["id"]
    theirs = (await web.api("POST", "requests", "speaker", job("theirs")))["id"]
    ids = [waits, "none-such", theirs, runs, waits]
    answer = await web.api("POST", "requests/batch/cancel", body={"ids": ids})
    assert outcomes(answer) == ["ended", "refused", "refused", "ended", "ended"]
    assert answer["items"][0]["status"] == "withdrawn"
    assert [answer["items"][at]["problem"]["code"] for at in (1, 2)] == ["not-found"] * 2
    again = await web.api("POST", "requests/batch/cancel", body={"ids": [waits, runs]})
    assert outcomes(again) == ["unchanged", "unchanged"]
    assert (await web.api("GET", f"requests/{theirs}", "speaker"))["status"] == "queued"


async def test_the_items_of_a_batch_count_against_the_limit_of_live_requests(web: Web) -> None:
    web.service.context.operations.places._most = 3
    answers = await asyncio.gather(
        *(web.api("POST", "requests/batch", body={"items": [job(), job()]}) for _ in range(2))
    )
    made = sorted(outcome for answer in answers for outcome in outcomes(answer))
    assert made == ["created", "created", "created", "refused"]
    refused = [item["problem"] for answer in answers for item in answer["items"] if item["problem"]]
    assert [problem["code"] for problem in refused] == ["too-many"]


async def test_a_batch_counts_as_one_change_and_its_items_by_themselves(web: Web) -> None:
    context = web.service.context
    object.__setattr__(context, "item_rates", WriteRates(3, lambda: 0.0, "batch items"))
    assert len(outcomes(await web.api("POST", "requests/batch", body={"items": [job(), job()]}))) == 2
    answer = await web.ask("POST", "api/v1/requests/batch", body={"items": [job(), job()]})
    assert (answer.code, json.loads(answer.body)["code"]) == (429, "too-many")
    assert answer.headers["Retry-After"] == "20"
    status, _, detail = await web.problem("POST", "requests/batch", body={"items": [job()] * 4})
    assert (status, "3 are possible" in detail) == (429, True)
    assert len((await web.api("GET", "requests"))["items"]) == 2
