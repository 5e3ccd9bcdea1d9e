"""A grant is claimed again while the service is away; who asks for room is told at once."""

from __future__ import annotations

import asyncio

import pytest

from fake_hub_side import PREFIX, FakeCapacity
from jupyterhub_mesos.wire import HubStart
from jupyterhub_mesos_spawner.claims import claimed
from jupyterhub_mesos_spawner.client import HubSide
from jupyterhub_mesos_spawner.doors import StartDenied
from real_hub import RealHub


def side(hub: RealHub) -> HubSide:
    folder = hub.folder
    return HubSide(f"http://127.0.0.1:{folder.ports().service}{PREFIX}/", folder.secrets / "hub_key")


async def test_a_grant_is_claimed_when_the_service_is_back(hub: RealHub, capacity: FakeCapacity) -> None:
    await asyncio.to_thread(capacity.go_away)
    ask = HubStart(user="patient", groups=(), server_name="", options={}, grant="patient~")
    async with asyncio.timeout(20):
        claiming = asyncio.ensure_future(claimed(side(hub), ask, is_page=False))
        done, _ = await asyncio.wait({claiming}, timeout=0.3)
        assert not done
        await asyncio.to_thread(capacity.come_back)
        assert (await claiming).allocation_id == "patient~"


async def test_who_asks_for_room_while_the_service_is_away_is_told(
    hub: RealHub, capacity: FakeCapacity
) -> None:
    await asyncio.to_thread(capacity.go_away)
    ask = HubStart(user="new", groups=(), server_name="", options={})
    with pytest.raises(StartDenied):
        await claimed(side(hub), ask, is_page=False)
