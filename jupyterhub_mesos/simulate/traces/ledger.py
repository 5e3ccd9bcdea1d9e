"""The service's own history as a trace: its ledger, opened read-only, also while the service runs.

A job is a request; it ran for as long as its allocations did together. What is
described of the tables here is what is read of them; a test holds it to the
service's schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from jupyterhub_mesos.configuration.databases import Database, sqlite_url
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


_SECRET: Final = re.compile(r"://[^/@:]*:(?!\$\{)[^@]+@|[?&](ssl)?password=(?!\$\{)")


def has_secret(text: str) -> bool:
    """Say whether a ledger's URL holds a password itself, rather than a `${VARIABLE}` of the environment."""
    return _SECRET.search(text) is not None


@dataclass(frozen=True, slots=True)
class ReadOnly:
    """A ledger that is only looked at; `shown` names it without its password."""

    engine: sa.Engine
    shown: str
    reason: Callable[[SQLAlchemyError], str]

    @classmethod
    def at(cls, text: str) -> ReadOnly:
        """Find a ledger: a state folder, a SQLite file, or a URL as the service's settings take it."""
        if "://" in text:
            database = Database.at(text, where="--ledger")
            if database.is_postgresql:
                return cls(database.reading_engine(), database.shown, database.reason)
            return cls._file(database.file, text)
        path = Path(text).expanduser().resolve()
        return cls._file(StateFolder.at(path).ledger if path.is_dir() else path, text)

    @classmethod
    def _file(cls, file: Path, where: str) -> ReadOnly:
        if not file.is_file():
            raise InvalidInput(
                "there is no ledger: name the service's state folder, its ledger.sqlite or its URL",
                where=where,
            )
        database = Database.at(sqlite_url(file))
        read_only = f"sqlite:///file:{quote(str(file.absolute()))}?mode=ro&uri=true"
        engine = sa.create_engine(read_only, poolclass=sa.pool.NullPool)
        return cls(engine, database.shown, database.reason)


class LedgerJobs:
    """The jobs of a ledger up to the moment `until_s` (Unix seconds); what ran on then had run until then.

    The same moment gives the same jobs, however long the service goes on.
    Every method raises `LedgerError` where the ledger cannot be read.
    """

    noun = "request"

    def __init__(self, ledger: ReadOnly, until_s: float | None = None) -> None:
        self.ledger = ledger
        self.until_s = self._last_moment() if until_s is None else until_s

    def teams(self) -> tuple[Team, ...]:
        """Return the teams that are in force. Raises `TreeError` where they do not hold."""
        newest = sa.select(teams.c.doc).order_by(teams.c.revision.desc()).limit(1)
        found = list(self._rows(newest))
        if not found:
            raise InvalidInput("it has no teams yet: give them, --teams FILE", where=self.ledger.shown)
        return team_values(TeamsModel.model_validate(found[0]["doc"], strict=False))

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
        (row,) = self._rows(latest)
        return max((float(at) for at in row.values() if at is not None), default=0.0)

    def _rows(self, statement: sa.Executable) -> Iterator[Row]:
        try:
            with (
                self.ledger.engine.connect().execution_options(yield_per=BATCH_ROWS) as connection,
                connection.execute(statement) as result,
            ):
                for row in result.mappings():
                    yield {str(name): value for name, value in row.items()}
        except SQLAlchemyError as error:
            reason = self.ledger.reason(error)
            raise LedgerError(f"the ledger {self.ledger.shown} cannot be read: {reason}") from error
