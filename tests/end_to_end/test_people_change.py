"""The hub renames a user, or deletes one: what they have here follows, and nobody else notices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from deadlines import eventually
from installation import Installation
from jupyterhub_mesos.wire import RequestView
from jupyterhub_mesos_quota.model import RequestStatus

SECONDS = 30.0


@pytest.fixture
def changing(tmp_path: Path) -> Iterator[Installation]:
    """An installation of its own: its people are others afterwards."""
    installation = Installation(tmp_path)
    installation.start()
    yield installation
    installation.stop()


def hub(cloud: Installation, method: str, path: str, body: object = None) -> requests.Response:
    answer = requests.request(
        method,
        f"{cloud.url}hub/api/{path}",
        json=body,
        headers={"Authorization": f"token {cloud.person('admin').token}"},
        timeout=SECONDS,
    )
    answer.raise_for_status()
    return answer


def view(cloud: Installation, request_id: str) -> RequestView:
    return cloud.client("admin").request(request_id)


@pytest.mark.timeout(180)
def test_a_rename_is_followed_and_a_removed_or_deleted_one_lets_its_place_go(changing: Installation) -> None:
    cloud = changing
    ann = cloud.start_notebook("ann", "large")
    ben = cloud.start_notebook("ben", "medium")
    process = cloud.notebook_process("ann").pid
    dan = cloud.person("dan").press_start("large")["id"]
    eva = cloud.person("eva").press_start("large")["id"]
    assert view(cloud, dan).status is RequestStatus.QUEUED

    hub(cloud, "PATCH", "users/ann", {"name": "anna"})
    eventually(lambda: view(cloud, ann.id).user == "anna", "the service calls her by her new name", SECONDS)
    assert view(cloud, ann.id).status is RequestStatus.ACTIVE
    assert cloud.notebook_process("ann").pid == process  # its environment has the old name, and it runs on

    hub(cloud, "DELETE", "users/dan")
    eventually(lambda: view(cloud, dan).status is RequestStatus.WITHDRAWN, "dan's place is free", SECONDS)
    assert view(cloud, eva).status is RequestStatus.QUEUED

    hub(cloud, "DELETE", "users/ben")  # the hub stops what runs first
    eventually(lambda: view(cloud, ben.id).status is RequestStatus.ENDED, "ben's notebook is over", SECONDS)
