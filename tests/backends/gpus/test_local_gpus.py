"""Tasks of the local backend and the GPUs that they were granted: those they reach, and no other."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pynvml
import pytest

from backends.conftest import OpenLocal
from backends.puppet import Stage, spec
from backends.waiting import gone, launched
from jupyterhub_mesos.backends.gpus import Gpus
from jupyterhub_mesos.backends.local import LocalBackend
from jupyterhub_mesos.backends.registry import create_backend
from jupyterhub_mesos.errors import BackendError, InvalidInput
from jupyterhub_mesos.service.settings import CapacityService
from jupyterhub_mesos_quota.model import Device, DeviceId
from jupyterhub_mesos_quota.resources import Flavor
from nvml.driver import GPU_IS_LOST, FakeDriver, FakeGpu, FakeInstance, h200s, unload

OpenWithGpus = Callable[..., Awaitable[LocalBackend]]
A100 = "NVIDIA A100-SXM4-80GB"
INSTANCES = (
    FakeInstance(0, "MIG-a", f"{A100} MIG 1g.10gb", 7),
    FakeInstance(1, "MIG-b", f"{A100} MIG 1g.10gb", 8),
)
MIG = FakeGpu("GPU-mig", A100, minor=9, mig_mode=1, instances=INSTANCES)


@pytest.fixture
def open_with_gpus(driver: FakeDriver, open_local: OpenLocal) -> OpenWithGpus:
    # the driver first: it must outlive the backends
    async def open_one(isolation: str = "sandbox") -> LocalBackend:
        gpus = Gpus(dev=driver.dev, mig_minors=driver.mig_minors)
        return await open_local(isolation, gpus=gpus)

    return open_one


async def test_the_node_names_its_gpus_and_counts_them_by_flavor(
    open_with_gpus: OpenWithGpus, driver: FakeDriver
) -> None:
    driver.have(*h200s(2), MIG)
    backend = await open_with_gpus("shared")
    [node] = await backend.capacity()
    assert node.devices[:2] == tuple(Device(DeviceId(gpu.uuid), Flavor("h200")) for gpu in driver.gpus[:2])
    assert node.capacity.accelerators == (("a100-1g.10gb", 2), ("h200", 2))
    assert [fact.detail for fact in backend.facts() if fact.name == "gpus"] == [
        "2 a100-1g.10gb, 2 h200, driver 580.159.03"
    ]


async def test_use_of_a_gpu_is_no_change_of_the_node(
    open_with_gpus: OpenWithGpus, driver: FakeDriver
) -> None:
    driver.have(*h200s(2))
    backend = await open_with_gpus("shared")
    before = await backend.capacity()
    driver.change(0, utilisation=99, used=2**30, processes=((1, 2**30),))
    assert await backend.capacity() == before


async def test_a_lost_gpu_leaves_the_node_while_tasks_run_on(
    open_with_gpus: OpenWithGpus, driver: FakeDriver, stage: Stage
) -> None:
    driver.have(*h200s(2))
    backend = await open_with_gpus()
    held = DeviceId(driver.gpus[0].uuid)
    await launched(backend, spec("t-1", *stage.argv("t-1"), devices=(held,)))
    driver.change(0, code=GPU_IS_LOST)
    [node] = await backend.capacity()
    assert [device.id for device in node.devices] == [driver.gpus[1].uuid]
    assert await stage.play("t-1", "echo alive") == "alive"


async def test_a_machine_without_a_driver_is_a_node_without_accelerators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> NoReturn:
        raise OSError(f"{name}: cannot open shared object file")

    unload(monkeypatch)
    monkeypatch.setattr(pynvml, "CDLL", missing)
    backend = create_backend("local", tmp_path / "state", {"isolation": "shared"})
    await backend.open()
    [node] = await backend.capacity()
    assert (node.devices, node.capacity.accelerators) == ((), ())
    assert [fact.holds for fact in backend.facts() if fact.name == "gpus"] == [True]
    await backend.close()


# ---- what a task sees --------------------------------------------------------------------------------


async def test_in_the_sandbox_a_task_reaches_its_own_gpus_and_no_other(
    open_with_gpus: OpenWithGpus, driver: FakeDriver, stage: Stage
) -> None:
    driver.have(*h200s(4))
    backend = await open_with_gpus()
    one, two = (DeviceId(driver.gpus[index].uuid) for index in (1, 3))
    await launched(backend, spec("t-1", *stage.argv("t-1"), devices=(one,)))
    await launched(
        backend, spec("t-2", *stage.argv("t-2"), user="bob", devices=(two, DeviceId(driver.gpus[0].uuid)))
    )
    assert await stage.play("t-1", "cd /dev; echo nvidia*") == "nvidia-uvm nvidia2 nvidiactl"
    assert await stage.play("t-2", "cd /dev; echo nvidia*") == "nvidia-uvm nvidia0 nvidia3 nvidiactl"
    assert await stage.play("t-1", "cat /dev/nvidia2") == "nvidia2", "it can be opened by the account"
    assert await stage.play("t-1", 'echo "$CUDA_VISIBLE_DEVICES"') == one


async def test_in_the_sandbox_a_task_without_a_gpu_reaches_none(
    open_with_gpus: OpenWithGpus, driver: FakeDriver, stage: Stage
) -> None:
    driver.have(*h200s(1), MIG)
    backend = await open_with_gpus()
    await launched(backend, spec("t-1", *stage.argv("t-1")))
    assert await stage.play("t-1", "cd /dev; ls -d nvidia* 2>/dev/null") == ""
    assert await stage.play("t-1", 'echo "[$CUDA_VISIBLE_DEVICES]"') == "[]"


async def test_a_task_inherits_no_open_file_of_a_driver(
    open_with_gpus: OpenWithGpus, driver: FakeDriver, stage: Stage
) -> None:
    driver.have(*h200s(1))
    backend = await open_with_gpus("shared")
    with (driver.dev / "nvidia0").open() as file:
        os.set_inheritable(file.fileno(), True)
        await launched(backend, spec("t-1", *stage.argv("t-1")))
    assert "nvidia0" not in await stage.play("t-1", "ls -l /proc/$$/fd /proc/$PPID/fd")


async def test_in_the_sandbox_an_instance_comes_with_its_own_capabilities_alone(
    open_with_gpus: OpenWithGpus, driver: FakeDriver, stage: Stage
) -> None:
    driver.have(MIG)
    backend = await open_with_gpus()
    await launched(backend, spec("t-1", *stage.argv("t-1"), devices=(DeviceId("MIG-b"),)))
    written = dict(line.split() for line in driver.mig_minors.read_text().splitlines())
    own = sorted(f"nvidia-cap{written[f'gpu9/gi8/{name}']}" for name in ("access", "ci0/access"))
    assert (await stage.play("t-1", "cd /dev/nvidia-caps && ls")).split() == own
    assert await stage.play("t-1", f"cat /dev/nvidia-caps/{own[0]}") == f"nvidia-caps/{own[0]}"
    assert await stage.play("t-1", "cd /dev; echo nvidia[0-9]*") == "nvidia9"


@pytest.mark.parametrize("devices", [(), (DeviceId("GPU-00000000-aaaa-bbbb"),)])
async def test_a_task_cannot_be_told_other_gpus_than_its_own(
    open_with_gpus: OpenWithGpus, driver: FakeDriver, stage: Stage, devices: tuple[DeviceId, ...]
) -> None:
    driver.have(*h200s(2))
    backend = await open_with_gpus("shared")
    env = {"CUDA_VISIBLE_DEVICES": driver.gpus[1].uuid}
    await launched(backend, spec("t-1", *stage.argv("t-1"), devices=devices, env=env))
    assert await stage.play("t-1", 'echo "$CUDA_VISIBLE_DEVICES"') == "".join(devices)


# ---- what cannot be started --------------------------------------------------------------------------


async def test_a_launch_on_a_gpu_that_was_lost_is_refused_and_leaves_nothing(
    open_with_gpus: OpenWithGpus, driver: FakeDriver
) -> None:
    driver.have(*h200s(2))
    backend = await open_with_gpus("shared")
    driver.change(0, code=GPU_IS_LOST)
    await backend.capacity()
    with pytest.raises(BackendError, match=r"not on this node \(any more\): GPU-00000000.*GPU 0 is left out"):
        await launched(backend, spec("t-1", "/bin/true", devices=(DeviceId(driver.gpus[0].uuid),)))
    assert await backend.tasks() == ()


async def test_a_launch_on_the_gpu_behind_instances_is_refused(
    open_with_gpus: OpenWithGpus, driver: FakeDriver
) -> None:
    driver.have(MIG)
    backend = await open_with_gpus("shared")
    with pytest.raises(BackendError, match="GPU-mig"):
        await launched(backend, spec("t-1", "/bin/true", devices=(DeviceId("GPU-mig"),)))


@pytest.mark.parametrize(
    ("file", "cure"), [("nvidia-uvm", "nvidia-modprobe -u"), ("nvidia0", "nvidia-modprobe -c 0")]
)
async def test_a_device_file_that_is_missing_is_named_with_its_cure(
    open_with_gpus: OpenWithGpus, driver: FakeDriver, file: str, cure: str
) -> None:
    driver.have(*h200s(1))
    backend = await open_with_gpus()
    (driver.dev / file).unlink()
    with pytest.raises(BackendError, match=f"{file}: as root, `{cure}"):
        await launched(backend, spec("t-1", "/bin/true", devices=(DeviceId(driver.gpus[0].uuid),)))


async def test_a_task_that_runs_is_not_asked_for_its_gpu_again(
    open_with_gpus: OpenWithGpus, driver: FakeDriver, stage: Stage
) -> None:
    driver.have(*h200s(1))
    backend = await open_with_gpus("shared")
    task = spec("t-1", *stage.argv("t-1"), devices=(DeviceId(driver.gpus[0].uuid),))
    first = await launched(backend, task)
    driver.have()
    await backend.capacity()
    assert await launched(backend, replace(task)) == first
    await backend.stop(task.id, 0.0)
    await gone(backend, "t-1")


# ---- an operator's words ----------------------------------------------------------------------------


async def test_the_registry_hands_on_exceptions_to_flavors(driver: FakeDriver, tmp_path: Path) -> None:
    driver.have(*h200s(2))
    options = {"isolation": "shared", "gpu_flavors": {"h200": "big"}}
    backend = create_backend("local", tmp_path / "state", options)
    await backend.open()
    [node] = await backend.capacity()
    assert node.capacity.accelerators == (("big", 2),)
    await backend.close()


def test_the_registry_refuses_what_is_no_flavor(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="gpu_flavors"):
        create_backend("local", tmp_path / "state", {"gpu_flavors": {"h200": "two words"}})


async def test_what_the_service_is_configured_with_reaches_the_backend(
    driver: FakeDriver, tmp_path: Path
) -> None:
    driver.have(*h200s(1), FakeGpu("GPU-screen", "NVIDIA T400"))
    service = CapacityService(state_dir=str(tmp_path / "state"), gpu_flavors={"t400": ""}, isolation="shared")
    settings = service.settings()
    backend = create_backend(settings.backend, settings.state_dir, settings.backend_options)
    await backend.open()
    [node] = await backend.capacity()
    assert [device.flavor for device in node.devices] == ["h200"]
    await backend.close()
