"""The ledger on disk: rows in, rows out, one transaction per batch; synchronous, in a thread of the ledger's.

SQLite (WAL, synchronous=FULL, foreign keys) today; the SQL is portable. A
second service that opens the same ledger takes it over: the first one's next
commit is refused (fencing by the `epoch` in `meta`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from jupyterhub_mesos.errors import LedgerError, TakenOver
from jupyterhub_mesos.service import encoding, schema
from jupyterhub_mesos.service.rows import (
    AuditRow,
    Batch,
    JobRow,
    KeptDoc,
    KeptKey,
    Loaded,
    RequestQuery,
    RequestRow,
    ServerKey,
    TaskRow,
)
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
BUSY_MILLISECONDS: Final = 5000
"""How long a writer waits for another one (a backup) before it gives up."""
MAX_PAGE: Final = 500


def store_url(path: Path) -> str:
    """Make the URL of a ledger in a SQLite file."""
    return f"sqlite:///{path}"


class Store:
    """One open ledger. Every method raises `LedgerError` when the database fails."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine: sa.Engine | None = None
        self._epoch = 0

    # ---- opening and closing -------------------------------------------------------------------

    def open(self) -> None:
        """Connect, bring the tables to the present revision and take the ledger over."""
        engine = sa.create_engine(self.url, poolclass=sa.pool.StaticPool)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _prepare_sqlite)
        try:
            with engine.begin() as connection:
                _migrate(connection)
            with engine.begin() as connection:
                self._epoch = _next_epoch(connection)
        except SQLAlchemyError as error:
            engine.dispose()
            raise LedgerError(f"the ledger {engine.url!r} cannot be opened: {_reason(error)}") from error
        self._engine = engine

    def close(self) -> None:
        """Let the database go; closing twice is no error."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    # ---- writing -------------------------------------------------------------------------------

    def write(self, batch: Batch) -> None:
        """Write a batch in one transaction, durable when this returns."""
        try:
            with self._connected().begin() as connection:
                self._check_epoch(connection)
                _write(connection, batch)
        except SQLAlchemyError as error:
            raise LedgerError(f"the ledger could not be written: {_reason(error)}") from error

    def check_owner(self) -> None:
        """Raise `TakenOver` where another service has opened this ledger since."""
        try:
            with self._connected().connect() as connection:
                self._check_epoch(connection)
        except SQLAlchemyError as error:
            raise LedgerError(f"the ledger could not be read: {_reason(error)}") from error

    def set_meta(self, key: str, value: str) -> None:
        """Store one named text."""
        try:
            with self._connected().begin() as connection:
                _upsert(connection, schema.meta, [{"key": key, "value": value}])
        except SQLAlchemyError as error:
            raise LedgerError(f"the ledger could not be written: {_reason(error)}") from error

    # ---- reading -------------------------------------------------------------------------------

    def load(self) -> Loaded:
        """Read everything live: what the machine and the controller are rebuilt from."""
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

    def request(self, request_id: RequestId) -> RequestRow | None:
        """Return one request, live or ended."""
        rows = self._select(schema.requests, schema.requests.c.id == request_id)
        return encoding.request_row(rows[0]) if rows else None

    def requests(self, query: RequestQuery) -> tuple[tuple[RequestRow, ...], int | None]:
        """Return a page of requests, newest first, and the `before` of the next page if there is one."""
        table, limit = schema.requests, min(query.limit, MAX_PAGE)
        statement = sa.select(table).where(*_conditions(query)).order_by(table.c.seq.desc()).limit(limit + 1)
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
            raise LedgerError(f"the ledger could not be read: {_reason(error)}") from error

    def _connected(self) -> sa.Engine:
        if self._engine is None:
            raise LedgerError("the ledger is closed")
        return self._engine

    def _check_epoch(self, connection: sa.Connection) -> None:
        """Refuse to write once another service has opened this ledger."""
        epoch = connection.execute(
            sa.select(schema.meta.c.value).where(schema.meta.c.key == "epoch")
        ).scalar()
        if epoch != str(self._epoch):
            raise TakenOver(
                "another capacity service has opened this ledger and took it over: stop one of the two"
            )


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    cursor.close()


def _migrate(connection: sa.Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _next_epoch(connection: sa.Connection) -> int:
    old = connection.execute(sa.select(schema.meta.c.value).where(schema.meta.c.key == "epoch")).scalar()
    epoch = int(old or 0) + 1
    _upsert(connection, schema.meta, [{"key": "epoch", "value": str(epoch)}])
    return epoch


def _reason(error: SQLAlchemyError) -> str:
    """Say what the database said, without the statement and its values."""
    return str(getattr(error, "orig", None) or type(error).__name__)


def _write(connection: sa.Connection, batch: Batch) -> None:
    # A server's old request has to be ended before its next one is inserted.
    requests = sorted(batch.requests.values(), key=lambda row: encoding.is_live(row.request))
    if batch.teams is not None:
        revision, model = batch.teams
        doc = model.model_dump(mode="json")
        connection.execute(sa.insert(schema.teams), [{"revision": revision, "at": batch.at, "doc": doc}])
    _upsert(connection, schema.requests, map(encoding.request_columns, requests))
    _upsert(connection, schema.allocations, map(encoding.allocation_columns, batch.allocations.values()))
    _upsert(connection, schema.tasks, map(encoding.task_columns, batch.tasks.values()))
    _upsert(connection, schema.jobs, map(encoding.job_columns, batch.jobs.values()))
    tokens = batch.tokens.values()
    _upsert(connection, schema.tokens, (encoding.token_columns(token) for token in tokens if token))
    revoked = [name for name, token in batch.tokens.items() if token is None]
    if revoked:
        connection.execute(sa.delete(schema.tokens).where(schema.tokens.c.id.in_(revoked)))
    _write_kept(connection, batch.kept)
    if batch.audit:
        connection.execute(sa.insert(schema.audit), [encoding.audit_columns(row) for row in batch.audit])


def _write_kept(connection: sa.Connection, kept: Mapping[KeptKey, KeptDoc | None]) -> None:
    written = (encoding.kept_columns(key, doc) for key, doc in kept.items() if doc is not None)
    _upsert(connection, schema.kept, written)
    dropped = [key._asdict() for key, doc in kept.items() if doc is None]
    if dropped:
        table = schema.kept
        one = sa.delete(table).where(table.c.kind == sa.bindparam("kind"), table.c.key == sa.bindparam("key"))
        connection.execute(one, dropped)


def _upsert(connection: sa.Connection, table: sa.Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows, or replace every column of those whose primary key is there already."""
    values = [dict(row) for row in rows]
    if not values:
        return
    keys = [column.name for column in table.primary_key]
    others = [column.name for column in table.columns if column.name not in keys]
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)
    statement = insert.on_conflict_do_update(
        index_elements=keys, set_={name: insert.excluded[name] for name in others}
    )
    connection.execute(statement, values)


def _conditions(query: RequestQuery) -> list[sa.ColumnElement[bool]]:
    table = schema.requests
    conditions: list[sa.ColumnElement[bool]] = []
    owners = [
        column.in_(sorted(names))
        for column, names in ((table.c.user, query.users), (table.c.team, query.teams))
        if names is not None
    ]
    if owners:
        conditions.append(sa.or_(*owners))
    if query.within is not None:
        conditions.append(table.c.team == query.within)
    if query.parent is not None:
        conditions.append(table.c.parent == query.parent)
    if query.kinds is not None:
        conditions.append(table.c.kind.in_(sorted(query.kinds)))
    if query.statuses is not None:
        conditions.append(table.c.status.in_(sorted(query.statuses)))
    if query.before is not None:
        conditions.append(table.c.seq < query.before)
    return conditions
