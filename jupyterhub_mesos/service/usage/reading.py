"""Reads what was held out of the ledger, page by page: between two pages others write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from jupyterhub_mesos.service import schema
from jupyterhub_mesos.service.texts import is_storable

PAGE: Final = 500
"""Allocations read at once: some milliseconds in the ledger's thread."""


@dataclass(frozen=True, slots=True)
class UsageWanted:
    """Which allocations count: of these teams, of this user; and of those, what the asker may see.

    None means all. `seen_teams` and `seen_user`: the asker sees these teams whole, and their own elsewhere.
    """

    since: float
    until: float
    teams: frozenset[str] | None = None
    user: str | None = None
    seen_teams: frozenset[str] | None = None
    seen_user: str = ""


def usage_statement(wanted: UsageWanted, after: str) -> sa.Select[tuple[object, ...]]:
    """Return the statement of the page of allocations that begins after an id."""
    given, asked = schema.allocations.c, schema.requests.c
    conditions: list[sa.ColumnElement[bool]] = [
        given.id > after,
        given.granted_at < wanted.until,
        sa.or_(given.gone_at.is_(None), given.gone_at > wanted.since),
    ]
    if wanted.teams is not None:
        conditions.append(given.team.in_(sorted(filter(is_storable, wanted.teams))))
    if wanted.user is not None:
        conditions.append(asked.user == wanted.user if is_storable(wanted.user) else sa.false())
    if wanted.seen_teams is not None:
        own = asked.user == wanted.seen_user
        conditions.append(sa.or_(given.team.in_(sorted(wanted.seen_teams)), own))
    joined = schema.allocations.join(schema.requests, given.request_id == asked.id)
    columns = (*schema.allocations.c, asked.user, asked.kind, asked.submitted_at)
    return sa.select(*columns).select_from(joined).where(*conditions).order_by(given.id).limit(PAGE)
