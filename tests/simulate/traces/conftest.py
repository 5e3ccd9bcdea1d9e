from __future__ import annotations

from collections.abc import Iterator

import pytest

from postgres import PostgresServer, served


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresServer]:
    """A PostgreSQL for the whole run."""
    with served() as server:
        yield server
