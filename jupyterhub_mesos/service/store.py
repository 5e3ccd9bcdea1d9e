"""The ledger on disk: rows in, rows out, one transaction per batch; synchronous, in a thread of the ledger's.

SQLite (WAL, synchronous=FULL, foreign keys) or PostgreSQL (synchronous_commit).
Fencing: `meta` holds the epoch, which each opening raises, and the last commit,
`EPOCH.NUMBER`. Every transaction moves that on from the commit before it, so one
of a service that was succeeded finds another epoch there and changes nothing.
It also says, where a connection broke in a commit, whether that was made.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool, StaticPool

from jupyterhub_mesos.configuration.databases import Database, sqlite_url
from jupyterhub_mesos.errors import LedgerError, OutcomeUnknown, TakenOver
from jupyterhub_mesos.service import encoding, schema, writes
from jupyterhub_mesos.service.queries import audit_statement, request_conditions
from jupyterhub_mesos.service.rows import (
    AuditQuery,
    AuditRow,
    Batch,
    JobRow,
    KeyName,
    KeyRow,
    Loaded,
    RequestQuery,
    RequestRow,
    ServerKey,
    TaskRow,
)
from jupyterhub_mesos.service.usage.accounting import Held
from jupyterhub_mesos.service.usage.reading import UsageWanted, usage_statement
from jupyterhub_mesos.wire import TeamsModel
from jupyterhub_mesos_quota.forecast import PastWait
from jupyterhub_mesos_quota.model import (
    Allocation,
    AllocationId,
    AllocationState,
    RequestId,
    RequestStatus,
)

MIGRATIONS: Final = Path(__file__).with_name("migrations")
LOOKS_AFTER_A_BREAK: Final = 5
LOOK_AFTER_SECONDS: Final = 1.0
"""How often, and how far apart, the database is asked whether a commit was made in which the connection
broke: a server that is restarted is back by then."""
MAX_PAGE: Final = 500
EPOCH: Final = "epoch"
COMMIT: Final = "commit"
_META: Final = schema.meta.c
_MOVING_ON: Final = (
    sa.update(schema.meta)
    .where(_META.key == COMMIT, _META.value == sa.bindparam("last"))
    .values(value=sa.bindparam("next"))
)


def store_url(path: Path) -> str:
    """Make the URL of a ledger in a SQLite file."""
    return sqlite_url(path)


class Store:
    """One open ledger. Every method raises `LedgerError` when the database fails."""

    def __init__(self, where: str | Database) -> None:
        self.database = Database.at(where, where="the ledger's URL") if isinstance(where, str) else where
        self._engine: sa.Engine | None = None
        self._epoch = 0
        self._commits = 0
        self._is_unsure = False  # whether the last commit was made is not known

    # ---- opening and closing -------------------------------------------------------------------

    def open(self) -> None:
        """Connect, bring the tables to the present revision and take the ledger over."""
        # one connection in either case; PostgreSQL's pool opens another one where it broke
        engine = self.database.engine(QueuePool if self.database.is_postgresql else StaticPool)
        try:
            with engine.begin() as connection:
                _migrate(connection)
            with engine.begin() as connection:
                self._epoch, self._commits = _next_epoch(connection), 0
        except SQLAlchemyError as error:
            engine.dispose()
            reason = self.database.reason(error)
            raise LedgerError(f"the ledger {self.database.shown} cannot be opened: {reason}") from error
        self._engine = engine

    def close(self) -> None:
        """Let the database go; closing twice is no error."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    # ---- writing -------------------------------------------------------------------------------

    def write(self, batch: Batch) -> None:
        """Write a batch in one transaction, durable when this returns.

        Raises `TakenOver` where another service has the ledger now, and `OutcomeUnknown` where the
        connection broke in the commit and nobody can be asked whether it was made.
        """
        is_sent = False
        self._settle()
        try:
            with closing(self._connected().connect()) as connection:
                self._move_on(connection)
                writes.write(connection, batch)
                is_sent = True
                connection.commit()
        except SQLAlchemyError as error:
            if not (is_sent and self._was_committed()):
                raise LedgerError(f"the ledger could not be written: {self._reason(error)}") from error
        self._commits += 1

    def check_owner(self) -> None:
        """Raise `TakenOver` where another service has opened this ledger since."""
        self._last_commit()

    # ---- reading -------------------------------------------------------------------------------

    def load(self) -> Loaded:
        """Read everything live: what the machine and the controller are rebuilt from.

        Raises `TakenOver` where another service has opened this ledger since.
        """
        self._settle()
        self.check_owner()
        live_allocation = schema.allocations.c.state != AllocationState.GONE.value
        ids = sa.select(schema.allocations.c.id).where(live_allocation)
        revision, teams = self._teams()
        return Loaded(
            teams=teams,
            revision=revision,
            requests=tuple(
                map(encoding.request_row, self._select(schema.requests, schema.requests.c.is_live))
            ),
            allocations=tuple(map(encoding.allocation, self._select(schema.allocations, live_allocation))),
            tasks=tuple(
                map(encoding.task_row, self._select(schema.tasks, schema.tasks.c.allocation_id.in_(ids)))
            ),
            jobs=tuple(
                map(encoding.job_row, self._select(schema.jobs, schema.jobs.c.allocation_id.in_(ids)))
            ),
            tokens=tuple(map(encoding.token_row, self._rows(sa.select(schema.tokens)))),
            kept=dict(map(encoding.kept_row, self._rows(sa.select(schema.kept)))),
        )

    def teams_at(self, revision: int) -> TeamsModel | None:
        """Return the team tree of a revision."""
        rows = self._select(schema.teams, schema.teams.c.revision == revision)
        return encoding.teams_model(rows[0]) if rows else None

    def team_edits(self, before: int | None, limit: int) -> tuple[tuple[int, float, TeamsModel], ...]:
        """Return so many revisions of the tree below `before`, newest first, with when each was written."""
        table = schema.teams
        statement = sa.select(table).order_by(table.c.revision.desc()).limit(limit)
        if before is not None:
            statement = statement.where(table.c.revision < before)
        rows = self._rows(statement)
        return tuple((int(row["revision"]), row["at"], encoding.teams_model(row)) for row in rows)

    def request(self, request_id: RequestId) -> RequestRow | None:
        """Return one request, live or ended."""
        rows = self._select(schema.requests, schema.requests.c.id == request_id)
        return encoding.request_row(rows[0]) if rows else None

    def requests(self, query: RequestQuery) -> tuple[tuple[RequestRow, ...], int | None]:
        """Return a page of requests, newest first, and the `before` of the next page if there is one."""
        table, limit = schema.requests, min(query.limit, MAX_PAGE)
        statement = (
            sa.select(table).where(*request_conditions(query)).order_by(table.c.seq.desc()).limit(limit + 1)
        )
        rows = [encoding.request_row(row) for row in self._rows(statement)]
        page = tuple(rows[:limit])
        return page, page[-1].seq if len(rows) > limit else None

    def past_waits(self, newest: int) -> tuple[PastWait, ...]:
        """Return how long the newest requests waited for their first allocation, or until withdrawn."""
        table, given = schema.requests, schema.allocations
        statement = (
            sa.select(table, sa.func.min(given.c.granted_at).label("granted_at"))
            .select_from(table.outerjoin(given, given.c.request_id == table.c.id))
            .where(table.c.seq > self.last_seq() - newest)
            .group_by(table.c.id)
        )
        waits = map(encoding.past_wait, self._rows(statement))
        return tuple(wait for wait in waits if wait is not None)

    def freed_at(self) -> dict[RequestId, float]:
        """Return of those that wait again when their last allocation was gone."""
        table, given = schema.requests, schema.allocations
        statement = (
            sa.select(table.c.id, sa.func.max(given.c.gone_at).label("gone_at"))
            .select_from(table.join(given, given.c.request_id == table.c.id))
            .where(table.c.is_live, table.c.status == RequestStatus.QUEUED.value)
            .group_by(table.c.id)
        )
        rows = self._rows(statement)
        return {RequestId(row["id"]): row["gone_at"] for row in rows if row["gone_at"] is not None}

    def last_server(self, user: str, server_name: str, hub: str = "") -> RequestRow | None:
        """Return the newest request of a notebook server, ended ones included."""
        table, key = schema.requests, ServerKey(hub, user, server_name)
        statement = sa.select(table).where(
            table.c.hub == key.hub, table.c.user == key.user, table.c.server_name == key.server_name
        )
        rows = self._rows(statement.order_by(table.c.seq.desc()).limit(1))
        return encoding.request_row(rows[0]) if rows else None

    def allocations_of(self, request_id: RequestId) -> tuple[Allocation, ...]:
        """Return every allocation that a request had, oldest first."""
        table = schema.allocations
        statement = sa.select(table).where(table.c.request_id == request_id).order_by(table.c.granted_at)
        return tuple(map(encoding.allocation, self._rows(statement)))

    def held(self, wanted: UsageWanted, after: str) -> list[tuple[str, Held]]:
        """Return a page of what was held, in the order of the allocations' ids, those after one of them."""
        rows = self._rows(usage_statement(wanted, after))
        return [(row["id"], encoding.held(row)) for row in rows]

    def is_wanted(self, allocation_id: AllocationId, since: float) -> bool:
        """Say whether an allocation is known and was not gone yet at `since` (Unix seconds)."""
        table = schema.allocations
        rows = self._select(table, table.c.id == allocation_id)
        return bool(rows) and (rows[0]["gone_at"] is None or rows[0]["gone_at"] >= since)

    def job(self, allocation_id: AllocationId) -> JobRow | None:
        """Return how far the generations of an allocation came."""
        rows = self._select(schema.jobs, schema.jobs.c.allocation_id == allocation_id)
        return encoding.job_row(rows[0]) if rows else None

    def tasks_of(self, allocation_id: AllocationId) -> tuple[TaskRow, ...]:
        """Return every task that an allocation had, by generation, role and index."""
        table = schema.tasks
        statement = sa.select(table).where(table.c.allocation_id == allocation_id)
        ordered = statement.order_by(table.c.generation, table.c.role, table.c.index)
        return tuple(map(encoding.task_row, self._rows(ordered)))

    def audit(
        self, subject: str | None = None, before: int | None = None, limit: int = 100
    ) -> tuple[AuditRow, ...]:
        """Return what happened, newest first."""
        table = schema.audit
        statement = sa.select(table).order_by(table.c.seq.desc()).limit(min(limit, MAX_PAGE))
        if subject is not None:
            statement = statement.where(table.c.subject == subject)
        if before is not None:
            statement = statement.where(table.c.seq < before)
        return tuple(map(encoding.audit_row, self._rows(statement)))

    def audit_page(self, query: AuditQuery) -> tuple[tuple[AuditRow, ...], int | None]:
        """Return a page of what happened, newest first, and the `before` of the next page if there is one."""
        rows = [encoding.audit_row(row) for row in self._rows(audit_statement(query))]
        page = tuple(rows[: query.limit])
        return page, page[-1].seq if len(rows) > query.limit else None

    def audit_after(self, seq: int, limit: int) -> tuple[AuditRow, ...]:
        """Return what happened after a row, oldest first."""
        table = schema.audit
        statement = sa.select(table).where(table.c.seq > seq).order_by(table.c.seq).limit(limit)
        return tuple(map(encoding.audit_row, self._rows(statement)))

    def last_audit_seq(self) -> int:
        """Return the `seq` of what happened last, 0 where nothing has."""
        rows = self._rows(sa.select(sa.func.max(schema.audit.c.seq).label("last")))
        return int(rows[0]["last"] or 0)

    def key(self, name: KeyName) -> KeyRow | None:
        """Return what is kept of the write that was done under a key."""
        table = schema.idempotency_keys
        rows = self._select(table, (table.c.asker == name.asker) & (table.c.key == name.key))
        return encoding.key_row(rows[0]) if rows else None

    def meta(self, key: str) -> str | None:
        """Return one named text."""
        rows = self._select(schema.meta, schema.meta.c.key == key)
        return str(rows[0]["value"]) if rows else None

    def last_seq(self) -> int:
        """Return the highest `seq` that a request has, 0 where there is none."""
        rows = self._rows(sa.select(sa.func.max(schema.requests.c.seq).label("last")))
        return int(rows[0]["last"] or 0)

    # --------------------------------------------------------------------------------------------

    def _teams(self) -> tuple[int, TeamsModel]:
        table = schema.teams
        rows = self._rows(sa.select(table).order_by(table.c.revision.desc()).limit(1))
        if not rows:
            return 0, TeamsModel(teams={})
        return int(rows[0]["revision"]), encoding.teams_model(rows[0])

    def _select(self, table: sa.Table, condition: sa.ColumnElement[bool]) -> Sequence[encoding.Row]:
        return self._rows(sa.select(table).where(condition))

    def _rows(self, statement: sa.Executable) -> Sequence[encoding.Row]:
        try:
            with self._connected().connect() as connection:
                return connection.execute(statement).mappings().all()
        except SQLAlchemyError as error:
            raise LedgerError(f"the ledger could not be read: {self._reason(error)}") from error

    def _connected(self) -> sa.Engine:
        if self._engine is None:
            raise LedgerError("the ledger is closed")
        return self._engine

    def _reason(self, error: SQLAlchemyError) -> str:
        return self.database.reason(error)

    # ---- fencing -------------------------------------------------------------------------------

    def _move_on(self, connection: sa.Connection) -> None:
        """Claim the next commit; until the transaction's end nobody else can take the ledger over."""
        numbers = {"last": self._commit(self._commits), "next": self._commit(self._commits + 1)}
        moved = connection.execute(_MOVING_ON, numbers)
        if moved.rowcount != 1:
            raise _taken_over()

    def _commit(self, number: int) -> str:
        return f"{self._epoch}.{number}"

    def _last_commit(self) -> int:
        """Return the number of the last commit that was made; raises `TakenOver` where it was not ours."""
        epoch, _, number = str(self.meta(COMMIT)).partition(".")
        if epoch != str(self._epoch):
            raise _taken_over()
        return int(number)

    def _was_committed(self) -> bool:
        """Ask, on a new connection, whether the commit in which the old one broke was made."""
        self._is_unsure = True
        for looks_left in reversed(range(LOOKS_AFTER_A_BREAK)):
            try:
                last = self._last_commit()
            except TakenOver:
                raise
            except LedgerError as error:
                if not looks_left:
                    text = f"the connection broke in a commit, and the database cannot be asked: {error}"
                    raise OutcomeUnknown(text) from error
                time.sleep(LOOK_AFTER_SECONDS)
            else:
                self._is_unsure = False
                return last > self._commits
        raise AssertionError("the last look answers or raises")

    def _settle(self) -> None:
        """Learn now what could not be asked after a commit that broke."""
        if self._is_unsure:
            self._commits, self._is_unsure = self._last_commit(), False


def _taken_over() -> TakenOver:
    return TakenOver("another capacity service has opened this ledger and took it over: stop one of the two")


def _migrate(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))  # a large table takes its time
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _next_epoch(connection: sa.Connection) -> int:
    """Take the ledger over; what its last owner is committing is waited for."""
    table = schema.meta
    held = sa.select(table.c.value).where(table.c.key == EPOCH).with_for_update()
    epoch = int(connection.execute(held).scalar() or 0) + 1
    writes.upsert(
        connection,
        table,
        # the order in which rows are locked: a commit in progress holds the second
        [{"key": EPOCH, "value": str(epoch)}, {"key": COMMIT, "value": f"{epoch}.0"}],
    )
    return epoch
