"""`kill -9` of a notebook, the service, the hub or all of them loses no request and leaks no allocation."""

from __future__ import annotations

import signal

import pytest

from deadlines import eventually
from installation import Installation
from jupyterhub_mesos.wire import RequestView
from jupyterhub_mesos_quota.model import RequestStatus


def waiting_behind_two(cloud: Installation) -> tuple[RequestView, RequestView, RequestView]:
    """Fill the pool with ann's and ben's notebooks; dan's request waits."""
    ann = cloud.start_notebook("ann", "medium")
    ben = cloud.start_notebook("ben", "large")
    dan = cloud.client("dan").request(cloud.person("dan").press_start("large")["id"])
    assert dan.status is RequestStatus.QUEUED
    return ann, ben, dan


@pytest.mark.parametrize("names", [("service",), ("hub",), ("hub", "service"), ("proxy", "hub", "service")])
def test_a_crash_keeps_notebooks_requests_and_places(cloud: Installation, names: tuple[str, ...]) -> None:
    ann, ben, dan = waiting_behind_two(cloud)
    process = cloud.notebook_process("ann").pid

    cloud.kill(*names)

    still = cloud.client("dan").request(dan.id)
    assert still.status is RequestStatus.QUEUED
    assert still.explanation is not None
    assert still.explanation.position == 1
    assert cloud.client("ann").request(ann.id).status is RequestStatus.ACTIVE
    assert cloud.notebook_process("ann").pid == process
    eventually(lambda: cloud.person("ann").hub_user()["servers"].get("", {}).get("ready"), "the hub knows it")

    cloud.end("ben", ben.id)
    started = cloud.until_running("dan", dan.id)
    assert started.id == dan.id


def test_a_killed_notebook_frees_its_place_and_the_next_starts(cloud: Installation) -> None:
    ann = cloud.start_notebook("ann", "medium")
    ben = cloud.start_notebook("ben", "large")
    dan = cloud.person("dan").press_start("large")
    cloud.notebook_process("ben").send_signal(signal.SIGKILL)

    over = cloud.until_over("ben", ben.id)
    assert over.outcome == "failed"
    assert cloud.until_running("dan", dan["id"]).status is RequestStatus.ACTIVE
    assert cloud.client("ann").request(ann.id).status is RequestStatus.ACTIVE


def test_room_that_comes_while_the_hub_is_down_is_used_when_it_is_back(cloud: Installation) -> None:
    _, ben, dan = waiting_behind_two(cloud)
    cloud.client("ben").end(ben.id)
    cloud.kill("hub")
    assert cloud.until_running("dan", dan.id).id == dan.id


def test_a_server_stopped_while_it_starts_does_not_hold_its_users_next_start_up(cloud: Installation) -> None:
    first = cloud.person("ann").press_start("small")
    eventually(
        lambda: cloud.client("ann").request(first["id"]).allocation, "the grant is claimed or about to be"
    )
    cloud.end("ann", first["id"])
    second = cloud.start_notebook("ann", "small")
    assert second.id != first["id"]


def test_a_server_that_takes_longer_than_the_hubs_http_timeout_comes_up(cloud: Installation) -> None:
    sam = cloud.person("sam")
    request = sam.press_start("small")
    eventually(lambda: sam.hub_user()["servers"].get("", {}).get("ready"), "the slow server is ready")
    assert cloud.client("sam").request(request["id"]).status is RequestStatus.ACTIVE


def test_a_hub_killed_in_the_middle_of_a_start_finds_the_server(cloud: Installation) -> None:
    sam = cloud.person("sam")
    request = cloud.until_running("sam", sam.press_start("small")["id"])
    assert not sam.hub_user()["servers"].get("", {}).get("ready")
    cloud.kill("hub")
    eventually(lambda: sam.hub_user()["servers"].get("", {}).get("ready"), "the hub found it", 30)
    assert cloud.client("sam").request(request.id).status is RequestStatus.ACTIVE
