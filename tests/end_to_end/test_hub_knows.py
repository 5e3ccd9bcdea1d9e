"""With the scopes that `configure` gives the service, the hub says whom it knows."""

from __future__ import annotations

from installation import Installation
from jupyterhub_mesos.service.hub_api import HubApi


async def test_the_hub_tells_the_service_whom_it_knows(cloud: Installation) -> None:
    cloud.person("ann")
    hub = HubApi(f"{cloud.url}hub/api", cloud.folder.secret("service_token"))
    try:
        assert await hub.knows("ann")
        assert not await hub.knows("nobody-of-that-name")
    finally:
        hub.close()
