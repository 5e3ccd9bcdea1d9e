"""Decision core, local backend and driver together: every GPU is held by one task at most."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from backends.conftest import OpenLocal
from backends.puppet import Stage, spec
from backends.waiting import gone, launched, running
from jupyterhub_mesos.backends.gpus import Gpus
from jupyterhub_mesos.backends.local import LocalBackend
from jupyterhub_mesos.tasks import TaskId
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import RequestId, RequestStatus
from jupyterhub_mesos_quota.resources import Resources
from nvml.driver import DRIVER_NOT_LOADED, GPU_IS_LOST, FakeDriver, h200s
from quota_cases import Bench, team

MIB = 128
CUDA_DEVICES = 'echo "$CUDA_VISIBLE_DEVICES"'


@dataclass
class Desk:
    """What the service does, in few words: submit, launch what is granted, free what is gone."""

    bench: Bench
    backend: LocalBackend
    stage: Stage
    tasks: dict[str, list[TaskId]] = field(default_factory=dict)

    async def submit(self, name: str, *, replicas: int = 1, h200: int = 1) -> None:
        await self._start(self.bench.submit(name, "vision", replicas=replicas, mem=MIB, h200=h200))

    async def stop(self, name: str) -> None:
        """Stop a request's tasks; the GPUs are free when the backend says so."""
        for task in self.tasks[name]:
            await self.backend.stop(task, 0.0)
        for task in self.tasks.pop(name):
            await gone(self.backend, task)
        await self._start(self.bench.gone(name))

    async def look(self) -> None:
        """Tell the core what the machine has now."""
        for node in await self.backend.capacity():
            await self._start(self.bench.see(node))

    async def _start(self, names: list[str]) -> None:
        for name in names:
            allocation = self.bench.live(name)
            for placed in allocation.placements:
                task = TaskId(f"{allocation.id}-{placed.replica}")
                what = {
                    "devices": placed.devices,
                    "resources": placed.resources,
                    "allocation_id": allocation.id,
                }
                await launched(self.backend, spec(task, *self.stage.argv(task), **what))
                await running(self.backend, task)
                self.tasks.setdefault(name, []).append(task)
            self.bench.run(name)

    async def held(self) -> list[str]:
        """The GPUs that the running tasks were told, each as often as it was told."""
        told = [await self.stage.play(task, CUDA_DEVICES) for tasks in self.tasks.values() for task in tasks]
        return [gpu for devices in told for gpu in devices.split(",") if gpu]

    def waits(self, name: str) -> bool:
        return self.bench.machine.requests[RequestId(name)].status is RequestStatus.QUEUED


@pytest.fixture
async def desk(driver: FakeDriver, open_local: OpenLocal, stage: Stage) -> Desk:
    driver.have(*h200s(4))
    gpus = Gpus(dev=driver.dev, mig_minors=driver.mig_minors)
    capacity = Resources.of(cpu_millis=32_000, mem_mib=32_768)
    backend = await open_local(gpus=gpus, capacity=capacity)
    return Desk(Bench(QuotaMachine((team("vision", 16, h200=4),), await backend.capacity())), backend, stage)


async def test_notebook_workers_and_server_hold_different_gpus_and_the_next_gets_the_freed_one(
    desk: Desk, driver: FakeDriver
) -> None:
    await desk.submit("notebook")
    await desk.submit("workers", replicas=2)
    await desk.submit("server")
    assert sorted(await desk.held()) == sorted(gpu.uuid for gpu in driver.gpus)
    await desk.submit("next")
    assert desk.waits("next")
    [freed] = desk.bench.live("notebook").placements[0].devices
    await desk.stop("notebook")
    assert await desk.stage.play(desk.tasks["next"][0], CUDA_DEVICES) == freed
    assert len(set(await desk.held())) == len(await desk.held()) == 4


async def test_a_gang_waits_for_all_its_gpus_and_then_holds_other_ones_each(desk: Desk) -> None:
    await desk.submit("notebook", h200=3)
    await desk.submit("workers", replicas=2, h200=2)
    assert desk.waits("workers")
    assert len(await desk.held()) == 3
    await desk.stop("notebook")
    told = [await desk.stage.play(task, CUDA_DEVICES) for task in desk.tasks["workers"]]
    assert [len(devices.split(",")) for devices in told] == [2, 2]
    assert len(set(await desk.held())) == 4


async def test_a_lost_gpu_is_given_to_nobody_and_comes_back_when_it_does(
    desk: Desk, driver: FakeDriver
) -> None:
    driver.change(0, code=GPU_IS_LOST)
    await desk.look()
    await desk.submit("workers", replicas=3)
    await desk.submit("next")
    assert desk.waits("next")
    assert driver.gpus[0].uuid not in await desk.held()
    driver.change(0, code=0)
    await desk.look()
    assert await desk.stage.play(desk.tasks["next"][0], CUDA_DEVICES) == driver.gpus[0].uuid
    assert len(set(await desk.held())) == 4


async def test_a_gpu_that_is_lost_under_its_task_stays_held_until_the_task_is_gone(
    desk: Desk, driver: FakeDriver
) -> None:
    await desk.submit("notebook", h200=4)
    driver.change(2, code=GPU_IS_LOST)
    await desk.look()
    driver.change(2, code=0)
    await desk.look()
    await desk.submit("next")
    assert desk.waits("next"), "it came back, and is the notebook's"
    await desk.stop("notebook")
    assert not desk.waits("next")


async def test_while_the_driver_is_reloaded_nothing_is_granted_and_nothing_is_lost(
    desk: Desk, driver: FakeDriver
) -> None:
    await desk.submit("notebook")
    driver.reload()
    driver.fail("nvmlInitWithFlags", DRIVER_NOT_LOADED)
    await desk.look()
    await desk.submit("next")
    assert desk.waits("next")
    driver.fail("nvmlInitWithFlags", 0)
    await desk.look()
    assert len(set(await desk.held())) == 2
