from __future__ import annotations

from pathlib import Path

import pytest

from jupyterhub_mesos.backends.local.ports import KEPT_SECONDS, Ports
from jupyterhub_mesos.backends.registry import create_backend
from jupyterhub_mesos.errors import InvalidInput


async def test_backends_are_created_by_name_with_the_operators_options(tmp_path: Path) -> None:
    options = {
        "cpu_millis": 3000,
        "mem_mib": None,
        "isolation": "shared",
        "zone": "hall-1",
        "labels": {"generation": "new"},
    }
    backend = create_backend("local", tmp_path / "state", options)
    await backend.open()
    [node] = await backend.capacity()
    assert (backend.name, node.id, node.capacity.cpu_millis) == ("local", "local", 3000)
    assert node.capacity.mem_mib > 0
    assert (node.zone, dict(node.labels)["generation"]) == ("hall-1", "new")
    assert dict(node.labels)["hostname"]
    await backend.close()


def test_an_unknown_backend_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="use local or memory"):
        create_backend("slurm", tmp_path)


@pytest.mark.parametrize(
    "options",
    [{"colour": 1}, {"mem_mib": -1}, {"cpu_millis": "many"}, {"labels": {"a b": "c"}}, {"zone": "x\n"}],
)
def test_an_option_that_does_not_hold_is_refused(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        create_backend("local", tmp_path, options)


def test_a_port_is_not_handed_out_twice_within_minutes() -> None:
    now = 0.0
    ports = Ports(lambda: now)
    taken = {ports.take() for _ in range(200)}
    assert len(taken) == 200
    now = KEPT_SECONDS
    ports.take()
    assert len(ports._given) == 1
