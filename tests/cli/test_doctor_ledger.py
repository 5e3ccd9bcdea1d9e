"""`doctor --ledger` says what it found in the database, and no password."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from jupyterhub_mesos.cli.doctor import Check, line
from jupyterhub_mesos.cli.doctor_ledger import facts_of_ledger
from postgres import PostgresServer, served
from requirements import require


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with served() as server:
        yield server


def test_what_holds_and_what_does_not_is_told_with_the_cure(server: PostgresServer) -> None:
    with server.database(is_empty=True) as url:
        facts = {fact.name: fact for fact in facts_of_ledger(url)}
        tables = server.ask("SELECT 1 FROM pg_tables WHERE schemaname = 'public'", url.rpartition("/")[2])
    assert tables == []  # nothing was made
    assert {name: fact.holds for name, fact in facts.items()} == {
        "ledger": True,
        "ledger: durable": False,  # the tests' server is quick, and forgets
        "ledger: tables": True,
        "ledger: characters": True,
        "ledger: TLS": True,
    }
    assert facts["ledger"].detail.startswith("PostgreSQL ")
    assert facts["ledger: durable"].detail == "fsync off, synchronous_commit on"
    said = "\n".join(line(Check(fact)) for fact in facts.values())
    assert url.partition("@")[0].rpartition(":")[2] not in said


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://db/ledger", "a database of mysql cannot be used"),
        ("postgresql://hub:hushhush@127.0.0.1:9/ledger", "connection failed"),
    ],
)
def test_a_database_that_cannot_be_used_is_told(url: str, said: str) -> None:
    require("psycopg, the driver of PostgreSQL (extra `postgresql`)", find_spec("psycopg") is not None)
    (fact,) = facts_of_ledger(url)
    assert not fact.holds
    assert said in fact.detail
    assert "hushhush" not in fact.detail


def test_a_file_is_for_one_machine() -> None:
    (fact,) = facts_of_ledger("sqlite:////var/lib/hub/ledger.sqlite")
    assert (fact.holds, fact.detail) == (True, "SQLite in /var/lib/hub/ledger.sqlite, for one machine")
