"""One installation for the whole folder; each test leaves it empty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from installation import Installation


@pytest.fixture(scope="session")
def running_installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("installation"))
    installation.start()
    yield installation
    installation.stop()


@pytest.fixture
def cloud(running_installation: Installation) -> Iterator[Installation]:
    yield running_installation
    running_installation.end_everything()
    capacity = running_installation.client("admin").capacity()
    assert capacity.free == capacity.total
    assert capacity.waiting == 0
