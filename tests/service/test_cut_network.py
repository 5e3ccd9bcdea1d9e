"""A network that is cut for good, with nobody to say so: the holder notices before its successor acts.

Needs a network namespace, so root with CAP_NET_ADMIN; a container, CI's too, seldom has it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from postgres import cluster
from service_processes import ServiceProcess, services
from small_hub import SmallHub
from web_cases import people

TAKE_OVER_SECONDS = 10.0


@dataclass
class FarPlace:
    """A network namespace behind a link of its own."""

    name: str
    near: str
    far: str

    def cut(self) -> None:
        ip("link", "set", self.name, "down")

    def mend(self) -> None:
        ip("link", "set", self.name, "up")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def place() -> Iterator[FarPlace]:
    name, net = f"jhm{os.getpid() % 100_000}", f"10.213.{os.getpid() % 250}"
    if shutil.which("ip") is None:
        pytest.skip("there is no `ip` to make a network namespace with")
    try:
        ip("netns", "add", name)
    except subprocess.CalledProcessError:
        pytest.skip("a network namespace cannot be made here")
    try:
        ip("link", "add", name, "type", "veth", "peer", "name", "far", "netns", name)
        ip("addr", "add", f"{net}.1/30", "dev", name)
        ip("link", "set", name, "up")
        ip("-n", name, "addr", "add", f"{net}.2/30", "dev", "far")
        for device in ("far", "lo"):
            ip("-n", name, "link", "set", device, "up")
        yield FarPlace(name, f"{net}.1", f"{net}.2")
    finally:
        ip("netns", "del", name)


@pytest.fixture
async def hub() -> AsyncIterator[SmallHub]:
    hub = SmallHub(people())
    hub.open()
    yield hub
    await hub.close()


def said_at(service: ServiceProcess, text: str) -> float:
    """Return when a service said something first, by its own log."""
    found = re.search(rf"^(\S+ \S+) .*{text}", service.log, re.MULTILINE)
    assert found is not None
    return datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S,%f").astimezone().timestamp()


@pytest.mark.timeout(300)
async def test_a_standby_serves_soon_after_a_cut_which_the_holder_notices_before(
    place: FarPlace, hub: SmallHub, tmp_path: Path
) -> None:
    with (
        cluster(also_at=place.near) as server,
        server.database() as url,
        services(tmp_path, hub, url) as both,
    ):
        from_afar = make_url(url).set(host=place.near).render_as_string(hide_password=False)
        first = both.start(ledger_url=from_afar, inside=("ip", "netns", "exec", place.name))
        await first.logs("service: listening")
        second = both.start()
        await second.logs("standby")
        place.cut()
        cut_at = time.time()
        await second.says("ready", 204)
        assert time.time() - cut_at < TAKE_OVER_SECONDS
        await first.logs("is not known")
        assert said_at(first, "is not known") < said_at(second, "taking over")
        place.mend()
        assert await first.ended() == 1
        assert "was taken over by another capacity service" in first.log
        await second.says("ready", 204)
