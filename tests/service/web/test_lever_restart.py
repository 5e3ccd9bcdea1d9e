"""Levers outlive the service: what is paused, cordoned and booked is so after a restart, with its reason."""

from __future__ import annotations

from pathlib import Path

from jupyterhub_mesos.backends.faulty import MemoryBackend, MemoryWorld
from jupyterhub_mesos.service.app import Parts, serving
from jupyterhub_mesos.service.controller import ControllerSettings
from service.web.test_levers import add_node, why
from service.web.test_reservations import booking
from small_hub import SmallHub
from web_cases import NoLake, Web, notebook, settings_for


async def test_what_was_paused_cordoned_and_booked_is_so_after_a_restart(
    hub: SmallHub, tmp_path: Path
) -> None:
    world = MemoryWorld()

    def parts() -> Parts:
        return Parts(MemoryBackend(world), NoLake(), ControllerSettings())

    paths = ("queue/pauses", "nodes", "reservations?past=true")
    first = parts()
    async with serving(settings_for(hub, tmp_path), first) as service:
        web = Web(service, hub, first.backend)  # type: ignore[arg-type]  # the memory's
        await add_node(web, "second")
        await web.api("POST", "reservations", "teamadmin", booking())
        await web.api("POST", "queue/pause", "admin", why(team="vision"))
        await web.api("POST", "nodes/memory/cordon", "admin", why("a fan", drains=True))
        before = [await web.api("GET", path, "admin") for path in paths]
    second = parts()
    async with serving(settings_for(hub, tmp_path), second) as service:
        web = Web(service, hub, second.backend)  # type: ignore[arg-type]  # as above
        assert [await web.api("GET", path, "admin") for path in paths] == before
        said = (await web.api("POST", "requests", body=notebook()))["explanation"]["sentence"]
        assert said == "The queue of team vision is paused: new disks."
