"""Backup, restore and upgrade of a ledger, whichever database it is in."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from jupyterhub_mesos.configuration.databases import Database
from jupyterhub_mesos.errors import Conflict, InvalidInput, LedgerError
from jupyterhub_mesos.service import schema
from jupyterhub_mesos.service.ownership import lock_of
from jupyterhub_mesos.service.store import EPOCH, Store
from jupyterhub_mesos.service.upkeep import postgresql, revisions, sqlite


def backup(database: Database, target: Path) -> str:
    """Copy a ledger into a new file while its service runs; returns the revision that it has.

    The file is whole or not there. Raises `Conflict` where it is there already, and `LedgerError`.
    """
    _refuse_existing(target)
    revision = revision_in(database)
    if revision is None:
        raise LedgerError(f"{database.shown} holds no ledger: there is nothing to back up")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if database.is_postgresql:
            postgresql.dump(database, part)
        else:
            sqlite.dump(database.file, part)
        try:
            os.link(part, target)  # refuses where another one made it in the meantime
        except FileExistsError:
            _refuse_existing(target)
    finally:
        part.unlink(missing_ok=True)
    return revision


def restore(database: Database, source: Path, *, replaces: bool) -> Path | None:
    """Put a backup in a ledger's place; returns where what stood there was saved before.

    Raises `Conflict` while a service has the ledger, where one is there and `replaces` is not said, and
    for a backup of a newer version. Nothing is half restored.
    """
    if not source.is_file():
        raise InvalidInput("there is no such file", where=str(source))
    read = postgresql.revision_in if database.is_postgresql else sqlite.revision_in
    revisions.check_known(read(source), f"the backup {source}")
    with held(database):
        saved, epoch = None, 0
        if revision_in(database) is not None:
            if not replaces:
                raise Conflict(
                    f"{database.shown} holds a ledger already: say --replace to save that one beside the "
                    "backup and put the backup in its place, or name another ledger"
                )
            saved = source.with_name(f"{source.name}.replaced-{_stamp()}")
            backup(database, saved)
            epoch = _epoch(database)
        if database.is_postgresql:
            postgresql.load(database, source)
        else:
            sqlite.load(source, database.file)
        _raise_epoch(database, epoch)
    return saved


def upgrade(database: Database, target: Path) -> tuple[str, str]:
    """Bring a ledger's tables to this version's, after a backup; returns the revisions before and after.

    Where they are this version's already, nothing is written. Raises `Conflict` while a service has it.
    """
    with held(database):
        before, after = revision_in(database), revisions.newest()
        if before is None:
            raise LedgerError(f"{database.shown} holds no ledger: a service makes one when it starts")
        revisions.check_known(before, database.shown)
        if before != after:
            backup(database, target)
            store = Store(database)
            store.open()
            store.close()
    return before, after


@contextmanager
def held(database: Database) -> Generator[None]:
    """Hold the ledger's lock, as a service does. Raises `Conflict` where another one holds it."""
    if not database.is_postgresql and not database.file.parent.is_dir():
        raise InvalidInput(f"there is no folder {database.file.parent}", where=database.shown)
    lock = lock_of(database)
    try:
        if (holder := lock.take()) is not None:
            raise Conflict(f"a capacity service has the ledger ({holder}): stop it first, and its standbys")
        yield
    finally:
        lock.release()


def revision_in(database: Database) -> str | None:
    """Return the revision of a ledger; None where there is none. Makes no file."""
    if not database.is_postgresql and not database.file.is_file():
        return None
    with connected(database) as connection:
        return revisions.revision_of(connection)


def _epoch(database: Database) -> int:
    table = schema.meta
    with connected(database) as connection:
        return int(connection.execute(sa.select(table.c.value).where(table.c.key == EPOCH)).scalar() or 0)


def _raise_epoch(database: Database, least: int) -> None:
    """Have no later service come to an epoch that one of before the restore had: it is a fencing token."""
    table = schema.meta
    if least > _epoch(database):
        with connected(database) as connection:
            connection.execute(sa.update(table).where(table.c.key == EPOCH).values(value=str(least)))
            connection.commit()


@contextmanager
def connected(database: Database) -> Generator[sa.Connection]:
    """Connect to a ledger's database; raises `LedgerError` where it fails, also while it is used."""
    engine = database.engine(NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise LedgerError(f"the ledger {database.shown} does not answer: {database.reason(error)}") from error
    finally:
        engine.dispose()


def _refuse_existing(target: Path) -> None:
    if target.exists():
        raise Conflict(f"{target} is there already: name a new file, a backup replaces none")
    if not target.absolute().parent.is_dir():
        raise InvalidInput(f"there is no folder {target.absolute().parent}: make it first", where=str(target))


def _stamp() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
