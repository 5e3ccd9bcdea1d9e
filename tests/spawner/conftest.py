"""One real hub for the whole folder, with the fake of the service beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_hub_side import FakeCapacity
from jupyterhub_mesos.statefolder import StateFolder
from real_hub import RealHub


@pytest.fixture(scope="session")
def hub_and_capacity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealHub, FakeCapacity]]:
    folder = StateFolder.at(tmp_path_factory.mktemp("state"))
    folder.prepare()
    ports = folder.choose_ports()
    tests = str(Path(__file__).resolve().parent.parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")]))
        with FakeCapacity(ports, folder.secret("hub_key")) as capacity:
            hub = RealHub(folder)
            hub.start()
            yield hub, capacity
            hub.stop()


@pytest.fixture
def hub(hub_and_capacity: tuple[RealHub, FakeCapacity]) -> RealHub:
    return hub_and_capacity[0]


@pytest.fixture
def capacity(hub_and_capacity: tuple[RealHub, FakeCapacity]) -> Iterator[FakeCapacity]:
    fake = hub_and_capacity[1]
    fake.reset()
    yield fake
    fake.reset()
