"""The service's own history as a trace: its ledger, opened read-only, also while the service runs.

A job is a request; it ran for as long as its allocations did together. What is
described of the tables here is what is read of them; a test holds it to the
service's schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from jupyterhub_mesos.configuration.databases import Database
from jupyterhub_mesos.configuration.teams import team_values
from jupyterhub_mesos.errors import InvalidInput, LedgerError
from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos.simulate.traces.faults import Fault, RowFault
from jupyterhub_mesos.simulate.traces.reading import Found
from jupyterhub_mesos.statefolder import StateFolder
from jupyterhub_mesos.wire import ResourcesModel, TeamsModel
from jupyterhub_mesos_quota.model import Team, WorkloadKind

Row = Mapping[str, Any]
BATCH_ROWS: Final = 5_000
"""Rows in memory at a time."""

requests: Final = sa.table(
    "requests",
    sa.column("id"),
    sa.column("seq"),
    sa.column("team"),
    sa.column("user"),
    sa.column("kind"),
    sa.column("resources", sa.JSON),
    sa.column("replicas"),
    sa.column("priority"),
    sa.column("submitted_at"),
)
allocations: Final = sa.table(
    "allocations",
    sa.column("request_id"),
    sa.column("granted_at"),
    sa.column("started_at"),
    sa.column("gone_at"),
)
teams: Final = sa.table("teams", sa.column("revision"), sa.column("doc", sa.JSON))


def ledger_url(text: str) -> str:
    """Make a read-only URL of a state folder, a SQLite file, or a URL."""
    if "://" in text:
        return text
    path = Path(text).expanduser().resolve()
    file = StateFolder.at(path).ledger if path.is_dir() else path
    if not file.is_file():
        raise InvalidInput(
            "there is no ledger: name the service's state folder, its ledger.sqlite or its URL", where=text
        )
    return f"sqlite:///file:{file}?mode=ro&uri=true"


class LedgerJobs:
    """The jobs of a ledger up to the moment `until_s` (Unix seconds); what ran on then had run until then.

    The same moment gives the same jobs, however long the service goes on.
    Every method raises `LedgerError` where the ledger cannot be read.
    """

    noun = "request"

    def __init__(self, url: str, until_s: float | None = None) -> None:
        self.url = url
        self._engine = Database.at(url).reading_engine()
        self.until_s = self._last_moment() if until_s is None else until_s

    def teams(self) -> tuple[Team, ...]:
        """Return the teams that are in force. Raises `TreeError` where they do not hold."""
        newest = sa.select(teams.c.doc).order_by(teams.c.revision.desc()).limit(1)
        found = next(iter(self._rows(newest)), None)
        if found is None:
            raise InvalidInput("the ledger has no teams yet: give them, --teams FILE", where=self.url)
        return team_values(TeamsModel.model_validate(found["doc"], strict=False))

    def jobs(self) -> Iterator[Found]:
        """Yield every request's job in order of their submission; the number is the request's."""
        for number, rows in groupby(self._rows(self._history()), key=lambda row: int(row["seq"])):
            yield number, self._job(list(rows))

    def _history(self) -> sa.Select[Any]:
        joined = requests.outerjoin(allocations, allocations.c.request_id == requests.c.id)
        chosen = sa.select(*requests.c, allocations.c.started_at, allocations.c.gone_at).select_from(joined)
        until = chosen.where(requests.c.submitted_at <= self.until_s)
        return until.order_by(requests.c.submitted_at, requests.c.seq, allocations.c.granted_at)

    def _job(self, rows: Sequence[Row]) -> Job | RowFault:
        request = rows[0]
        started = [row for row in rows if row["started_at"] is not None and row["started_at"] <= self.until_s]
        if not started:
            return RowFault(Fault.NEVER_RAN, "it never ran: for how long it would have is not known")
        return Job(
            id=str(request["seq"]),
            team=request["team"],
            user=request["user"],
            kind=WorkloadKind(request["kind"]),
            submit_s=request["submitted_at"],
            duration_s=sum(self._ran_s(row) for row in started),
            replicas=request["replicas"],
            resources=ResourcesModel.model_validate(request["resources"]).value(),
            priority=request["priority"],
        )

    def _ran_s(self, allocation: Row) -> float:
        gone_at = self.until_s if allocation["gone_at"] is None else allocation["gone_at"]
        return max(0.0, float(min(gone_at, self.until_s) - allocation["started_at"]))

    def _last_moment(self) -> float:
        """Return the last moment of which the ledger tells."""
        latest = sa.select(
            sa.func.max(allocations.c.granted_at).label("granted"),
            sa.func.max(allocations.c.gone_at).label("gone"),
            sa.select(sa.func.max(requests.c.submitted_at)).scalar_subquery().label("submitted"),
        )
        row = next(iter(self._rows(latest)))
        return max((float(at) for at in row.values() if at is not None), default=0.0)

    def _rows(self, statement: sa.Executable) -> Iterator[Row]:
        try:
            with (
                self._engine.connect().execution_options(yield_per=BATCH_ROWS) as connection,
                connection.execute(statement) as result,
            ):
                for row in result.mappings():
                    yield {str(name): value for name, value in row.items()}
        except SQLAlchemyError as error:
            reason = getattr(error, "orig", None) or error
            raise LedgerError(f"the ledger {self._engine.url!r} cannot be read: {reason}") from error
