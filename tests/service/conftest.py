from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyterhub_mesos.service.store import store_url
from postgres import Cluster, PostgresServer, cluster, served


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresServer]:
    """A PostgreSQL for the whole run; nobody stops it."""
    with served() as server:
        yield server


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """A PostgreSQL that a test may stop."""
    with cluster() as own:
        yield own


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a ledger, in a database of each kind."""
    if request.param == "sqlite":
        yield store_url(tmp_path / "ledger.sqlite")
        return
    server: PostgresServer = request.getfixturevalue("postgresql")
    with server.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database of each kind, without a table."""
    if request.param == "sqlite":
        yield store_url(tmp_path / "ledger.sqlite")
        return
    server: PostgresServer = request.getfixturevalue("postgresql")
    with server.database(is_empty=True) as url:
        yield url
