"""The route of the audit."""

from __future__ import annotations

from jupyterhub_mesos.service import rows
from jupyterhub_mesos.service.audit_operations import audit_page
from jupyterhub_mesos.service.request_filters import stored_cursor
from jupyterhub_mesos.service.web.base import ApiHandler
from jupyterhub_mesos.service.web.contract import contract
from jupyterhub_mesos.service.web.queries import AuditQuery
from jupyterhub_mesos.wire import AuditPage


class AuditHandler(ApiHandler):
    """`/audit`."""

    @contract(answers=AuditPage, query=AuditQuery)
    async def get(self) -> None:
        """Return what happened, newest first."""
        asked = self.query(AuditQuery)
        wanted = rows.AuditQuery(
            who=asked.who,
            what=asked.what,
            subjects=None if asked.subject is None else frozenset({asked.subject}),
            text=asked.text,
            since=None if asked.since is None else asked.since.timestamp(),
            until=None if asked.until is None else asked.until.timestamp(),
            before=stored_cursor(asked.cursor),
            limit=asked.limit,
        )
        found = await audit_page(self.context.operations, self.identity, wanted)
        self.answer_page(found, found.next_cursor)
