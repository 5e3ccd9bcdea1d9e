"""A ledger copied while it is written to, put back, and upgraded, on both databases."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.pool import NullPool

from jupyterhub_mesos.configuration.databases import Database
from jupyterhub_mesos.errors import Conflict, InvalidInput, LedgerError
from jupyterhub_mesos.service.ownership import lock_of
from jupyterhub_mesos.service.store import MIGRATIONS, Store
from jupyterhub_mesos.service.upkeep import postgresql, revisions, work
from jupyterhub_mesos_quota.model import RequestId
from service_rig import notebook, opened


@pytest.fixture
def database(url: str) -> Database:
    return Database.at(url)


async def ask(url: str, *names: str) -> None:
    async with opened(url) as ledger:
        for name in names:
            await ledger.apply(notebook(ledger, name, name))


async def known(url: str) -> set[str]:
    async with opened(url) as ledger:
        return {str(row.id) for row in ledger.rows()}


def migrated(url: str, revision: str) -> None:
    """Bring an empty database to the tables of an older version."""
    with Database.at(url).engine(NullPool).begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def set_revision(url: str, revision: str) -> None:
    with Database.at(url).engine(NullPool).begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :it"), {"it": revision})


def leftovers(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir() if each.name.endswith(".part")]


@contextmanager
def held(database: Database) -> Iterator[None]:
    """The ledger while a service has it."""
    lock = lock_of(database)
    assert lock.take() is None
    try:
        yield
    finally:
        lock.release()


async def test_a_backup_is_one_moment_of_a_ledger_that_is_being_written_to(
    url: str, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "a.backup"
    async with opened(url) as ledger:
        await ledger.apply(notebook(ledger, "before", "before"))
        with held(database):
            copying = asyncio.create_task(asyncio.to_thread(work.backup, database, file))
            number = 0
            while not copying.done():
                await ledger.apply(notebook(ledger, f"during-{number}", f"during-{number}"))
                number += 1
            assert await copying == revisions.newest()
        await ledger.apply(notebook(ledger, "after", "after"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert leftovers(tmp_path) == []
    work.restore(database, file, replaces=True)
    found = await known(url)
    assert "before" in found
    assert "after" not in found
    during = sorted(int(name.removeprefix("during-")) for name in found if name.startswith("during-"))
    assert during == list(range(len(during)))  # a moment: nothing is missing before what is there


async def test_a_restore_saves_what_it_replaces_and_that_can_be_restored(
    url: str, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "a.backup"
    await ask(url, "first")
    work.backup(database, file)
    await ask(url, "second")
    saved = work.restore(database, file, replaces=True)
    assert saved is not None
    assert await known(url) == {"first"}
    work.restore(database, saved, replaces=True)
    assert await known(url) == {"first", "second"}


async def test_a_backup_makes_a_ledger_where_there_is_none(
    url: str, database: Database, empty_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "a.backup"
    await ask(url, "first")
    work.backup(database, file)
    if not database.is_postgresql:
        empty_url = url.replace("ledger.sqlite", "other.sqlite")
    elif "sqlite" in empty_url:
        pytest.skip("a backup goes into a database of its own kind")
    assert work.restore(Database.at(empty_url), file, replaces=False) is None
    assert await known(empty_url) == {"first"}


async def test_nothing_is_restored_onto_a_ledger_that_a_service_has(
    url: str, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "a.backup"
    await ask(url, "first")
    work.backup(database, file)
    await ask(url, "second")
    with held(database), pytest.raises(Conflict, match="stop it first"):
        work.restore(database, file, replaces=True)
    with pytest.raises(Conflict, match="--replace"):
        work.restore(database, file, replaces=False)
    assert await known(url) == {"first", "second"}


async def test_a_backup_of_a_newer_version_is_refused(url: str, database: Database, tmp_path: Path) -> None:
    file = tmp_path / "a.backup"
    await ask(url, "first")
    set_revision(url, "9999")
    work.backup(database, file)
    set_revision(url, revisions.newest())
    with pytest.raises(Conflict, match=r"9999.*newer"):
        work.restore(database, file, replaces=True)
    assert await known(url) == {"first"}


async def test_no_service_comes_to_an_epoch_of_before_the_restore(
    url: str, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "a.backup"
    await ask(url, "first")
    work.backup(database, file)
    old = Store(url)
    for _ in range(3):
        old.open()
        epoch = int(old.meta("epoch") or 0)
        old.close()
    work.restore(database, file, replaces=True)
    new = Store(url)
    new.open()
    assert int(new.meta("epoch") or 0) > epoch
    new.close()


def test_an_upgrade_keeps_a_backup_of_before(empty_url: str, tmp_path: Path) -> None:
    file, database = tmp_path / "before.backup", Database.at(empty_url)
    migrated(empty_url, "0002")
    with held(database), pytest.raises(Conflict, match="stop it first"):
        work.upgrade(database, file)
    assert work.upgrade(database, file) == ("0002", revisions.newest())
    read = postgresql.revision_in if database.is_postgresql else work.sqlite.revision_in
    assert read(file) == "0002"
    assert work.upgrade(database, tmp_path / "none") == (revisions.newest(), revisions.newest())
    assert not (tmp_path / "none").exists()


async def test_a_backup_replaces_no_file_and_a_ledger_that_is_not_there_is_named(
    url: str, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "mine"
    file.write_text("mine")
    await ask(url, "first")
    with pytest.raises(Conflict, match="a backup replaces none"):
        work.backup(database, file)
    assert file.read_text() == "mine"
    with pytest.raises(InvalidInput, match="no backup of a"):
        work.restore(database, file, replaces=True)
    with pytest.raises(LedgerError, match="holds no ledger"):
        work.backup(Database.at(f"sqlite:///{tmp_path}/none.sqlite"), tmp_path / "b")
    assert not (tmp_path / "none.sqlite").exists()


async def test_a_damaged_backup_is_refused(tmp_path: Path) -> None:
    ledger, file = tmp_path / "ledger.sqlite", tmp_path / "a.backup"
    await ask(f"sqlite:///{ledger}", *(f"r{number}" for number in range(50)))
    work.backup(Database.at(f"sqlite:///{ledger}"), file)
    content = bytearray(file.read_bytes())
    content[4096 * 2 : 4096 * 8] = b"\x5a" * (4096 * 6)
    file.write_bytes(content)
    with pytest.raises((LedgerError, InvalidInput)):
        work.restore(Database.at(f"sqlite:///{ledger}"), file, replaces=True)
    assert len(await known(f"sqlite:///{ledger}")) == 50


def test_a_machine_without_the_programs_of_postgresql_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("pg_dump") is None
    with pytest.raises(LedgerError, match="postgresql-client"):
        postgresql.dump(Database.at("postgresql://hub@127.0.0.1:1/ledger"), tmp_path / "a")


async def test_a_backup_is_a_file_that_sqlite_reads_alone(tmp_path: Path) -> None:
    await ask(f"sqlite:///{tmp_path}/ledger.sqlite", "first")
    work.backup(Database.at(f"sqlite:///{tmp_path}/ledger.sqlite"), tmp_path / "a.backup")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (tmp_path / "a.backup").rename(moved / "a")
    with closing(sqlite3.connect(moved / "a")) as copy:
        assert copy.execute("SELECT id FROM requests").fetchall() == [(RequestId("first"),)]
