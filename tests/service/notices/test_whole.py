"""The whole service tells a receiver on a socket what its API did."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from jupyterhub_mesos.backends.faulty import MemoryBackend
from jupyterhub_mesos.service.app import Parts, serving
from jupyterhub_mesos.service.controller import ControllerSettings
from jupyterhub_mesos.service.notices.traits import NoticeSettings
from small_hub import SmallHub
from web_cases import NoLake, Web, notebook, people, settings_for

HOST = "127.0.0.1"
DEADLINE_SECONDS = 20.0


@pytest.fixture
async def posted() -> AsyncIterator[tuple[str, asyncio.Queue[dict[str, Any]]]]:
    """Where to post, and what was posted."""
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    class Hook(RequestHandler):
        def post(self) -> None:
            queue.put_nowait(json.loads(self.request.body))

    sockets = bind_sockets(0, HOST)
    server = HTTPServer(Application([("/", Hook)]))
    server.add_sockets(sockets)
    yield f"http://{HOST}:{sockets[0].getsockname()[1]}/", queue
    server.stop()
    await server.close_all_connections()


async def test_who_has_to_confirm_is_told_when_there_is_room(
    posted: tuple[str, asyncio.Queue[dict[str, Any]]], tmp_path: Path
) -> None:
    url, queue = posted
    hub, backend = SmallHub(people()), MemoryBackend()
    hub.open()
    told = NoticeSettings(hub_url="https://hub.example.org", webhook_url=url, webhook_secret="shared")
    settings = replace(settings_for(hub, tmp_path), notices=told)
    async with serving(settings, Parts(backend, NoLake(), ControllerSettings())) as service:
        web = Web(service, hub, backend)
        held = await web.api("POST", "requests", body=notebook(start={"mode": "when-confirmed"}))
        async with asyncio.timeout(DEADLINE_SECONDS):
            message = await queue.get()
    assert message["type"] == "capacity.room"
    assert (message["data"]["user"], message["data"]["subject"]) == ("mia", held["id"])
    assert message["data"]["link"] == f"https://hub.example.org/services/capacity/requests/{held['id']}"
    await hub.close()
