"""The store: its tables, its opening, its failures."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from jupyterhub_mesos.configuration.databases import Database
from jupyterhub_mesos.errors import LedgerError
from jupyterhub_mesos.service import schema
from jupyterhub_mesos.service.rows import AuditRow, Batch, KeptDoc, KeptKey, TokenId, TokenRow
from jupyterhub_mesos.service.store import MIGRATIONS, Store, store_url


def test_a_ledger_of_the_first_revision_is_upgraded_with_what_it_holds(empty_url: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = engine_of(empty_url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(sa.insert(schema.audit), [old_audit()])
        tables = sa.inspect(connection).get_table_names()
    assert "team_tokens" not in tables
    store = opened(empty_url)
    token = TokenRow(TokenId("t1"), "vision", "gitlab", "d" * 64, "tara", 1.0, 2.0, 1.5)
    store.write(Batch(tokens={token.id: token}))
    assert store.load().tokens == (token,)
    assert [row.what for row in store.audit()] == ["looked"]
    store.write(Batch(tokens={token.id: None}))
    assert store.load().tokens == ()
    store.close()
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    engine.dispose()


def test_a_ledger_of_the_second_revision_is_upgraded_with_what_runs_on_it(empty_url: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = engine_of(empty_url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        tables = sa.MetaData()
        tables.reflect(connection)
        assert "kept" not in tables.tables
        connection.execute(sa.insert(tables.tables["requests"]), [old_request()])
        connection.execute(sa.insert(tables.tables["allocations"]), [old_allocation()])
    store = opened(empty_url)
    loaded = store.load()
    (row,), (allocation,) = loaded.requests, loaded.allocations
    assert (row.id, row.request.max_seconds, row.request.allocations) == ("r1", None, 1)
    assert (allocation.id, allocation.ends_at, allocation.warned_until) == ("r1-1", None, None)
    assert loaded.kept == {}
    key, doc = KeptKey("paused", ""), KeptDoc(None)
    store.write(Batch(kept={key: doc}))
    assert store.load().kept == {key: doc}
    store.write(Batch(kept={key: None}))
    assert store.load().kept == {}
    store.close()
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    engine.dispose()


REVISIONS = [each.revision for each in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]


@pytest.mark.parametrize("revision", [None, *REVISIONS])
def test_a_ledger_of_any_age_comes_to_the_present_tables(empty_url: str, revision: str | None) -> None:
    engine = engine_of(empty_url)
    if revision is not None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    opened(empty_url).close()
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    engine.dispose()


def opened(url: str) -> Store:
    store = Store(url)
    store.open()
    return store


def engine_of(url: str) -> sa.Engine:
    return Database.at(url).engine(sa.pool.NullPool)


def old_request() -> dict[str, object]:
    """A notebook that ran under the second revision."""
    return {
        "id": "r1", "seq": 1, "team": "vision", "user": "ada", "kind": "notebook",
        "resources": {"cpu_millis": 1000, "mem_mib": 1024, "accelerators": {}}, "replicas": 1, "priority": 0,
        "parent": None, "submitted_at": 1.0, "rank": 1, "status": "active", "is_live": True,
        "is_ending": False, "allocations": 1, "name": "", "hub": "", "server_name": "", "outcome": None,
        "payload": {"kind": "notebook", "hub": "", "server_name": "", "profile": None},
        "message": "", "ended_at": None,
    }  # fmt: skip


def old_allocation() -> dict[str, object]:
    return {
        "id": "r1-1", "request_id": "r1", "team": "vision", "state": "running", "placements": [],
        "borrowed": {"cpu_millis": 0, "mem_mib": 0, "accelerators": {}}, "granted_at": 2.0,
        "started_at": 3.0, "gone_at": None,
    }  # fmt: skip


def old_audit() -> dict[str, object]:
    return {"at": 1.0, "who": "root", "what": "looked", "subject": "all", "why": "to see", "data": {}}


def test_the_database_refuses_a_second_live_server(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    Store(store_url(path)).open()
    with sqlite3.connect(path) as connection:
        indexes = dict(
            connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'").fetchall()
        )
    assert "WHERE is_live AND server_name IS NOT NULL" in indexes["requests_one_live_server"]
    connection.close()


def test_the_file_is_in_wal_mode_and_may_be_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    for _ in range(2):
        store = Store(store_url(path))
        store.open()
        store.write(Batch(audit=[AuditRow(1.0, "root", "looked", "all", "to see")]))
        store.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_ledger_in_a_folder_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="cannot be opened"):
        Store(store_url(tmp_path / "nowhere" / "ledger.sqlite")).open()


def test_a_batch_is_written_whole_or_not_at_all(url: str) -> None:
    store = opened(url)
    broken = AuditRow(None, "root", "looked", "all", "why")  # type: ignore[arg-type]  # not null
    with pytest.raises(LedgerError, match=r"NOT NULL|not-null"):
        store.write(Batch(audit=[AuditRow(1.0, "root", "looked", "all", "first"), broken]))
    assert store.audit() == ()
    store.close()
