"""A PostgreSQL of our own: a cluster in a temporary folder, on a free loopback port, a database per test.

`LEDGER_TEST_POSTGRESQL`, the URL of a database whose role may create others, puts a real server in its place.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from jupyterhub_mesos.configuration.databases import Database
from jupyterhub_mesos.service.store import Store
from requirements import require

VARIABLE: Final = "LEDGER_TEST_POSTGRESQL"
DEBIAN: Final = Path("/usr/lib/postgresql")
ACCOUNTS: Final = ("postgres", "nobody")
"""Who runs the server where the tests run as root, which the server refuses to run as."""
DEADLINE_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.05
TEMPLATE: Final = "ledger_template"


class PostgresServer:
    """A server, and databases in it."""

    def __init__(self, admin_url: str) -> None:
        self.admin_url = admin_url
        self._has_template = False

    def url(self, database: str) -> str:
        url = Database.at(self.admin_url).url.set(database=database, drivername="postgresql")
        return url.render_as_string(hide_password=False)

    def ask(self, statement: str, database: str = "") -> list[sa.Row[tuple[object, ...]]]:
        """Run one statement as the administrator."""
        engine = sa.create_engine(
            Database.at(self.url(database) if database else self.admin_url).url,
            poolclass=sa.pool.NullPool,
            isolation_level="AUTOCOMMIT",
        )
        with engine.connect() as connection:
            result = connection.execute(sa.text(statement))
            return list(result.all()) if result.returns_rows else []

    @contextmanager
    def database(self, *, is_empty: bool = False) -> Iterator[str]:
        """Lend the URL of a database of its own: with the ledger's tables, or without any."""
        if not is_empty and not self._has_template:
            self._make_template()
        name = f"test_{secrets.token_hex(6)}"
        self.ask(f"CREATE DATABASE {name} TEMPLATE {'template1' if is_empty else TEMPLATE}")
        try:
            yield self.url(name)
        finally:
            self.ask(f"DROP DATABASE {name} WITH (FORCE)")

    def cut(self, database: str) -> None:
        """End every connection of a database, as a server that restarts does."""
        self.ask(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")

    def _make_template(self) -> None:
        self.ask(f"DROP DATABASE IF EXISTS {TEMPLATE}")
        self.ask(f"CREATE DATABASE {TEMPLATE}")
        store = Store(self.url(TEMPLATE))
        store.open()
        store.close()
        self._has_template = True


class Cluster(PostgresServer):
    """A server that we start, stop and start again."""

    def __init__(self, folder: Path, programs: Path, *, is_durable: bool = False, also_at: str = "") -> None:
        self.folder, self.programs, self.is_durable = folder, programs, is_durable
        self.addresses = ["127.0.0.1", also_at] if also_at else ["127.0.0.1"]
        self.account = _account()
        self.port = _free_port()
        password = secrets.token_hex(12)
        super().__init__(f"postgresql://postgres:{password}@127.0.0.1:{self.port}/postgres")
        self._server: subprocess.Popen[bytes] | None = None
        word = folder / "password"
        word.write_text(password)
        if self.account is not None:
            for path in (folder, word):
                shutil.chown(path, self.account)
        # fmt: off
        self._run(
            programs / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "scram-sha-256",
            "--pwfile", word, "-E", "UTF8", "--locale", "C", "--no-sync",
        )
        # fmt: on
        with (folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.writelines(f"host all all {address}/24 scram-sha-256\n" for address in self.addresses)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = {
            "listen_addresses": ",".join(self.addresses),
            "unix_socket_directories": "",
            "fsync": "on" if self.is_durable else "off",
            "synchronous_commit": "off",  # the ledger has to ask for more by itself
        }
        command = [self.programs / "postgres", "-D", self.folder / "data", "-p", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [*command, *(part for name, value in options.items() for part in ("-c", f"{name}={value}"))],
                user=self.account,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                self.ask("SELECT 1")
            except OperationalError:
                if time.monotonic() > deadline or self._server.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(LOOK_SECONDS)
            else:
                return

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop the server, its clients' connections cut (SIGINT), or as a crash of it (SIGQUIT)."""
        if self._server is not None:
            self._server.send_signal(number)
            self._server.wait(DEADLINE_SECONDS)
            self._server = None

    def _run(self, *command: str | Path) -> None:
        done = subprocess.run(command, user=self.account, cwd=self.folder, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.decode(errors="replace"))


@contextmanager
def served() -> Iterator[PostgresServer]:
    """Lend a PostgreSQL; skip where there is none, and fail there in CI."""
    require(_DRIVER, find_spec("psycopg") is not None)
    if VARIABLE in os.environ:
        yield PostgresServer(os.environ[VARIABLE])
        return
    with cluster() as own:
        yield own


@contextmanager
def cluster(*, is_durable: bool = False, also_at: str = "") -> Iterator[Cluster]:
    """Lend a cluster of our own, at another address too; one that is durable flushes to the disk."""
    programs = _programs()
    require(_SERVER, programs is not None)
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="ledger-postgresql-"))
    own = None
    try:
        own = Cluster(folder, programs, is_durable=is_durable, also_at=also_at)
        own.start()
        yield own
    finally:
        if own is not None:
            own.stop()
        shutil.rmtree(folder, ignore_errors=True)


def missing() -> str | None:
    """Say what a cluster of our own lacks here; None where it lacks nothing."""
    if find_spec("psycopg") is None:
        return _DRIVER
    return _SERVER if _programs() is None else None


_DRIVER: Final = "psycopg, the driver of PostgreSQL (extra `postgresql`)"
_SERVER: Final = "PostgreSQL (Debian: apt-get install postgresql)"


def _programs() -> Path | None:
    found = [path.parent for path in DEBIAN.glob("*/bin/postgres")]
    if found:
        return max(found, key=lambda path: int(path.parent.name))
    server = shutil.which("postgres")
    return Path(server).parent if server else None


def _account() -> str | None:
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise RuntimeError(f"there is none of the accounts {', '.join(ACCOUNTS)} to run PostgreSQL as")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
