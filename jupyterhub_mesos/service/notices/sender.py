"""Reads the audit on from where each channel stands, and hands on what people are to be told.

Where a channel stands is kept in the ledger: a notice is sent at least once, also over
a crash, and has the same id when it is sent again. A channel that fails holds up itself alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from jupyterhub_mesos.service.changes import Change, Commit
from jupyterhub_mesos.service.ledger import Ledger
from jupyterhub_mesos.service.notices.deriving import notice_of, request_of
from jupyterhub_mesos.service.notices.model import Channel, Notice, NoticeKind, Undeliverable
from jupyterhub_mesos.service.rows import AuditRow, MarkSet
from jupyterhub_mesos.service.workqueue import WorkQueue

log: Final = logging.getLogger(__name__)

PAGE: Final = 200
STALE_SECONDS: Final = 86_400.0
"""What could not be told for a day is told no more: a mail about last week's warning helps nobody."""
BACKOFF_SECONDS: Final = (1.0, 300.0)
AGAIN_SECONDS: Final = 0.2
"""Between two looks at the audit: many commits make one look."""


class Sender:
    """Sends over every channel; `run` is its whole life."""

    def __init__(
        self,
        ledger: Ledger,
        channels: Sequence[Channel],
        kinds: Collection[NoticeKind],
        page: Callable[[str], str],
        jitter: Callable[[], float],
    ) -> None:
        """`page` makes the address of a page of ours; `jitter` returns a factor that spreads retries."""
        self._ledger = ledger
        self._channels: Mapping[str, Channel] = {channel.name: channel for channel in channels}
        self._kinds = frozenset(kinds)
        self._page = page
        self._queue = WorkQueue[str](*BACKOFF_SECONDS, jitter)

    async def open(self) -> None:
        """Begin with what happens from now on, where a channel has never been."""
        last = await self._ledger.read(lambda store: store.last_audit_seq())
        for name in self._channels:
            if await self._place(name) is None:
                await self._stand_at(name, last)

    async def run(self) -> None:
        """Send until cancelled."""
        unsubscribe = self._ledger.subscribe(self._committed)
        try:
            async with asyncio.TaskGroup() as group:
                for name in self._channels:
                    self._queue.add(name)
                    group.create_task(self._queue.work(self._look))
        finally:
            unsubscribe()
            self._queue.clear()

    def _committed(self, commit: Commit) -> None:
        if commit.actions or commit.requests:
            for name in self._channels:
                if not self._queue.is_backing_off(name):
                    self._queue.add_after(name, AGAIN_SECONDS)

    async def _look(self, name: str) -> float | None:
        """Send a page of what happened over one channel; return when to look again, if there is more."""
        return 0.0 if await self.step(name) else None

    async def step(self, name: str) -> bool:
        """Send a page of what happened over one channel; say whether there may be more."""
        after = await self._place(name) or 0
        rows = await self._ledger.read(lambda store: store.audit_after(after, PAGE))
        for row in rows:
            notice = await self._notice(row)
            if notice is not None:
                await self._send(self._channels[name], notice)
                await self._stand_at(name, row.seq)
        if rows:
            await self._stand_at(name, rows[-1].seq)
        return len(rows) == PAGE

    async def _notice(self, row: AuditRow) -> Notice | None:
        request_id = request_of(row)
        request = None if request_id is None else await self._ledger.find(request_id)
        notice = notice_of(row, request, self._page)
        is_told = notice is not None and notice.kind in self._kinds
        return notice if is_told and self._ledger.clock() - row.at < STALE_SECONDS else None

    async def _send(self, channel: Channel, notice: Notice) -> None:
        try:
            await channel.send(notice)
        except Undeliverable as error:
            log.info("notice %s about %s: not by %s: %s", notice.id, notice.subject, channel.name, error)
        else:
            log.info("notice %s about %s: sent by %s", notice.id, notice.subject, channel.name)

    async def _place(self, name: str) -> int | None:
        place = await self._ledger.read(lambda store: store.meta(_key(name)))
        return None if place is None else int(place)

    async def _stand_at(self, name: str, seq: int) -> None:
        await self._ledger.apply(Change(None, (MarkSet(_key(name), str(seq)),)))


def _key(name: str) -> str:
    return f"notices.{name}"
