"""The ledger's database: its URL as an operator writes it, and connections as the ledger needs them.

SQLite: `sqlite:////var/lib/hub/ledger.sqlite`. PostgreSQL: what libpq takes in a
URL, so TLS by `sslmode`, and a password from `PGPASSFILE` or from the
environment: `postgresql://hub:${LEDGER_PASSWORD}@db.example.org/ledger`.
What is said of a database never holds its password, nor values of its rows.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import sqlalchemy as sa
from pydantic_core import PydanticSerializationError, to_json
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool, Pool

from jupyterhub_mesos.errors import InvalidInput

BUSY_MILLISECONDS: Final = 5000
"""How long a writer of SQLite waits for another one (a backup) before it gives up."""

SESSION: Final = {
    # no statement of the ledger takes a second; one that waits for a lock waits for a dying predecessor
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "15s",
    # the server lets go of a client that was cut off after 2 + 2 s, so that a successor may begin
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "2",
}
"""Set in every session of PostgreSQL."""

LIBPQ: Final = {
    "connect_timeout": "3",
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "2",
    "tcp_user_timeout": "3000",  # milliseconds: a server that was cut off is noticed while we speak to it
    "application_name": "jupyterhub-mesos",
}
"""How a client connects, unless the URL says otherwise."""

_DRIVERS: Final = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "sqlite": "sqlite",
}
_SECRET_KEYS: Final = frozenset({"password", "sslpassword"})
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def sqlite_url(path: Path) -> str:
    """Make the URL of a database in a SQLite file."""
    return sa.URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


@dataclass(frozen=True, slots=True)
class Database:
    """Where the ledger is kept."""

    url: sa.URL = field(repr=False)

    @classmethod
    def at(cls, text: str, *, where: str = "") -> Database:
        """Read a URL, `${VARIABLE}` from the environment; raises `InvalidInput`, which names no secret."""
        try:
            url = sa.make_url(_expanded(text, where))
        except (ArgumentError, ValueError) as error:
            raise InvalidInput(f"it is no URL of a database: {_EXAMPLES}", where=where) from error
        driver = _DRIVERS.get(url.drivername)
        if driver is None:
            raise InvalidInput(f"a database of {url.drivername} cannot be used: {_EXAMPLES}", where=where)
        if driver == "sqlite" and url.database in {None, "", ":memory:"}:
            raise InvalidInput("a ledger in memory loses everything: name a file", where=where)
        if driver != "sqlite" and not url.database:
            raise InvalidInput(f"it names no database: {_EXAMPLES}", where=where)
        return cls(url.set(drivername=driver))

    @property
    def is_postgresql(self) -> bool:
        """Whether it is PostgreSQL; else it is a file of SQLite."""
        return self.url.get_backend_name() == "postgresql"

    @property
    def file(self) -> Path:
        """The file of a SQLite database."""
        return Path(str(self.url.database))

    @property
    def shown(self) -> str:
        """The URL for people: without its secrets."""
        query = {key: "***" if key in _SECRET_KEYS else value for key, value in self.url.query.items()}
        name = "postgresql" if self.is_postgresql else "sqlite"
        return self.url.set(drivername=name, query=query).render_as_string(hide_password=True)

    def engine(self, pool: type[Pool]) -> sa.Engine:
        """Make an engine, whose connections are durable and give up in time; none is opened yet."""
        engine = self._engine(pool)
        prepare = _prepare_postgresql if self.is_postgresql else _prepare_sqlite
        event.listen(engine, "connect", prepare)
        return engine

    def reading_engine(self) -> sa.Engine:
        """Make an engine for who only reads; PostgreSQL refuses everything else from it."""
        engine = self._engine(NullPool)
        return engine.execution_options(postgresql_readonly=True) if self.is_postgresql else engine

    def _engine(self, pool: type[Pool]) -> sa.Engine:
        wanted = LIBPQ if self.is_postgresql else {}
        arguments = {key: value for key, value in wanted.items() if key not in self.url.query}
        try:
            return sa.create_engine(self.url, poolclass=pool, connect_args=arguments, json_serializer=_json)
        except (ImportError, NoSuchModuleError) as error:
            raise InvalidInput(
                "the driver of PostgreSQL is not installed: pip install 'jupyterhub-mesos[postgresql]'",
                where=self.shown,
            ) from error

    def reason(self, error: SQLAlchemyError) -> str:
        """Say what the database said, without the statement, its values and the password."""
        original: Any = getattr(error, "orig", None)
        said = getattr(getattr(original, "diag", None), "message_primary", None)
        text = " ".join(str(said or original or type(error).__name__).split())
        secrets = [self.url.password, *(self.url.query.get(key) for key in _SECRET_KEYS)]
        for secret in secrets:
            if isinstance(secret, str) and secret:
                text = text.replace(secret, "***")
        return text


_EXAMPLES: Final = (
    "postgresql://hub@db.example.org/ledger?sslmode=verify-full, or sqlite:////var/lib/hub/ledger.sqlite"
)


def _expanded(text: str, where: str) -> str:
    """Put variables in; one that is a part of the URL is quoted as such, one that is all of it is not."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in os.environ:
            raise InvalidInput(f"the environment has no {name}: set it for the service", where=where)
        found = os.environ[name]
        return found if match.group(0) == text.strip() else quote(found, safe="")

    return _VARIABLE.sub(value, text.strip())


def _json(value: Any) -> str:
    """Write JSON: eight columns of every grant are some, and the standard library takes far longer."""
    try:
        return to_json(value).decode()
    except PydanticSerializationError:  # half of a surrogate pair: only an escape can hold it
        return json.dumps(value)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    cursor.close()


def _prepare_postgresql(connection: Any, _record: object) -> None:
    """Set time-outs, and durable commits where the server is set to less (a stronger setting stays)."""
    names = ", ".join("set_config(%s, %s, false)" for _ in SESSION)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {names}", [part for pair in SESSION.items() for part in pair])
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false) "
            "WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')"
        )
    connection.commit()
