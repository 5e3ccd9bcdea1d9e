from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jupyterhub_mesos.backends.faulty import MemoryBackend
from jupyterhub_mesos.service.app import Parts, serving
from jupyterhub_mesos.service.controller import ControllerSettings
from small_hub import SmallHub
from web_cases import LAKE_ENVIRONMENT, NoLake, Web, connections, people, settings_for


@pytest.fixture
async def hub() -> AsyncIterator[SmallHub]:
    hub = SmallHub(people())
    hub.open()
    yield hub
    await hub.close()


@pytest.fixture
async def web(hub: SmallHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Web]:
    for name, value in LAKE_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    backend = MemoryBackend()
    parts = Parts(backend, NoLake(), ControllerSettings(connections=connections()))
    async with serving(settings_for(hub, tmp_path), parts) as service:
        yield Web(service, hub, backend)
