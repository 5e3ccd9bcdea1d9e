"""The same with a real driver. Skipped where there is none, in CI too: a GPU is no part that CI must have.

Synchronous on purpose, and without fixtures of other folders: on a borrowed machine this file needs
pytest and nvidia-ml-py alone. The tasks use PyTorch where this interpreter has it. What was seen is
logged: `pytest --log-cli-level=INFO tests/gpu`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from jupyterhub_mesos.backends.gpus import Gpu, Gpus, Inventory
from jupyterhub_mesos.backends.gpus.parker import Parker
from jupyterhub_mesos.backends.local import LocalBackend
from jupyterhub_mesos.tasks import Endpoint, TaskId, TaskSpec, TaskState
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import AllocationId, DeviceId, NodeId, RequestStatus
from jupyterhub_mesos_quota.resources import Resources
from quota_cases import Bench, team

log = logging.getLogger(__name__)

DEADLINE_SECONDS = 240.0  # PyTorch's first import from a cold disk
LOOK_SECONDS = 0.1
MIB = 1024
HELD_MIB = 1024

USE_GPU = f"""
import os, time, torch
count = torch.cuda.device_count()
files = sorted(name for name in os.listdir("/dev") if name.startswith("nvidia"))
print("sees", count, os.environ["CUDA_VISIBLE_DEVICES"], files)
if count:
    held = torch.ones({HELD_MIB} * 2**18, device="cuda")
    product = torch.eye(512, device="cuda") @ torch.ones(512, 512, device="cuda")
    print("computed", int(product.sum().item()), torch.cuda.get_device_name(0))
print("ready", flush=True)
while not os.path.exists(os.path.expanduser("~/go")):
    time.sleep(0.05)
if count:
    print("holds", int(held.double().sum().item()), int((product @ product).sum().item()))
"""


async def look_once() -> Inventory:
    gpus = Gpus()
    try:
        return await gpus.look()
    finally:
        await gpus.close()


@pytest.fixture(scope="module")
def found() -> Inventory:
    inventory = asyncio.run(look_once())
    if not inventory.devices():
        pytest.skip(f"no GPU on this machine ({inventory.fact().detail})")
    return inventory


@pytest.fixture
def torch() -> None:
    if find_spec("torch") is None:
        pytest.skip("no PyTorch in this interpreter")


def test_every_gpu_has_a_name_memory_and_files(found: Inventory) -> None:
    log.info("%s", found)
    assert found.fact().holds, found.fact().detail
    for gpu in found.gpus:
        assert gpu.id.startswith(("GPU-", "MIG-"))
        assert gpu.flavor
        assert gpu.mem_mib
        assert gpu.used_mib is not None
        assert gpu.utilisation_percent is None or 0 <= gpu.utilisation_percent <= 100
        assert [node for node in found.nodes([gpu.id]) if not (Path("/dev") / node).exists()] == []


def test_the_drivers_own_program_says_the_same(found: Inventory) -> None:
    program = shutil.which("nvidia-smi")
    if program is None:
        pytest.skip("no nvidia-smi on this machine")
    query = ["--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits"]
    said = subprocess.run([program, *query], capture_output=True, check=True, text=True).stdout
    whole = [(gpu.index, gpu.id, gpu.name, str(gpu.mem_mib)) for gpu in found.gpus if gpu.parent is None]
    instances = {gpu.parent for gpu in found.gpus if gpu.parent is not None}
    lines = [tuple(line.split(", ")) for line in said.splitlines()]
    assert [line for line in lines if line[1] not in instances] == whole


def test_the_driver_may_be_let_go_and_taken_again(found: Inventory) -> None:
    for _ in range(2):
        assert asyncio.run(look_once()).devices() == found.devices()


# ---- tasks -----------------------------------------------------------------------------------------


class Machine:
    """A backend on this machine, and its tasks."""

    def __init__(self, backend: LocalBackend, state: Path) -> None:
        self.backend, self.state = backend, state

    async def start(self, name: str, devices: tuple[DeviceId, ...]) -> str:
        """Start a task that uses its GPUs; return what it said when it was ready."""
        env = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PYTHONPATH") if name in os.environ}
        spec = TaskSpec(
            TaskId(name),
            AllocationId(name),
            user=name,
            team="vision",
            node=NodeId("local"),
            argv=(sys.executable, "-c", USE_GPU.replace("{", "{{")),
            resources=Resources.of(cpu_millis=2000, mem_mib=8 * MIB),
            endpoint=Endpoint("127.0.0.1"),
            devices=devices,
            env=env,
        )
        async for _ in self.backend.launch(spec):
            pass
        return await self._until(name, lambda text: "ready" in text)

    async def finish(self, name: str) -> None:
        """Let the task end by itself."""
        (self.state / "home" / name / "go").touch()
        await self._until(name, lambda text: False)

    async def said(self, name: str) -> str:
        """Return all that a task said."""
        return (await self.backend.logs(TaskId(name))).text

    async def _until(self, name: str, is_enough: Callable[[str], bool]) -> str:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                [status] = [task for task in await self.backend.tasks() if task.id == name]
                text = await self.said(name)
                if is_enough(text):
                    return text
                if status.state is TaskState.GONE:
                    assert status.exit_code == 0, f"{status.message}: {text}"
                    return text
                await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def opened(state: Path) -> AsyncIterator[Machine]:
    backend = LocalBackend(state, gpus=Gpus(), capacity=Resources.of(8000, 64 * MIB))
    await backend.open()
    for fact in backend.facts():
        log.info("%s", fact)
    try:
        yield Machine(backend, state)
    finally:
        for status in await backend.tasks():
            await backend.stop(status.id, 0.0)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while any(  # noqa: ASYNC110  a scene's end, looked at a few times
                status.state is not TaskState.GONE for status in await backend.tasks()
            ):
                await asyncio.sleep(LOOK_SECONDS)
        for status in await backend.tasks():
            await backend.forget(status.id)
        await backend.close()


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Callable[[Machine], Awaitable[None]]], None]:
    """Run a scene on a machine; `tmp_path` lets other accounts pass."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o711)

    def play(scene: Callable[[Machine], Awaitable[None]]) -> None:
        async def run() -> None:
            async with opened(tmp_path / "state") as machine:
                await scene(machine)

        asyncio.run(run())

    return play


Play = Callable[[Callable[[Machine], Awaitable[None]]], None]


def _same(inventory: Inventory, gpu: Gpu) -> Gpu:
    return next(each for each in inventory.gpus if each.id == gpu.id)


@pytest.mark.timeout(600)
def test_a_task_computes_on_its_gpu_and_is_seen_there(found: Inventory, torch: None, play: Play) -> None:
    gpu = found.gpus[0]

    async def scene(machine: Machine) -> None:
        said = await machine.start("ann", (gpu.id,))
        log.info("%s", said)
        assert f"sees 1 {gpu.id}" in said
        assert "computed 262144" in said
        now = _same(await look_once(), gpu)
        log.info("%s", now)
        assert (now.used_mib or 0) >= (gpu.used_mib or 0) + HELD_MIB
        assert now.processes is None or len(now.processes) > len(gpu.processes or ())
        await machine.finish("ann")

    play(scene)


@pytest.mark.timeout(600)
def test_a_task_without_a_grant_finds_no_gpu(found: Inventory, torch: None, play: Play) -> None:
    async def scene(machine: Machine) -> None:
        said = await machine.start("bob", ())
        log.info("%s", said)
        assert "sees 0 " in said
        if any(fact.name == "accelerators" and fact.holds for fact in machine.backend.facts()):
            assert said.splitlines()[0].endswith("[]"), "not even the files are there"
        await machine.finish("bob")

    play(scene)


@pytest.mark.timeout(600)
def test_a_parked_task_lends_its_gpu_and_finds_all_as_it_was(
    found: Inventory, torch: None, play: Play
) -> None:
    if find_spec("cuda") is None:
        pytest.skip("no cuda-bindings in this interpreter")
    gpu = found.gpus[0]

    async def scene(machine: Machine) -> None:
        await machine.start("ann", (gpu.id,))
        held = _same(await look_once(), gpu)
        pids = [process.pid for process in held.processes or ()]
        parked = await Parker().park(pids)
        log.info("%s: %s", held, parked)
        assert (parked.pids, parked.failure) == (tuple(pids), "")
        free = _same(await look_once(), gpu)
        assert (free.used_mib or 0) <= (held.used_mib or 0) - HELD_MIB
        assert not free.processes
        assert "computed 262144" in await machine.start("bob", (gpu.id,))
        await machine.finish("bob")
        woken = await Parker().wake(pids)
        assert (woken.pids, woken.failure) == (tuple(pids), "")
        await machine.finish("ann")
        assert f"holds {HELD_MIB * 2**18} {512**3}" in await machine.said("ann")

    play(scene)


@pytest.mark.timeout(600)
def test_all_gpus_are_granted_once_and_a_freed_one_goes_to_who_waits(
    found: Inventory, torch: None, play: Play
) -> None:
    flavor = found.given_out[0].flavor
    assert flavor is not None
    count = found.counts()[flavor]

    async def scene(machine: Machine) -> None:
        bench = Bench(QuotaMachine((team("vision", 8, **{flavor: count}),), await machine.backend.capacity()))
        names = [f"user{number}" for number in range(count)]
        for name in names:
            assert bench.submit(name, "vision", **{flavor: 1}) == [name]
            assert "sees 1 " in await machine.start(name, bench.live(name).placements[0].devices)
            bench.run(name)
        held = [bench.live(name).placements[0].devices for name in names]
        assert len(set(held)) == count
        assert bench.submit("next", "vision", **{flavor: 1}) == []
        assert bench.status("next") is RequestStatus.QUEUED
        await machine.finish(names[0])
        assert bench.gone(names[0]) == ["next"]
        assert bench.live("next").placements[0].devices == held[0]
        assert "sees 1 " in await machine.start("next", held[0])
        for name in (*names[1:], "next"):
            await machine.finish(name)

    play(scene)
