"""The SQL of the lists that people page through: requests and the audit."""

from __future__ import annotations

import sqlalchemy as sa

from jupyterhub_mesos.service import schema
from jupyterhub_mesos.service.rows import AuditQuery, RequestQuery
from jupyterhub_mesos.service.texts import is_storable


def request_conditions(query: RequestQuery) -> list[sa.ColumnElement[bool]]:
    """Return what a request's row has to meet."""
    table = schema.requests
    conditions = _between(table.c.submitted_at, query.since, query.until)
    owners = [
        column.in_(sorted(filter(is_storable, names)))
        for column, names in ((table.c.user, query.users), (table.c.team, query.teams))
        if names is not None
    ]
    if owners:
        conditions.append(sa.or_(*owners))
    for column, name in ((table.c.team, query.within), (table.c.parent, query.parent)):
        if name is not None:
            conditions.append(column == name if is_storable(name) else sa.false())
    for column, words in ((table.c.kind, query.kinds), (table.c.status, query.statuses)):
        if words is not None:
            conditions.append(column.in_(sorted(filter(is_storable, words))))
    if query.before is not None:
        conditions.append(table.c.seq < query.before)
    if query.text is not None:
        has_text = table.c.name.icontains(query.text, autoescape=True)
        conditions.append(has_text if is_storable(query.text) else sa.false())
    return conditions


def audit_statement(query: AuditQuery) -> sa.Select[tuple[object, ...]]:
    """Return the statement of a page of the audit, newest first, with one row more than the page holds."""
    table = schema.audit
    conditions = _between(table.c.at, query.since, query.until)
    for column, value in ((table.c.who, query.who), (table.c.what, query.what)):
        if value is not None:
            conditions.append(column == value)
    if query.subjects is not None:
        conditions.append(table.c.subject.in_(sorted(query.subjects)))
    if query.text is not None:
        in_either = (column.icontains(query.text, autoescape=True) for column in (table.c.what, table.c.why))
        conditions.append(sa.or_(*in_either))
    if query.before is not None:
        conditions.append(table.c.seq < query.before)
    return sa.select(table).where(*conditions).order_by(table.c.seq.desc()).limit(query.limit + 1)


def _between(
    column: sa.Column[float], since: float | None, until: float | None
) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if since is not None:
        conditions.append(column >= since)
    if until is not None:
        conditions.append(column < until)
    return conditions
