"""A driver in C under the real `nvidia-ml-py`."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from jupyterhub_mesos.backends.gpus import Gpus
from nvml.driver import FakeDriver, compile_library
from requirements import require

OpenGpus = Callable[..., Awaitable[Gpus]]


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("gcc", shutil.which("gcc"))
    return compile_library(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def driver(nvml_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    """A driver without a GPU yet, that this process finds."""
    folder = tmp_path / "driver"
    folder.mkdir()
    driver = FakeDriver(nvml_library, folder)
    driver.loaded_into(monkeypatch)
    return driver


@pytest.fixture
async def gpus_of(driver: FakeDriver) -> AsyncIterator[Callable[..., Gpus]]:
    """Make inventories of the driver's GPUs; they are closed at the end."""
    made: list[Gpus] = []

    def make(flavors: dict[str, str] | None = None, **options: float) -> Gpus:
        made.append(Gpus(flavors, dev=driver.dev, mig_minors=driver.mig_minors, **options))
        return made[-1]

    yield make
    for gpus in made:
        await gpus.close()
