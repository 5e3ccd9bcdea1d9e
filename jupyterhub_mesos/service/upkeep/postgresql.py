"""A PostgreSQL ledger copied as a whole, by PostgreSQL's own `pg_dump` and `pg_restore`.

They learn where to connect from a service file that only this user reads, so
that no password stands in a command line.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from jupyterhub_mesos.configuration.databases import Database
from jupyterhub_mesos.errors import InvalidInput, LedgerError
from jupyterhub_mesos.service import schema
from jupyterhub_mesos.service.upkeep.revisions import TABLE

_NAME: Final = "ledger"
_PARTS: Final = {
    "host": "host",
    "port": "port",
    "username": "user",
    "password": "password",
    "database": "dbname",
}


def dump(database: Database, target: Path) -> None:
    """Copy the ledger's tables into a new file (`pg_dump`'s custom format). Raises `LedgerError`."""
    tool, inside = _tool("pg_dump"), _schema_name(database)
    tables = [f'--table="{inside}"."{name}"' for name in (*schema.metadata.tables, TABLE)]
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise LedgerError(f"{target} cannot be made: {error.strerror}") from error
    options = ["--format=custom", "--no-owner", "--no-privileges", f"--file={target}"]
    with _service(database) as environment:
        _run([tool, *options, *tables], environment)
    file = os.open(target, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def load(database: Database, source: Path) -> None:
    """Put what was dumped in the place of the ledger's tables, in one transaction. Raises `LedgerError`."""
    options = ["--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction"]
    with _service(database) as environment:
        _run([_tool("pg_restore"), *options, f"--dbname=service={_NAME}", str(source)], environment)


def revision_in(source: Path) -> str:
    """Return the revision of what was dumped; raises `InvalidInput` where it is no ledger."""
    told = ["--data-only", f"--table={TABLE}", "--file=-", str(source)]
    try:
        text = _run([_tool("pg_restore"), *told], os.environ)
    except LedgerError as error:
        raise InvalidInput(f"it is no backup of a PostgreSQL ledger: {error}", where=str(source)) from error
    lines = text.splitlines()
    after = next((number for number, line in enumerate(lines) if line.startswith("COPY ")), None)
    if after is None or lines[after + 1].startswith("\\."):
        raise InvalidInput("it is no backup of a ledger: it names no revision", where=str(source))
    return lines[after + 1].strip()


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise LedgerError(
            f"there is no {name} on this machine, which a PostgreSQL ledger needs: install PostgreSQL's "
            "client programs (Debian: postgresql-client), of the server's version or newer"
        )
    return found


def _run(command: Sequence[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        raise LedgerError(f"{Path(command[0]).name}: {said}")
    return done.stdout


def _schema_name(database: Database) -> str:
    try:
        with database.engine(NullPool).connect() as connection:
            return str(connection.execute(sa.text("SELECT current_schema()")).scalar())
    except SQLAlchemyError as error:
        raise LedgerError(f"{database.shown} does not answer: {database.reason(error)}") from error


@contextmanager
def _service(database: Database) -> Generator[Mapping[str, str]]:
    """Write where to connect into a file, and lend the environment that names it."""
    url = database.url
    parts = {word: getattr(url, part) for part, word in _PARTS.items() if getattr(url, part) is not None}
    given = {**parts, **{key: value for key, value in url.query.items() if isinstance(value, str)}}
    lines = [f"[{_NAME}]", *(f"{key}={value}" for key, value in given.items())]
    with tempfile.TemporaryDirectory(prefix="ledger-") as folder:
        file = Path(folder) / "pg_service.conf"
        file.touch(0o600)
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        yield {**os.environ, "PGSERVICEFILE": str(file), "PGSERVICE": _NAME}
