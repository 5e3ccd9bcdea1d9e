"""The ledger in PostgreSQL: what breaks there and not in a file, and what is said of it."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import InternalError

import service_rig as rig
from jupyterhub_mesos.configuration.databases import SESSION, Database
from jupyterhub_mesos.errors import InvalidInput, LedgerError, OutcomeUnknown, TakenOver
from jupyterhub_mesos.service import store as store_module
from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos.service.rows import AuditRow, Batch
from jupyterhub_mesos.service.store import Store
from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos.simulate.traces.ledger import LedgerJobs, ReadOnly
from jupyterhub_mesos_quota.events import AllocationClaimed, AllocationGone, AllocationStarted, GoneReason
from jupyterhub_mesos_quota.model import AllocationId, RequestId
from postgres import Cluster, PostgresServer
from relay import Cut, Relay


@pytest.fixture
def database(postgresql: PostgresServer) -> Iterator[str]:
    with postgresql.database() as url:
        yield url


@pytest.fixture
def relay(database: str) -> Iterator[Relay]:
    with Relay(database) as relay:
        yield relay


def opened(url: str) -> Store:
    store = Store(url)
    store.open()
    return store


def looked(why: str) -> Batch:
    return Batch(audit=[AuditRow(1.0, "root", "looked", "all", why)])


def test_a_session_gives_up_in_time_and_commits_durably_whatever_the_server_says(database: str) -> None:
    engine = Database.at(database).engine(sa.pool.NullPool)
    with engine.connect() as connection:
        for name, value in {**SESSION, "synchronous_commit": "on"}.items():
            assert connection.execute(sa.text(f"SHOW {name}")).scalar() == value
    loosely = sa.create_engine(Database.at(database).url, poolclass=sa.pool.NullPool)
    with loosely.connect() as connection:
        assert connection.execute(sa.text("SHOW synchronous_commit")).scalar() == "off"


def test_a_write_on_a_broken_connection_fails_whole_and_the_next_one_connects_anew(
    database: str, postgresql: PostgresServer
) -> None:
    store = opened(database)
    store.write(looked("first"))
    postgresql.cut(str(sa.make_url(database).database))
    with pytest.raises(LedgerError, match="could not be written"):
        store.write(looked("lost"))
    store.write(looked("second"))
    assert [row.why for row in store.audit()] == ["second", "first"]
    store.close()


def test_a_commit_that_was_made_is_no_failure_though_its_connection_broke(relay: Relay) -> None:
    store = opened(relay.url)
    relay.cut_at = Cut.AFTER
    store.write(looked("made"))
    assert relay.cut_at is None
    store.write(looked("next"))
    assert [row.why for row in store.audit()] == ["next", "made"]
    store.close()


def test_a_commit_that_the_server_never_heard_of_is_a_failure(relay: Relay) -> None:
    store = opened(relay.url)
    relay.cut_at = Cut.BEFORE
    with pytest.raises(LedgerError, match="could not be written") as caught:
        store.write(looked("lost"))
    assert not isinstance(caught.value, OutcomeUnknown)
    store.write(looked("next"))
    assert [row.why for row in store.audit()] == ["next"]
    store.close()


def test_a_commit_of_which_nobody_can_tell_is_said_to_be_one_and_settled_later(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "LOOKS_AFTER_A_BREAK", 1)
    store = opened(relay.url)
    relay.cut_at, relay.is_closed_to_new = Cut.AFTER, True
    with pytest.raises(OutcomeUnknown):
        store.write(looked("made"))
    relay.is_closed_to_new = False
    store.write(looked("next"))
    assert [row.why for row in store.audit()] == ["next", "made"]
    store.close()


def test_a_successor_waits_for_the_commit_in_progress_and_no_later_one_is_made(database: str) -> None:
    store = opened(database)
    store.write(looked("first"))
    engine = Database.at(database).engine(sa.pool.NullPool)
    successor = Store(database)
    with engine.connect() as connection:
        store._move_on(connection)  # as in the middle of a write
        taking = threading.Thread(target=successor.open)
        taking.start()
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        with engine.connect() as other:
            while not other.execute(sa.text(waits)).scalar():
                other.rollback()
        connection.commit()
        taking.join(rig.DEADLINE_SECONDS)
    with pytest.raises(TakenOver):
        store.write(looked("late"))
    assert [row.why for row in successor.audit()] == ["first"]
    store.close()
    successor.close()


async def test_a_service_goes_on_after_its_database_was_restarted(own_cluster: Cluster) -> None:
    with own_cluster.database() as url:
        async with rig.opened(url) as ledger:
            await rig.add_node(ledger)
            await ledger.apply(rig.notebook(ledger, "r1"))
            for number in (signal.SIGINT, signal.SIGQUIT):  # an orderly end, and a crash
                own_cluster.stop(number)
                with pytest.raises(LedgerError):
                    await ledger.apply(rig.notebook(ledger, "lost", "lost"))
                own_cluster.start()
            await ledger.apply(rig.notebook(ledger, "r2", "two"))
            assert [row.id for row in ledger.rows()] == ["r1", "r2"]
            assert set(ledger.machine.requests) == {RequestId("r1"), RequestId("r2")}
            ledger.machine.audit_state()
        async with rig.opened(url) as ledger:
            assert [row.id for row in ledger.rows()] == ["r1", "r2"]


async def test_the_history_of_a_ledger_is_replayed_from_it_and_nothing_is_written(database: str) -> None:
    first = AllocationId("r1-1")
    async with rig.opened(database) as ledger:
        await rig.add_node(ledger)
        await ledger.apply(rig.notebook(ledger, "r1"))
        await ledger.apply(Change(AllocationClaimed(1.0, first)), Change(AllocationStarted(2.0, first)))
        await ledger.apply(Change(AllocationGone(9.0, first, GoneReason.FINISHED)))
    jobs = LedgerJobs(ReadOnly.at(database))
    ((_, job),) = jobs.jobs()
    assert isinstance(job, Job)
    assert (job.id, job.user, job.duration_s) == ("1", "ada", 7.0)
    with (
        pytest.raises(InternalError, match="read-only transaction"),
        jobs.ledger.engine.connect() as connection,
    ):
        connection.execute(sa.text("DELETE FROM allocations"))


def test_what_the_database_says_names_no_value_of_a_row(database: str) -> None:
    store = opened(database)
    broken = AuditRow(None, "root", "looked", "all", "", {"env": "a-secret"})  # type: ignore[arg-type]
    with pytest.raises(LedgerError) as caught:
        store.write(Batch(audit=[broken]))
    assert "a-secret" not in str(caught.value)
    store.close()


def test_a_password_is_in_no_error_and_in_no_repr(database: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    url = sa.make_url(database).set(password="a-secret").render_as_string(hide_password=False)
    with pytest.raises(LedgerError, match="password authentication failed") as caught:
        Store(url).open()
    found = Database.at(url + "?sslpassword=another-secret")
    said = f"{caught.value!r} {found!r} {found.shown} {caplog.text}"
    assert "a-secret" not in said
    assert "another-secret" not in said
    assert "***" in found.shown


def test_a_url_takes_variables_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_PASSWORD", "p/w@d")
    monkeypatch.setenv("LEDGER", "postgresql://hub@db/ledger")
    assert Database.at("postgresql://hub:${LEDGER_PASSWORD}@db/ledger").url.password == "p/w@d"
    assert Database.at("${LEDGER}").shown == "postgresql://hub@db/ledger"
    with pytest.raises(InvalidInput, match=r"c\.x: the environment has no MISSING: set it"):
        Database.at("postgresql://hub:${MISSING}@db/ledger", where="c.x")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://db/ledger", "a database of mysql cannot be used"),
        ("ledger.sqlite", "no URL of a database"),
        ("postgresql://db", "names no database"),
        ("sqlite://", "a ledger in memory loses everything"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_one_that_can(url: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Database.at(url)
