"""Moving a ledger into another database, such as from SQLite into PostgreSQL: all of it or nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from jupyterhub_mesos.configuration.databases import Database
from jupyterhub_mesos.errors import Conflict, LedgerError
from jupyterhub_mesos.service import schema
from jupyterhub_mesos.service.store import Store
from jupyterhub_mesos.service.upkeep import revisions
from jupyterhub_mesos.service.upkeep.work import connected, held, revision_in

CHUNK: Final = 1000
"""Rows that are read and written at a time: bounds the memory that a large audit takes."""
KEPT_BY_A_NEW_LEDGER: Final = (schema.meta,)
"""What is there in a ledger in which nothing ever happened."""


def move(source: Database, target: Database) -> tuple[dict[str, int], Path | None]:
    """Copy a ledger whole into a database that has none; returns how many rows each table has.

    Also returns where a SQLite file is now, which is put aside so that no service opens it again by mistake.
    Raises `Conflict` while a service has either of them, where the target holds a ledger, and for tables
    of another version; `LedgerError` where the copy is not the same: the target is empty then, and the
    source as it was.
    """
    if source.url == target.url:
        raise Conflict(f"{source.shown} is where the ledger is already: name another database")
    with held(source), held(target):
        _check_revision(source)
        _prepare(target)
        counts = _copied(source, target)
        return counts, None if source.is_postgresql else _aside(source)


def _check_revision(source: Database) -> None:
    revision, newest = revision_in(source), revisions.newest()
    if revision is None:
        raise LedgerError(f"{source.shown} holds no ledger: there is nothing to move")
    if revision != newest:
        raise Conflict(
            f"{source.shown} has tables of revision {revision}, this version writes {newest}: "
            "run `jupyterhub-mesos upgrade` first"
        )


def _prepare(target: Database) -> None:
    """Make the tables where there are none; raises `Conflict` where anything stands in them."""
    if revision_in(target) is None:
        store = Store(target)
        store.open()
        store.close()
    with connected(target) as connection:
        for table in schema.metadata.sorted_tables:
            if table not in KEPT_BY_A_NEW_LEDGER and _count(connection, table):
                raise Conflict(f"{target.shown} holds a ledger already: name a database that has none")


def _copied(source: Database, target: Database) -> dict[str, int]:
    counts: dict[str, int] = {}
    with connected(source) as old, connected(target) as new, new.begin():
        new.execute(sa.delete(schema.meta))
        for table in schema.metadata.sorted_tables:
            for chunk in _rows(old, table).partitions(CHUNK):
                new.execute(sa.insert(table), [dict(row) for row in chunk])
            counts[table.name] = _compared(old, new, table)
        if target.is_postgresql:
            new.execute(_NEXT_AUDIT_SEQ)
    return counts


_NEXT_AUDIT_SEQ: Final = sa.text(
    "SELECT setval(pg_get_serial_sequence('audit', 'seq'), "
    "(SELECT coalesce(max(seq), 0) + 1 FROM audit), false)"
)


def _compared(old: sa.Connection, new: sa.Connection, table: sa.Table) -> int:
    """Return how many rows a table has, all of them the same in both. Raises `LedgerError`."""
    count = 0
    for one, other in zip_longest(_rows(old, table), _rows(new, table)):
        if one != other:
            raise LedgerError(f"the copy of table {table.name} is not the same at its row {count + 1}")
        count += 1
    return count


def _rows(connection: sa.Connection, table: sa.Table) -> sa.MappingResult:
    """Return a table's rows by its key."""
    ordered = sa.select(table).order_by(*table.primary_key.columns)
    return connection.execute(ordered, execution_options={"yield_per": CHUNK}).mappings()


def _count(connection: sa.Connection, table: sa.Table) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() or 0)


def _aside(source: Database) -> Path:
    """Put a SQLite file aside, all that was written in it."""
    with connected(source) as connection:
        connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))
    moved = source.file.with_name(f"{source.file.name}.moved-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    source.file.rename(moved)
    return moved
