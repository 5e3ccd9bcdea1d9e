"""The typed client against the real service."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from urllib.parse import urlsplit

import pytest

from jupyterhub_mesos.client import Client
from jupyterhub_mesos.errors import PreconditionFailed
from jupyterhub_mesos.wire import MAX_BATCH_ITEMS, RequestSubmission, TeamsModel, TeamsView
from web_cases import Web, job, notebook

T = TypeVar("T")


async def call(web: Web, do: Callable[[Client], T], who: str = "member", url: str = "") -> T:
    """Have a script ask, in a thread of its own."""
    client = Client(url or web.service.url, who)
    return await asyncio.to_thread(do, client)


def asked(**body: object) -> RequestSubmission:
    return RequestSubmission.model_validate(body, strict=False)


@asynccontextmanager
async def losing_the_first_answer(web: Web) -> AsyncIterator[str]:
    """A relay that hands each call on, and hangs up on the first before its answer has come back."""
    target = urlsplit(web.service.url)
    calls = 0

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        is_lost = calls == 1
        head = await reader.readuntil(b"\r\n\r\n")
        (length,) = map(int, re.findall(rb"(?i)content-length: (\d+)", head))
        inner, outer = await asyncio.open_connection(target.hostname, target.port)
        outer.write(head + await reader.readexactly(length))
        answer = await inner.read()
        if not is_lost:
            writer.write(answer)
        outer.close()
        writer.close()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{target.path}"


async def test_a_request_whose_answer_was_lost_on_the_way_is_made_once(web: Web) -> None:
    async with losing_the_first_answer(web) as url:
        made = await call(web, lambda client: client.submit(asked(**job())), url=url)
    assert [item["id"] for item in (await web.api("GET", "requests"))["items"]] == [made.id]


async def test_a_key_of_the_script_makes_one_request_of_two_runs(web: Web) -> None:
    runs = [await call(web, lambda client: client.submit(asked(**job()), key="nightly")) for _ in range(2)]
    assert runs[0].id == runs[1].id
    assert (await call(web, lambda client: client.submit(asked(**job())))).id != runs[0].id


async def test_many_are_asked_for_and_ended_in_batches(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyterhub_mesos.client_calls.MAX_BATCH_ITEMS", 2)
    assert MAX_BATCH_ITEMS == 1000
    items = [asked(**job("one")), asked(**notebook("enormous")), asked(**job("three"))]
    made = await call(web, lambda client: list(client.submit_many(items)))
    assert [item.outcome for item in made] == ["created", "refused", "created"]
    ids = [item.id for item in made if item.id]
    ended = await call(web, lambda client: list(client.end_many([*ids, "none-such"])))
    assert [item.outcome for item in ended] == ["ended", "ended", "refused"]


async def test_lists_are_whole_and_long_ones_come_page_by_page(web: Web) -> None:
    for name in ("a", "b", "c"):
        await web.api("POST", "requests", body=job(name))
    names = [view.name for view in await call(web, lambda client: list(client.requests(limit="1", text="")))]
    assert names == ["c", "b", "a"]
    one_by_one = {"limit": "1"}
    teams = await call(web, lambda client: client.whole("/teams", TeamsView, "teams", one_by_one), "admin")
    assert len(teams.teams) == 3
    audit = await call(web, lambda client: list(client.audit(what="granted", limit="2")), "admin")
    assert len(audit) == 3


async def test_an_edit_based_on_an_old_tree_is_refused_with_what_has_changed(web: Web) -> None:
    seen = await call(web, lambda client: client.teams(), "admin")
    teams = {view.id: view.team for view in seen.teams}
    heavier = teams | {"speech": teams["speech"].model_copy(update={"weight": 3})}
    await call(web, lambda client: client.put_teams(TeamsModel(teams=heavier), seen=seen.revision), "admin")
    with pytest.raises(PreconditionFailed, match=r"speech\.weight: 1 -> 3"):
        await call(web, lambda client: client.put_teams(TeamsModel(teams=teams), seen=seen.revision), "admin")


async def test_a_script_edits_one_team_looks_before_and_takes_it_back(web: Web) -> None:
    seen = await call(web, lambda client: client.teams(), "admin")
    model = next(view.team for view in seen.teams if view.id == "speech").model_copy(update={"weight": 4})
    looked = await call(web, lambda client: client.put_team("speech", model, dry_run=True), "admin")
    assert (looked.is_applied, [change.field for change in looked.changes]) == (False, ["weight"])
    edit = await call(web, lambda client: client.put_team("speech", model, reason="a deadline"), "admin")
    assert edit.is_applied
    with pytest.raises(PreconditionFailed):
        await call(web, lambda client: client.remove_team("speech", seen=seen.revision), "admin")
    made = (await call(web, lambda client: list(client.team_edits("speech")), "admin"))[0]
    assert (made.revision, "a deadline" in made.why) == (edit.revision, True)
    undone = await call(web, lambda client: client.undo_edit(edit.revision), "admin")
    assert [(change.field, change.after) for change in undone.changes] == [("weight", "1")]
