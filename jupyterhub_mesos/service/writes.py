"""A batch as SQL, the same for SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from jupyterhub_mesos.service import encoding, schema
from jupyterhub_mesos.service.rows import KEY_SECONDS, Batch, KeptDoc, KeptKey

_AUDITED: Final = sa.insert(schema.audit)


def write(connection: sa.Connection, batch: Batch) -> None:
    """Write a batch in the connection's transaction."""
    # A server's old request has to be ended before its next one is inserted.
    requests = sorted(batch.requests.values(), key=lambda row: encoding.is_live(row.request))
    if batch.teams is not None:
        revision, model = batch.teams
        doc = model.model_dump(mode="json")
        connection.execute(sa.insert(schema.teams), [{"revision": revision, "at": batch.at, "doc": doc}])
    upsert(connection, schema.requests, map(encoding.request_columns, requests))
    upsert(connection, schema.allocations, map(encoding.allocation_columns, batch.allocations.values()))
    upsert(connection, schema.tasks, map(encoding.task_columns, batch.tasks.values()))
    upsert(connection, schema.jobs, map(encoding.job_columns, batch.jobs.values()))
    tokens = batch.tokens.values()
    upsert(connection, schema.tokens, (encoding.token_columns(token) for token in tokens if token))
    revoked = [name for name, token in batch.tokens.items() if token is None]
    if revoked:
        connection.execute(sa.delete(schema.tokens).where(schema.tokens.c.id.in_(revoked)))
    _write_kept(connection, batch.kept)
    if batch.keys:
        keys = schema.idempotency_keys
        upsert(connection, keys, map(encoding.key_columns, batch.keys.values()))
        connection.execute(sa.delete(keys).where(keys.c.at < batch.at - KEY_SECONDS))
    upsert(connection, schema.meta, ({"key": key, "value": value} for key, value in batch.marks.items()))
    if batch.audit:
        connection.execute(_AUDITED, [encoding.audit_columns(row) for row in batch.audit])


def _write_kept(connection: sa.Connection, kept: Mapping[KeptKey, KeptDoc | None]) -> None:
    written = (encoding.kept_columns(key, doc) for key, doc in kept.items() if doc is not None)
    upsert(connection, schema.kept, written)
    dropped = [key._asdict() for key, doc in kept.items() if doc is None]
    if dropped:
        table = schema.kept
        one = sa.delete(table).where(table.c.kind == sa.bindparam("kind"), table.c.key == sa.bindparam("key"))
        connection.execute(one, dropped)


def upsert(connection: sa.Connection, table: sa.Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows, or replace every column of those whose primary key is there already."""
    values = [dict(row) for row in rows]
    if values:
        connection.execute(_upserting(table, connection.dialect.name), values)


@cache  # a statement costs ten times as much to build as to run, and there is one for each table
def _upserting(table: sa.Table, dialect: str) -> sa.Executable:
    keys = [column.name for column in table.primary_key]
    others = [column.name for column in table.columns if column.name not in keys]
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    statement: sa.Executable = insert.on_conflict_do_update(
        index_elements=keys, set_={name: insert.excluded[name] for name in others}
    )
    return statement
