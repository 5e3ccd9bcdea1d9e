"""`doctor --ledger URL`: whether the ledger's database answers, and whether it keeps what it is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyterhub_mesos.backends.base import Fact
from jupyterhub_mesos.errors import CapacityError, LedgerError

if TYPE_CHECKING:
    from jupyterhub_mesos.configuration.databases import Database

OLDEST: Final = 15
"""The oldest version of PostgreSQL that its makers still mend (until November 2027)."""
HOW_TO: Final = "docs/how-to/run-on-postgresql.md says how to make it"

_ASKED: Final = """
    SELECT current_setting('server_version') AS version,
        current_setting('server_version_num')::int / 10000 AS major,
        current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit,
        current_setting('server_encoding') AS encoding, current_setting('transaction_read_only') AS read_only,
        current_schema() AS schema, has_schema_privilege(current_schema(), 'CREATE') AS may_create,
        coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS has_tls,
        coalesce(inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1', true) AS is_near
"""


def facts_of_ledger(text: str) -> Iterator[Fact]:
    """Connect as the service does and look; nothing is written. The password is not said."""
    from jupyterhub_mesos.configuration.databases import Database  # noqa: PLC0415 - SQLAlchemy may be missing

    try:
        database = Database.at(text, where="--ledger")
        if not database.is_postgresql:
            yield Fact("ledger", holds=True, detail=f"SQLite in {database.file}, for one machine")
            return
        found = _look(database)
    except CapacityError as error:
        yield Fact("ledger", holds=False, detail=str(error), cure=f"mend the URL or the server; {HOW_TO}")
        return
    yield Fact(
        "ledger",
        found["major"] >= OLDEST,
        f"PostgreSQL {found['version']} answers at {database.shown}",
        f"take PostgreSQL {OLDEST} or newer",
    )
    yield from _facts(found)


def _look(database: Database) -> Mapping[str, Any]:
    import sqlalchemy as sa  # noqa: PLC0415 - as above
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - as above

    engine = database.engine(sa.pool.NullPool)
    try:
        with engine.connect() as connection:
            return dict(connection.execute(sa.text(_ASKED)).mappings().one())
    except SQLAlchemyError as error:
        raise LedgerError(f"{database.shown}: {database.reason(error)}") from error


def _facts(found: Mapping[str, Any]) -> Iterator[Fact]:
    yield Fact(
        "ledger: durable",
        found["fsync"] == "on",
        f"fsync {found['fsync']}, synchronous_commit {found['synchronous_commit']}",
        "set fsync = on in postgresql.conf: without it a crash of the machine may lose or break the ledger",
    )
    yield Fact(
        "ledger: tables",
        bool(found["may_create"]) and found["read_only"] == "off",
        f"in schema {found['schema']}, read only: {found['read_only']}",
        "let the role own its database, and name the server that takes writes",
    )
    yield Fact("ledger: characters", found["encoding"] == "UTF8", str(found["encoding"]), HOW_TO)
    yield Fact(
        "ledger: TLS",
        bool(found["has_tls"] or found["is_near"]),
        "encrypted" if found["has_tls"] else "on this machine" if found["is_near"] else "not encrypted",
        "add ?sslmode=verify-full&sslrootcert=FILE to the URL",
    )
