"""A SQLite ledger copied as a whole by SQLite's online backup: one moment of it, while it is written to."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from jupyterhub_mesos.configuration.databases import BUSY_MILLISECONDS
from jupyterhub_mesos.errors import InvalidInput, LedgerError


def dump(ledger: Path, target: Path) -> None:
    """Copy a ledger into a new file, checked and on the disk when this returns. Raises `LedgerError`."""
    if not ledger.is_file():
        raise LedgerError(
            f"there is no ledger {ledger}: name its folder with --state, or its URL with --ledger"
        )
    _make(target)
    try:
        with closing(_reading(ledger)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)  # in one step: a reader of the WAL holds up no writer
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a -wal beside it
            _check(copy, target)
    except sqlite3.Error as error:
        raise LedgerError(f"the ledger {ledger} could not be copied: {error}") from error
    _sync(target)


def load(source: Path, ledger: Path) -> None:
    """Put what was dumped in the ledger's place, in one transaction of SQLite's. Raises `LedgerError`."""
    if not ledger.exists():
        _make(ledger)
    try:
        with closing(_reading(source)) as copy, closing(sqlite3.connect(ledger)) as target:
            target.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
            target.execute("PRAGMA synchronous=FULL")
            copy.backup(target)
            _check(target, ledger)
    except sqlite3.Error as error:
        raise LedgerError(f"the ledger {ledger} could not be restored: {error}") from error
    _sync(ledger)


def revision_in(source: Path) -> str:
    """Return the revision of what was dumped; raises `InvalidInput` where it is no ledger."""
    try:
        with closing(_reading(source)) as copy:
            _check(copy, source)
            row = copy.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise InvalidInput(f"it is no backup of a SQLite ledger: {error}", where=str(source)) from error
    if row is None:
        raise InvalidInput("it is no backup of a ledger: it names no revision", where=str(source))
    return str(row[0])


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != ("ok",):
        raise LedgerError(f"{path} is damaged: {found[0] if found else 'SQLite says nothing'}")


def _make(path: Path) -> None:
    """Make an empty file that nobody else reads: a ledger holds what people asked for."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise LedgerError(f"{path} cannot be made: {error.strerror}") from error


def _sync(path: Path) -> None:
    for each in (path, path.resolve().parent):
        file = os.open(each, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
