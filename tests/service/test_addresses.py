"""The address at which a pipeline's task reaches the service."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.service.app import _own_url
from jupyterhub_mesos.service.settings import CapacityService, CapacitySettings


@pytest.fixture
def settings(tmp_path: Path) -> CapacitySettings:
    return CapacityService(state_dir=str(tmp_path), service_prefix="/jh/services/capacity").settings()


@pytest.mark.parametrize(
    ("ip", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("10.0.0.7", "10.0.0.7"),
        ("::1", "[::1]"),
    ],
)
def test_without_a_setting_it_is_where_the_service_listens(
    settings: CapacitySettings, ip: str, host: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        found = _own_url(replace(settings, ip=ip), [listening])
    assert found == f"http://{host}:{port}/jh/services/capacity/"


def test_what_is_no_address_is_refused_with_the_setting_s_name(tmp_path: Path) -> None:
    service = CapacityService(state_dir=str(tmp_path), tasks_api_url="hub.example/services/capacity")
    with pytest.raises(InvalidInput, match=r"CapacityService\.tasks_api_url: .*begins with http"):
        service.settings()


def test_an_address_is_passed_on_as_it_was_given(tmp_path: Path) -> None:
    service = CapacityService(state_dir=str(tmp_path), tasks_api_url="https://hub.example/services/capacity/")
    assert service.settings().tasks_api_url == "https://hub.example/services/capacity/"
