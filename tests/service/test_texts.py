"""Texts that a database refuses are refused, or written out, before they fail everybody's commit."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

import service_rig as rig
from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.service.changes import Note
from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos.service.rows import Batch, KeptDoc, KeptKey, Outcome, RequestQuery
from jupyterhub_mesos.service.store import Store
from jupyterhub_mesos_quota.model import RequestId

LONG = "u" * 256


@pytest.mark.parametrize("user", [LONG, "a\0b", "a\ud800b"], ids=["too long", "zero", "half a pair"])
async def test_a_name_that_does_not_fit_fails_its_own_caller_only(url: str, user: str) -> None:
    async with rig.opened(url) as ledger:
        results = await asyncio.gather(
            ledger.apply(rig.notebook(ledger, "r1")),
            ledger.apply(rig.notebook(ledger, "r2", "other", user=user)),
            ledger.apply(replace(rig.notebook(ledger, "r3", "third"), who=user)),
            ledger.apply(Change(None, note=Note("looked", user, {}))),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [tuple, InvalidInput, InvalidInput, InvalidInput]
        assert [row.id for row in ledger.rows()] == ["r1"]
        rows = await ledger.read(lambda store: store.audit())
        assert [row.what for row in rows[:3]] == ["refused"] * 3


async def test_a_name_of_255_characters_fits(url: str) -> None:
    async with rig.opened(url) as ledger:
        await ledger.apply(rig.notebook(ledger, "r1", user=LONG[:255]))
    async with rig.opened(url) as ledger:
        assert ledger.server(LONG[:255], "") is not None


async def test_what_describes_is_written_out_and_read_back_as_it_is_in_memory(url: str) -> None:
    async with rig.opened(url) as ledger:
        await ledger.apply(rig.notebook(ledger, "r1"))
        await ledger.apply(Change(None, (Outcome(RequestId("r1"), None, "it \0 said \ud800"),)))
        row = ledger.row(RequestId("r1"))
        assert row is not None
        assert row.message == r"it \x00 said \ud800"
        await ledger.apply(Change(None, note=Note("looked", "all", {}), why="be\0cause"))
        assert [row.why for row in await ledger.read(lambda store: store.audit(limit=1))] == [r"be\x00cause"]
    async with rig.opened(url) as ledger:
        assert ledger.row(RequestId("r1")) == row


async def test_what_is_stored_as_json_keeps_every_character(url: str) -> None:
    store = Store(url)
    store.open()
    key, doc = KeptKey("reservations", "b1"), KeptDoc({"title": "€ \0 \ud800 \U0001f600"})
    store.write(Batch(kept={key: doc}))
    assert store.load().kept == {key: doc}
    store.close()


async def test_nothing_is_found_under_a_name_that_cannot_be_stored(url: str) -> None:
    async with rig.opened(url) as ledger:
        await ledger.apply(rig.notebook(ledger, "r1"))
        for query in (
            RequestQuery(users=frozenset({"a\0"})),
            RequestQuery(within="a\0"),
            RequestQuery(parent="a\ud800"),
            RequestQuery(statuses=frozenset({"queued\0"})),
        ):
            assert await ledger.read(lambda store, query=query: store.requests(query)) == ((), None)
