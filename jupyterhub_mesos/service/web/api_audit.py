"""The route of the audit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from jupyterhub_mesos.service import rows
from jupyterhub_mesos.service.audit_operations import audit_page
from jupyterhub_mesos.service.request_filters import PAGE_SIZE_MOST, stored_cursor
from jupyterhub_mesos.service.web.base import ApiHandler, json_text
from jupyterhub_mesos.service.web.contract import contract
from jupyterhub_mesos.service.web.csv_text import MEDIA, csv_text
from jupyterhub_mesos.service.web.queries import AuditCsvQuery, AuditQuery
from jupyterhub_mesos.wire import AuditPage, AuditView

HEAD: Final = ("seq", "at", "who", "what", "subject", "why", "data")
ROWS_MOST: Final = 10_000
"""Rows of one table; older ones are there with an earlier `until`."""


class AuditHandler(ApiHandler):
    """`/audit`."""

    @contract(answers=AuditPage, query=AuditQuery)
    async def get(self) -> None:
        """Return what happened, newest first."""
        found = await audit_page(self.context.operations, self.identity, _wanted(self.query(AuditQuery)))
        self.answer_page(found, found.next_cursor)


class AuditCsvHandler(ApiHandler):
    """`/audit.csv`."""

    @contract(query=AuditCsvQuery, media=MEDIA)
    async def get(self) -> None:
        """Return the same as a table, the newest `ROWS_MOST` of it."""
        asked = self.query(AuditCsvQuery)
        wanted = replace(_wanted(asked), limit=PAGE_SIZE_MOST)
        found: list[AuditView] = []
        while len(found) < ROWS_MOST:
            page = await audit_page(self.context.operations, self.identity, wanted)
            found += page.items
            if page.next_cursor is None:
                break
            wanted = replace(wanted, before=stored_cursor(page.next_cursor))
        self.set_header("Content-Type", f"{MEDIA}; charset=utf-8")
        self.set_header("Content-Disposition", 'attachment; filename="audit.csv"')
        self.send(csv_text(HEAD, map(_cells, found)))


def _wanted(asked: AuditCsvQuery) -> rows.AuditQuery:
    return rows.AuditQuery(
        who=asked.who,
        what=asked.what,
        subjects=None if asked.subject is None else frozenset({asked.subject}),
        text=asked.text,
        since=None if asked.since is None else asked.since.timestamp(),
        until=None if asked.until is None else asked.until.timestamp(),
        before=stored_cursor(asked.cursor) if isinstance(asked, AuditQuery) else None,
        limit=asked.limit if isinstance(asked, AuditQuery) else PAGE_SIZE_MOST,
    )


def _cells(row: AuditView) -> tuple[object, ...]:
    at = datetime.fromtimestamp(row.at, UTC).isoformat(timespec="milliseconds")
    return row.seq, at, row.who, row.what, row.subject, row.why, json_text(row.data)
