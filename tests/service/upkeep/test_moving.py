"""A ledger moved into another database has all that it had, and works there; one that cannot be stays."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from jupyterhub_mesos.cli.commands import main
from jupyterhub_mesos.configuration.databases import Database
from jupyterhub_mesos.errors import Conflict, LedgerError
from jupyterhub_mesos.service import schema
from jupyterhub_mesos.service.changes import Change
from jupyterhub_mesos.service.rows import StartRow, StartSet
from jupyterhub_mesos.service.store import store_url
from jupyterhub_mesos.service.upkeep import moving, revisions
from jupyterhub_mesos.wire import StartWish, WelcomeHours
from jupyterhub_mesos_quota.events import AllocationClaimed
from jupyterhub_mesos_quota.model import RequestId, allocation_id
from postgres import PostgresServer
from service.upkeep.test_work import held, known, migrated, set_revision
from service_rig import add_node, notebook, opened, training


@pytest.fixture(params=["to PostgreSQL", "to SQLite"])
def both(
    request: pytest.FixtureRequest, postgresql: PostgresServer, tmp_path: Path
) -> Iterator[tuple[str, str]]:
    """The URLs of where a ledger is, and of where it goes."""
    file = store_url(tmp_path / "ledger.sqlite")
    is_there = request.param == "to SQLite"
    with postgresql.database(is_empty=not is_there) as url:
        yield (url, file) if is_there else (file, url)


async def live(url: str) -> None:
    """Have a ledger with something in most of its tables."""
    async with opened(url) as ledger:
        await add_node(ledger)
        wish = StartRow(StartWish(hours=WelcomeHours(time_zone="Europe/Berlin")), asked_at=3.5)
        await ledger.apply(
            notebook(ledger, "a", "lab"),
            Change(None, (StartSet(RequestId("a"), wish),)),
            training(ledger, "job"),
            Change(AllocationClaimed(ledger.clock(), allocation_id(RequestId("a"), 1))),
        )


def rows(url: str) -> dict[str, list[tuple[object, ...]]]:
    engine = Database.at(url).engine(NullPool)
    with engine.connect() as connection:
        found = {
            table.name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=str)
            for table in schema.metadata.sorted_tables
        }
    engine.dispose()
    return found


async def test_all_of_it_is_there_and_it_goes_on(both: tuple[str, str]) -> None:
    source, target = both
    await live(source)
    before = rows(source)
    counts, aside = moving.move(Database.at(source), Database.at(target))
    assert rows(target) == before
    assert counts == {name: len(found) for name, found in before.items()}
    assert counts["audit"] > 5
    async with opened(target) as ledger:
        ledger.machine.audit_state()
        await ledger.apply(notebook(ledger, "b", "next"))
        audit = await ledger.read(lambda store: store.audit())
    assert len({row.seq for row in audit}) == len(audit) > counts["audit"]
    assert await known(target) == {"a", "job", "b"}
    if aside is not None:
        assert not Database.at(source).file.exists()
        assert await known(f"sqlite:///{aside}") == {"a", "job"}


async def test_a_ledger_that_is_there_is_not_overwritten(both: tuple[str, str]) -> None:
    source, target = both
    await live(source)
    await live(target)
    before = rows(target)
    with pytest.raises(Conflict, match="holds a ledger already"):
        moving.move(Database.at(source), Database.at(target))
    assert rows(target) == before
    assert await known(source) == {"a", "job"}


async def test_while_a_service_has_one_of_them_nothing_is_moved(both: tuple[str, str]) -> None:
    source, target = both
    await live(source)
    for each in both:
        with held(Database.at(each)), pytest.raises(Conflict, match="stop it first"):
            moving.move(Database.at(source), Database.at(target))
    assert await known(source) == {"a", "job"}


async def test_what_breaks_midway_leaves_the_source_as_it_was_and_is_tried_again(
    both: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = both
    await live(source)
    with monkeypatch.context() as patched:
        patched.setattr(moving, "_compared", lambda *_: (_ for _ in ()).throw(LedgerError("not the same")))
        with pytest.raises(LedgerError, match="not the same"):
            moving.move(Database.at(source), Database.at(target))
    assert rows(target)["requests"] == []
    moving.move(Database.at(source), Database.at(target))
    assert await known(target) == {"a", "job"}


def test_tables_of_another_version_and_none_are_refused(tmp_path: Path) -> None:
    source, target = store_url(tmp_path / "old.sqlite"), store_url(tmp_path / "new.sqlite")
    with pytest.raises(LedgerError, match="nothing to move"):
        moving.move(Database.at(source), Database.at(target))
    migrated(source, "0002")
    with pytest.raises(Conflict, match="upgrade"):
        moving.move(Database.at(source), Database.at(target))
    set_revision(source, revisions.newest())
    with pytest.raises(Conflict, match="name another"):
        moving.move(Database.at(source), Database.at(source))
    assert not (tmp_path / "new.sqlite").exists()


async def test_the_command_says_what_it_moved_and_what_to_do_next(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    await live(store_url(tmp_path / "ledger.sqlite"))
    command = ["move", "--state", str(tmp_path), store_url(tmp_path / "elsewhere.sqlite")]
    assert await asyncio.to_thread(main, command) == 0
    said = capfd.readouterr().out
    assert "2 of requests" in said
    assert "c.CapacityService.ledger_url" in said
    assert await asyncio.to_thread(main, command) == 2
    assert "nothing to move" in capfd.readouterr().err
