from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jupyterhub_mesos.backends.faulty import MemoryBackend
from jupyterhub_mesos.service.app import Parts, serving
from jupyterhub_mesos.service.controller import ControllerSettings
from small_hub import SmallHub
from web_cases import NoLake, Web, people, settings_for


@pytest.fixture
async def hub() -> AsyncIterator[SmallHub]:
    hub = SmallHub(people())
    hub.open()
    yield hub
    await hub.close()


@pytest.fixture
async def web(hub: SmallHub, tmp_path: Path) -> AsyncIterator[Web]:
    backend = MemoryBackend()
    parts = Parts(backend, NoLake(), ControllerSettings())
    async with serving(settings_for(hub, tmp_path), parts) as service:
        yield Web(service, hub, backend)
