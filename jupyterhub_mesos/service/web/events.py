"""Live events for pages: one stream per browser, a snapshot at each change.

A stream says `event: requests` (the asker's requests that are not over),
`event: capacity`, `event: pauses` (the paused queues that concern the asker), `event: cordoned` (the
names of cordoned nodes), `event: reserved` (the ids of what is booked), and
`event: request` for the one named in `?request=ID`;
`event: beat` every few seconds tells a page that the stream lives: where the
service dies, the hub's proxy leaves the browser's connection open and silent.
A stream that was cut off goes on (`resuming`): one that comes back with `Last-Event-ID` is told
`event: resumed` and what is otherwise now, or `event: resync` and everything.
It ends by itself after a while, so that the browser's reconnect shows its
identity anew.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from tornado.iostream import StreamClosedError

from jupyterhub_mesos.errors import NotFound
from jupyterhub_mesos.service.web.base import ApiHandler
from jupyterhub_mesos.service.web.contract import contract
from jupyterhub_mesos.service.web.queries import EventsQuery
from jupyterhub_mesos.service.web.resuming import Owner, Streams, Told

BEAT_SECONDS: Final = 4.0
"""A page takes the stream for lost after 10 s without one (`SILENT_MS` in api.js)."""

LAST_EVENT_ID: Final = (("Last-Event-ID", "^[!-~]{1,255}$"),)
"""What the contract says of the header."""
STREAM_SECONDS: Final = 600.0
RETRY_MS: Final = 1000
"""When a browser comes back to a stream that ended; its page shows no interruption in that time."""

COALESCE_SECONDS: Final = 0.1
"""Changes that come together make one snapshot."""


class Feed:
    """Wakes every open stream when something changed."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()
        self.streams = Streams()
        self.is_closed = False

    def join(self) -> asyncio.Event:
        """Return an event that is set at each change; hand it back with `leave`."""
        event = asyncio.Event()
        self._waiting.add(event)
        return event

    def leave(self, event: asyncio.Event) -> None:
        """Stop waking `event`."""
        self._waiting.discard(event)

    def notify(self, *_: object) -> None:
        """Wake every stream."""
        for event in self._waiting:
            event.set()

    def close(self) -> None:
        """End every stream."""
        self.is_closed = True
        self.notify()

    @property
    def listeners(self) -> int:
        """How many streams are open."""
        return len(self._waiting)


class EventsHandler(ApiHandler):
    """`GET /events`."""

    _changed: asyncio.Event | None = None
    _is_gone = False

    @contract(query=EventsQuery, media="text/event-stream", headers=LAST_EVENT_ID)
    async def get(self) -> None:
        """Send snapshots until the browser goes, the service stops or the time is over."""
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Accel-Buffering", "no")
        feed = self.context.feed
        changed = self._changed = feed.join()
        try:
            await self._stream(changed)
        except StreamClosedError:
            return
        finally:
            feed.leave(changed)

    async def _stream(self, changed: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + STREAM_SECONDS
        self.send_piece(f"retry: {RETRY_MS}\n\n")
        told = self._begin()
        while not self._is_over and loop.time() < end:
            changed.clear()
            await self._send_what_changed(told)
            while not changed.is_set() and loop.time() < end:
                await self._beat_until(changed)
            await asyncio.sleep(COALESCE_SECONDS)

    async def _beat_until(self, changed: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(BEAT_SECONDS):
                await changed.wait()
        except TimeoutError:
            self.send_piece("event: beat\ndata:\n\n")
            await self.flush()

    @property
    def _is_over(self) -> bool:
        return self._is_gone or self.context.feed.is_closed

    def _begin(self) -> Told:
        """Begin anew, or go on after the last event that was heard; say which where one is named."""
        streams = self.context.feed.streams
        asked, header = self.query(EventsQuery), self.request.headers.get("Last-Event-ID")
        who = self.identity
        owner = Owner(f"{who.kind}:{who.name}", asked.request)
        last = asked.last_event_id or header
        if not last:
            return streams.begin(owner)
        resumed = streams.resume(owner, last)
        told = resumed or streams.begin(owner)
        self.send_piece(f"id: {told.id}\nevent: {'resync' if resumed is None else 'resumed'}\ndata: {{}}\n\n")
        return told

    async def _send_what_changed(self, told: Told) -> None:
        for name, data in told.news(await self._snapshot()):
            self.send_piece(f"id: {told.id}\nevent: {name}\ndata: {data}\n\n")
        await self.flush()

    async def _snapshot(self) -> Mapping[str, str]:
        operations, who = self.context.operations, self.identity
        mine = await operations.mine(who)
        snapshot = {
            "requests": json.dumps([view.model_dump(mode="json") for view in mine]),
            "capacity": self.context.teams.capacity().model_dump_json(),
            "pauses": self.context.levers.queues.pauses(who).model_dump_json(),
            "reserved": json.dumps(self.context.levers.reservations.names(who)),
            "cordoned": json.dumps(sorted(operations.ledger.machine.cordoned)),
        }
        wanted = self.query(EventsQuery).request
        if wanted is not None:
            try:
                snapshot["request"] = (await operations.get(who, wanted)).model_dump_json()
            except NotFound:
                snapshot["missing"] = json.dumps({"id": wanted, "status": int(HTTPStatus.NOT_FOUND)})
        return snapshot

    def on_connection_close(self) -> None:
        """Wake the stream, so that it ends at once."""
        self._is_gone = True
        if self._changed is not None:
            self._changed.set()
