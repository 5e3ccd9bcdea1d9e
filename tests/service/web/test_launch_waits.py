"""Before the click, the launch page says how long those like it have waited."""

from __future__ import annotations

import asyncio
import html
import json
import re
from typing import Any

from deadlines import DEADLINE_SECONDS
from jupyterhub_mesos_quota.expectation import FEWEST
from web_cases import Web, notebook


async def waits(web: Web) -> dict[str, str]:
    page = (await web.ask("GET", "", "member")).body.decode()
    found = re.search(r'data-waits="([^"]*)"', page)
    assert found is not None
    return dict(json.loads(html.unescape(found[1])))


async def ended(web: Web, request: dict[str, Any]) -> None:
    await web.api("DELETE", f"requests/{request['id']}", "member")


async def test_nothing_is_said_where_nobody_can_know(web: Web) -> None:
    assert set((await waits(web)).values()) == {""}


async def test_what_a_start_may_wait_is_said_once_enough_have_waited(web: Web) -> None:
    for number in range(FEWEST):
        first = await web.api("POST", "requests", "member", notebook("huge"))
        second = await web.api(
            "POST",
            "requests",
            "member",
            {"payload": {"kind": "notebook", "profile": "huge", "server_name": f"s{number}"}},
        )
        assert (first["status"], second["status"]) == ("active", "queued")
        await ended(web, first)
        await web.service.ledger.until(
            lambda second=second: True if web.service.ledger.allocation_of(second["id"]) else None
        )
        await ended(web, second)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not (said := (await waits(web))["vision/small"]):  # noqa: ASYNC110 - a curve is kept for two seconds
            await asyncio.sleep(0.1)
    assert said.startswith(f"Of {FEWEST} like it, half started within")
