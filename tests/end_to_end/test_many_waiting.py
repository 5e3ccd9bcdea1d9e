"""Five hundred requests wait: the hub hears nothing of them, strangers start, and kills lose no place."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil
import pytest

from installation import Installation
from jupyterhub_mesos.wire import BatchOutcome, NotebookPayload, RequestSubmission
from jupyterhub_mesos_quota.model import RequestStatus

WAITERS: Final = ("ann", "dan", "ben", "eva", "sam")
EACH: Final = 100
LOOK_SECONDS: Final = 8.0
MOST_PERCENT: Final = 5.0


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Installation]:
    """An installation of its own: its supervisor waits longer after each of a row of kills."""
    installation = Installation(tmp_path)
    installation.start()
    yield installation
    installation.stop()


def fill(cloud: Installation) -> None:
    """Let nobody start but who asks for little: 3.5 of the 4 cores are held."""
    cloud.start_notebook("ann", "large")
    cloud.start_notebook("dan", "medium")
    cloud.start_notebook("ben", "small")


def ask(cloud: Installation, name: str) -> None:
    asked = (
        RequestSubmission(payload=NotebookPayload(server_name=f"s{number}", profile="large"))
        for number in range(EACH)
    )
    assert {item.outcome for item in cloud.client(name).submit_many(asked)} == {BatchOutcome.CREATED}


def places(cloud: Installation) -> list[str]:
    return [entry.id for entry in cloud.client("admin").queue().items]


@pytest.mark.timeout(240)
def test_five_hundred_who_wait_cost_the_hub_nothing_and_keep_their_places_over_kills(
    crowded: Installation,
) -> None:
    cloud = crowded
    fill(cloud)
    pid = cloud.pid("hub")
    assert pid is not None
    for name in WAITERS:
        ask(cloud, name)
    before = places(cloud)
    assert len(before) == 500

    hub = psutil.Process(pid)
    used = sum(hub.cpu_times()[:2])
    time.sleep(LOOK_SECONDS)  # what is measured is a span of time
    percent = 100 * (sum(hub.cpu_times()[:2]) - used) / LOOK_SECONDS
    assert percent < MOST_PERCENT

    started = cloud.start_notebook("eva", "small")  # no 429, and not behind those who ask for more
    assert started.status is RequestStatus.ACTIVE
    cloud.end("eva", started.id)
    assert cloud.pid("hub") == pid

    for names in (("service",), ("hub", "service"), ("proxy", "hub", "service")):
        cloud.kill(*names, within=60.0)
        assert places(cloud) == before
