"""Looking at the audit: admins at all of it, others at what happened to a request that they see whole."""

from __future__ import annotations

from dataclasses import replace

from jupyterhub_mesos.errors import NotAllowed
from jupyterhub_mesos.service.identity import Identity
from jupyterhub_mesos.service.operations import Operations
from jupyterhub_mesos.service.rows import AuditQuery
from jupyterhub_mesos.wire import AuditPage, AuditView


async def audit_page(operations: Operations, who: Identity, query: AuditQuery) -> AuditPage:
    """Return a page of the audit, newest first. A request brings its allocations."""
    if not who.is_admin and query.subjects is None:
        raise NotAllowed(
            "Only an admin looks at the whole audit: name a request that you may see, with `subject=ID`."
        )
    if not who.is_admin:
        query = replace(query, subjects=await _of_requests(operations, who, query.subjects or frozenset()))
    rows, before = await operations.ledger.read(lambda store: store.audit_page(query))
    items = tuple(
        AuditView(
            seq=row.seq,
            at=row.at,
            who=row.who,
            what=row.what,
            subject=row.subject,
            why=row.why,
            data=dict(row.data),
        )
        for row in rows
    )
    return AuditPage(items=items, next_cursor=None if before is None else str(before))


async def _of_requests(operations: Operations, who: Identity, names: frozenset[str]) -> frozenset[str]:
    """Return the subjects of requests and their allocations; `NotFound` where one may not be seen."""
    found: set[str] = set()
    for name in sorted(names):
        row = await operations.visible(who, name)
        found |= {row.id, *(each.id for each in await operations.allocations(row))}
    return frozenset(found)
