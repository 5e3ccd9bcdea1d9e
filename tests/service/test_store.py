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

from jupyterhub_mesos.errors import LedgerError
from jupyterhub_mesos.service import schema
from jupyterhub_mesos.service.rows import AuditRow, Batch, TokenId, TokenRow
from jupyterhub_mesos.service.store import MIGRATIONS, Store, store_url


def test_the_migrations_make_the_tables_that_the_code_speaks_to(tmp_path: Path) -> None:
    url = store_url(tmp_path / "ledger.sqlite")
    Store(url).open()
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    engine.dispose()


def test_a_ledger_of_the_first_revision_is_upgraded_with_what_it_holds(tmp_path: Path) -> None:
    url = store_url(tmp_path / "ledger.sqlite")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(sa.insert(schema.audit), [old_audit()])
        tables = sa.inspect(connection).get_table_names()
    assert "team_tokens" not in tables
    store = Store(url)
    store.open()
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


def test_a_batch_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    store = Store(store_url(tmp_path / "ledger.sqlite"))
    store.open()
    broken = AuditRow(1.0, "root", "looked", "all", None)  # type: ignore[arg-type]  # not null
    with pytest.raises(LedgerError, match="NOT NULL"):
        store.write(Batch(audit=[AuditRow(1.0, "root", "looked", "all", "first"), broken]))
    assert store.audit() == ()
    store.close()
