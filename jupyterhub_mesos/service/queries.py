"""The SQL of the lists that people page through: requests and the audit.

A text that no database takes (`is_storable`) stands in no row: who asks for it finds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from jupyterhub_mesos.service import schema
from jupyterhub_mesos.service.rows import AuditQuery, RequestQuery
from jupyterhub_mesos.service.texts import is_storable


def request_conditions(query: RequestQuery) -> list[sa.ColumnElement[bool]]:
    """Return what a request's row has to meet."""
    table = schema.requests
    conditions: list[sa.ColumnElement[bool]] = []
    owners = [
        _among(column, names)
        for column, names in ((table.c.user, query.users), (table.c.team, query.teams))
        if names is not None
    ]
    if owners:
        conditions.append(sa.or_(*owners))
    for column, name in ((table.c.team, query.within), (table.c.parent, query.parent)):
        if name is not None:
            conditions.append(_among(column, (name,)))
    for column, words in ((table.c.kind, query.kinds), (table.c.status, query.statuses)):
        if words is not None:
            conditions.append(_among(column, words))
    if query.before is not None:
        conditions.append(table.c.seq < query.before)
    if query.text is not None:
        conditions.append(_holds(query.text, table.c.name))
    return conditions + _between(table.c.submitted_at, query.since, query.until)


def audit_statement(query: AuditQuery) -> sa.Select[tuple[object, ...]]:
    """Return the statement of a page of the audit, newest first, with one row more than the page holds."""
    table = schema.audit
    conditions = _between(table.c.at, query.since, query.until)
    for column, value in ((table.c.who, query.who), (table.c.what, query.what)):
        if value is not None:
            conditions.append(_among(column, (value,)))
    if query.subjects is not None:
        conditions.append(_among(table.c.subject, query.subjects))
    if query.text is not None:
        conditions.append(_holds(query.text, table.c.what, table.c.why))
    if query.before is not None:
        conditions.append(table.c.seq < query.before)
    return sa.select(table).where(*conditions).order_by(table.c.seq.desc()).limit(query.limit + 1)


def _among(column: sa.Column[str], names: Iterable[str]) -> sa.ColumnElement[bool]:
    return column.in_(sorted(filter(is_storable, names)))


def _holds(text: str, *columns: sa.Column[str]) -> sa.ColumnElement[bool]:
    """Say that one of the columns holds a text, whatever the case of its letters."""
    if not is_storable(text):
        return sa.false()
    return sa.or_(*(column.icontains(text, autoescape=True) for column in columns))


def _between(
    column: sa.Column[float], since: float | None, until: float | None
) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if since is not None:
        conditions.append(column >= since)
    if until is not None:
        conditions.append(column < until)
    return conditions
