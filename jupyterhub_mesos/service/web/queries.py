"""The parameters of the API's lists: which page, and which items."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from jupyterhub_mesos.service.operations import LOG_BYTES
from jupyterhub_mesos.service.request_filters import PAGE_SIZE, PAGE_SIZE_MOST
from jupyterhub_mesos.service.web.contract import Flag, Query
from jupyterhub_mesos.wire.levers import Moment, NodeStanding
from jupyterhub_mesos.wire.reservations import ReservationState
from jupyterhub_mesos_quota.model import WorkloadKind

PAGE_MOST: Final = 1000
"""Items in one answer of a list that is held in memory; what is left out means as many."""

Search = Annotated[str, Field(max_length=255, description="A part of the name, in any case.")]
Cursor = Annotated[str, Field(max_length=512, description="`next_cursor` of the answer before.")]
EDITS_PAGE: Final = 20
EDITS_MOST: Final = 100
"""Edits of the teams in one answer: each is worked out from two whole trees."""
EditReason = Annotated[str, Field(max_length=500, description="Why; kept in the audit.")]
MAX_SEQ: Final = 2**63 - 1
"""The largest whole number that a database of ours can look for."""


class PageQuery(Query):
    """Which page."""

    limit: Annotated[int, Field(ge=1, le=PAGE_MOST)] = PAGE_MOST
    cursor: Cursor | None = None


class StoredQuery(Query):
    """Which page of what the ledger keeps, newest first, and from when to when (the end not included)."""

    limit: Annotated[int, Field(ge=1, le=PAGE_SIZE_MOST)] = PAGE_SIZE
    cursor: Cursor | None = None
    since: Moment | None = None
    until: Moment | None = None


class RequestsQuery(StoredQuery):
    """`GET /requests`; `kind` and `status` are words separated by commas."""

    user: str | None = None
    team: str | None = None
    kind: str | None = None
    status: str | None = None
    parent: str | None = None
    text: Search | None = None


class AuditCsvQuery(Query):
    """`GET /audit.csv`; `what` is a word of the audit's, `text` a part of what or why."""

    who: str | None = None
    what: str | None = None
    subject: str | None = None
    text: Annotated[str, Field(max_length=255, description="A part of what or why.")] | None = None
    since: Moment | None = None
    until: Moment | None = None


class AuditQuery(AuditCsvQuery, StoredQuery):
    """`GET /audit`: the same, page by page."""


class QueueQuery(PageQuery):
    """`GET /queue`."""

    team: str | None = None
    user: str | None = None
    kind: WorkloadKind | None = None


class PausesQuery(PageQuery):
    """`GET /queue/pauses`."""

    team: str | None = None


class NodesQuery(PageQuery):
    """`GET /nodes`; `text` is a part of the name."""

    standing: NodeStanding | None = None
    text: Search | None = None


class ReservationsQuery(PageQuery):
    """`GET /reservations`; `past` adds what is over or was cancelled."""

    past: Flag = False
    team: str | None = None
    state: ReservationState | None = None
    text: Search | None = None


class NamesQuery(PageQuery):
    """A list of things with a name; `text` is a part of it."""

    text: Search | None = None


class TeamsEditQuery(Query):
    """`PUT /teams`: `dry_run` only looks; `revision` is the one that the editor saw."""

    dry_run: Flag = False
    revision: Annotated[int, Field(ge=0, le=MAX_SEQ)] | None = None
    reason: EditReason = ""


class TeamEditQuery(Query):
    """`PUT /teams/TEAM`, `DELETE /teams/TEAM` and `POST /team-edits/REVISION/undo`."""

    dry_run: Flag = False
    reason: EditReason = ""


class TeamEditsQuery(Query):
    """`GET /team-edits`."""

    team: str | None = None
    limit: Annotated[int, Field(ge=1, le=EDITS_MOST)] = EDITS_PAGE
    cursor: Cursor | None = None


class UsageQuery(Query):
    """`GET /usage.csv`: `by` are words of team, user, kind, flavor, day, with commas between."""

    by: Annotated[str, Field(max_length=64)] = "team"
    since: Moment | None = None
    until: Moment | None = None
    zone: Annotated[str, Field(max_length=64, description="Whose days: a name such as Europe/Berlin.")] = (
        "UTC"
    )
    team: str | None = None
    user: str | None = None


class UsageListQuery(UsageQuery, PageQuery):
    """`GET /usage`."""


class HubServerQuery(Query):
    """`GET /hub/servers/USER/SERVER`; `allocation` is the one that the hub's spawner knows."""

    allocation: str = ""


class LogsQuery(Query):
    """`GET /requests/ID/logs`; `offset` in bytes, a negative one counts from the end."""

    task: str | None = None
    offset: Annotated[int, Field(ge=-MAX_SEQ, le=MAX_SEQ)] = 0
    limit: Annotated[int, Field(ge=1, le=LOG_BYTES)] = LOG_BYTES


class ProgressQuery(Query):
    """`GET /requests/ID/progress`: what came after the first `after` lines."""

    after: Annotated[int, Field(ge=0, le=MAX_SEQ)] = 0


class EventsQuery(Query):
    """`GET /events`: `request` names one that is to be told of too; `last_event_id` is as `Last-Event-ID`."""

    request: str | None = None
    last_event_id: Annotated[str, Field(max_length=255)] | None = None
