"""The lock of a ledger: one service at a time holds it, and it is free as soon as that one dies.

SQLite: a lock of the system's (`flock`) on `LEDGER.lock` beside the file, gone
with its process. PostgreSQL: an advisory lock of one session, gone with its
connection; so it can be lost while the process lives. Blocking: for a thread.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
import zlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from jupyterhub_mesos.configuration.databases import Database
from jupyterhub_mesos.errors import LedgerError, TakenOver

LOCK_CLASS: Final = 0x6A686D
"""The first half of the advisory lock's key ("jhm"), so that it meets no other program's; 31 bits."""
_POSITIVE: Final = 0x7FFFFFFF
NAME_BYTES: Final = 63
"""What PostgreSQL keeps of an application's name."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a ledger, `since` when (Unix seconds)."""

    host: str
    pid: int
    since: float

    @classmethod
    def me(cls) -> Holder:
        """Describe this process."""
        return cls(socket.gethostname(), os.getpid(), time.time())

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since, UTC)
        return f"process {self.pid} on {self.host}, since {since:%Y-%m-%d %H:%M:%S} UTC"


UNKNOWN: Final = Holder("a host that is not known", 0, 0.0)


class Lock(Protocol):
    """What one ledger has one of."""

    can_be_lost: bool

    def take(self) -> Holder | None:
        """Take the lock; returns who holds it, where another one does. Raises `LedgerError`."""
        ...

    def look(self) -> None:
        """Look whether it is still ours. Raises `TakenOver`, or `LedgerError` where nobody can be asked."""
        ...

    def release(self) -> None:
        """Let it go; twice is no error."""
        ...


def lock_of(database: Database) -> Lock:
    """Return the lock of a ledger."""
    return AdvisoryLock(database) if database.is_postgresql else FileLock(database.file)


class FileLock:
    """The lock of a SQLite ledger."""

    can_be_lost = False

    def __init__(self, ledger: Path) -> None:
        self.path = ledger.with_name(f"{ledger.name}.lock")
        self._file: int | None = None

    def take(self) -> Holder | None:
        """Take the lock; returns who holds it, where another one does."""
        if self._file is not None:
            return None
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LedgerError(f"the ledger cannot be locked: {error}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read(os.pread(file, 4096, 0))
            os.close(file)
            return holder
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps(asdict(Holder.me())).encode(), 0)
        self._file = file
        return None

    def look(self) -> None:
        """Do nothing: a process does not lose it while it lives."""

    def release(self) -> None:
        """Let it go; the file stays, so that nobody locks one that is gone."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _read(text: bytes) -> Holder:
    """Read who holds it; its file may be half written just then."""
    try:
        known = json.loads(text)
        return Holder(str(known["host"]), int(known["pid"]), float(known["since"]))
    except (ValueError, KeyError, TypeError):
        return UNKNOWN


class AdvisoryLock:
    """The lock of a ledger in PostgreSQL, held by a connection that does nothing else."""

    can_be_lost = True

    def __init__(self, database: Database) -> None:
        self._database = database
        self._engine = database.engine(NullPool).execution_options(isolation_level="AUTOCOMMIT")
        self._connection: sa.Connection | None = None
        self._is_held = False

    def take(self) -> Holder | None:
        """Take the lock; returns who holds it, where another one does. Raises `LedgerError`."""
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            return self._try(self._connection)
        except SQLAlchemyError as error:
            self._drop()
            reason = self._database.reason(error)
            raise LedgerError(f"the ledger {self._database.shown} cannot be locked: {reason}") from error

    def look(self) -> None:
        """Look whether it is still ours, and take it again where its connection broke.

        Raises `TakenOver`, or `LedgerError` where nobody can be asked.
        """
        if self._connection is not None:
            try:
                self._connection.execute(sa.text("SELECT 1"))
            except SQLAlchemyError:
                self._drop()
        if self._connection is None and (holder := self.take()) is not None:
            raise TakenOver(
                f"the connection that held the ledger broke, and now another one has it: {holder}"
            )

    def release(self) -> None:
        """Let it go with its connection."""
        self._drop()
        self._engine.dispose()

    def _try(self, connection: sa.Connection) -> Holder | None:
        if self._is_held:
            return None
        schema = connection.execute(sa.text("SELECT current_schema()")).scalar()
        key = {"class": LOCK_CLASS, "key": zlib.crc32(str(schema).encode()) & _POSITIVE}
        taken = sa.text("SELECT pg_try_advisory_lock(:class, :key)")
        if not connection.execute(taken, key).scalar():
            return _named(connection.execute(_HOLDER, key).scalar())
        self._is_held = True
        name = {"name": _name(Holder.me())}
        connection.execute(sa.text("SELECT set_config('application_name', :name, false)"), name)
        return None

    def _drop(self) -> None:
        connection, self._connection, self._is_held = self._connection, None, False
        if connection is not None:
            connection.invalidate()
            connection.close()


_HOLDER: Final = sa.text(
    """
    SELECT activity.application_name FROM pg_locks JOIN pg_stat_activity activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid = :class AND objid = :key
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
)


def _name(holder: Holder) -> str:
    name = f"jupyterhub-mesos {holder.pid} {holder.since:.0f} {holder.host}"
    return name.encode()[:NAME_BYTES].decode(errors="ignore")


def _named(name: object) -> Holder:
    parts = str(name).split(" ")
    try:
        _, pid, since, host = parts
        return Holder(host, int(pid), float(since))
    except ValueError:
        return UNKNOWN
