"""Two GPUs under the whole service: a notebook, its job's workers and its model server take turns.

The hub's side and the API over HTTP, the ledger and the queue, the local backend with real processes,
and the real `nvidia-ml-py` over a compiled driver.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from backends.conftest import can_sandbox_as_root
from jupyterhub_mesos.backends.gpus import Gpus
from jupyterhub_mesos.backends.local import LocalBackend
from jupyterhub_mesos.backends.local.processes import TASK_MARK
from jupyterhub_mesos.service.app import Parts, RunningService, serving
from jupyterhub_mesos.service.controller import ControllerSettings
from jupyterhub_mesos_quota.model import AllocationState, DeviceId, RequestId
from jupyterhub_mesos_quota.resources import Resources
from model_fixtures import bare_repository, export_digits, train_digits
from nvml.driver import FakeDriver, h200s
from requirements import require
from small_hub import SmallHub
from web_cases import HUB_KEY, NoLake, Web, people, settings_for

DEADLINE_SECONDS = 60.0
MACHINE = Resources.of(cpu_millis=4000, mem_mib=8192)
ONE_GPU = {"cpu_millis": 100, "mem_mib": 256, "accelerators": {"h200": 1}}
PROFILES = """
profiles:
  gpu: {title: GPU, resources: {cpu_millis: 200, mem_mib: 256, accelerators: {h200: 1}}}
"""
SAY_AND_STAY = 'echo "sees [$CUDA_VISIBLE_DEVICES]"; while [ ! -e ~/go ]; do sleep 0.1; done'


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something in another process, which tells nobody."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await holds():  # noqa: ASYNC110 - as said
            await asyncio.sleep(0.05)


@dataclass
class Cluster(Web):
    """The service over the local backend; `twice` are devices that were ever granted twice at once."""

    state: Path = Path()
    twice: set[DeviceId] = field(default_factory=set)

    def watch(self) -> None:
        """Look at every commit for a device in two hands."""
        self.service.ledger.subscribe(lambda _: self._look())

    def _look(self) -> None:
        held = Counter(
            device
            for allocation in self.service.ledger.machine.allocations.values()
            if allocation.state is not AllocationState.GONE
            for placement in allocation.placements
            for device in placement.devices
        )
        self.twice |= {device for device, hands in held.items() if hands > 1}

    async def start_notebook(self) -> str:
        """Do what the hub does: ask for room, and launch what was granted."""
        key = {"Authorization": f"Bearer {HUB_KEY}"}
        start = {"user": "mia", "groups": ["vision"], "server_name": "", "options": {}}
        answer = await self.ask("POST", "api/v1/hub/starts", None, start, **key)
        claim = json.loads(answer.body)
        assert answer.code == 200, claim
        launch = {"argv": ["/bin/sh", "-c", SAY_AND_STAY], "env": {"CUDA_VISIBLE_DEVICES": "all"}}
        path = f"api/v1/hub/allocations/{claim['allocation_id']}/launch"
        launched = await self.ask("PUT", path, None, launch, **key)
        assert launched.code in {200, 202}, launched.body
        return str(claim["request_id"])

    async def submit(self, payload: dict[str, Any], **more: Any) -> str:
        view = await self.api("POST", "requests", body={"payload": payload, **more})
        return str(view["id"])

    async def running(self, request_id: str) -> set[str]:
        """Wait until a request runs; return the devices that it was granted."""

        def look() -> set[str] | None:
            found = self.service.ledger.allocation_of(RequestId(request_id))
            if found is None or found.state is not AllocationState.RUNNING:
                return None
            return {device for placement in found.placements for device in placement.devices}

        async with asyncio.timeout(DEADLINE_SECONDS):
            return await self.service.ledger.until(look)

    async def over(self, request_id: str) -> dict[str, Any]:
        ledger = self.service.ledger
        async with asyncio.timeout(DEADLINE_SECONDS):
            await ledger.until(lambda: True if ledger.row(RequestId(request_id)) is None else None)
        view: dict[str, Any] = await self.api("GET", f"requests/{request_id}")
        return view

    async def sees(self, request_id: str) -> list[str]:
        """Wait until every task of a request has said which devices its environment names."""
        view = await self.api("GET", f"requests/{request_id}")
        said: list[str] = []
        for task in view["allocation"]["tasks"]:
            name = task["id"]
            await eventually(lambda name=name: self._has_said(request_id, name))
            output = await self._output(request_id, name)
            said.append(output.partition("sees [")[2].partition("]")[0])
        return said

    async def _has_said(self, request_id: str, task: str) -> bool:
        return "]" in (await self._output(request_id, task))

    async def _output(self, request_id: str, task: str) -> str:
        return str((await self.api("GET", f"requests/{request_id}/logs?task={task}"))["text"])

    async def free(self) -> int:
        capacity = await self.api("GET", "capacity")
        return int(capacity["free"]["accelerators"].get("h200", 0))


OpenCluster = Callable[[str], Awaitable[Cluster]]


@pytest.fixture
async def open_cluster(driver: FakeDriver, tmp_path: Path) -> AsyncIterator[OpenCluster]:
    driver.have(*h200s(2))
    hub = SmallHub(people())
    hub.open()
    opened: list[tuple[Any, LocalBackend]] = []

    async def open_one(isolation: str) -> Cluster:
        if isolation == "sandbox":
            require("root, bubblewrap and setpriv", can_sandbox_as_root())
        state = tmp_path / "state"
        state.mkdir()
        gpus = Gpus(dev=driver.dev, mig_minors=driver.mig_minors)
        backend = LocalBackend(state, isolation=isolation, capacity=MACHINE, gpus=gpus)
        settings = settings_for(hub, state)
        (state / "profiles.yaml").write_text(PROFILES)
        parts = Parts(backend, NoLake(), ControllerSettings(backoff_seconds=0.05))
        context = serving(replace(settings, profiles_file=state / "profiles.yaml"), parts)
        service: RunningService = await context.__aenter__()
        opened.append((context, backend))
        cluster = Cluster(service, hub, backend, state)  # type: ignore[arg-type]  # a real backend
        cluster.watch()
        return cluster

    yield open_one
    for context, backend in opened:
        for status in await backend.tasks():
            await backend.stop(status.id, 0.0)
        await context.__aexit__(None, None, None)
    await hub.close()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("served")
    export_digits(train_digits(), bare_repository(place / "models.git"), place / "bundle")
    return place / "bundle"


def lay_into_home(home: Path, bundle: Path) -> None:
    """Give the bundle to the home's owner."""
    shutil.copytree(bundle, home / "bundle")
    owner = home.stat()
    for path in (home / "bundle", *(home / "bundle").rglob("*")):
        shutil.chown(path, owner.st_uid, owner.st_gid)


def devices_of_server(task: str) -> set[str]:
    """Return what the model server's own process, that of the task, has in its environment."""
    for process in psutil.process_iter():
        try:
            words, env = process.cmdline(), process.environ()
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
        is_server = "jupyterhub_mesos.serving" in words and "SERVING_TOKEN" in env  # and no wall around it
        if is_server and task in env.get(TASK_MARK, ""):
            return set(env["CUDA_VISIBLE_DEVICES"].split(","))
    raise AssertionError("no model server is in the process table")


@pytest.mark.parametrize("isolation", ["shared", "sandbox"])
async def test_a_notebook_its_workers_and_its_server_take_turns_on_two_gpus(
    open_cluster: OpenCluster, driver: FakeDriver, bundle: Path, isolation: str
) -> None:
    cluster = await open_cluster(isolation)
    both = {gpu.uuid for gpu in driver.gpus}
    assert await cluster.free() == 2

    notebook = await cluster.start_notebook()
    [granted] = await cluster.running(notebook)
    assert await cluster.sees(notebook) == [granted], "and not what its environment asked for"
    assert await cluster.free() == 1

    role = {"argv": ["/bin/sh", "-c", SAY_AND_STAY], "replicas": 2, "resources": ONE_GPU}
    job = await cluster.submit(
        {"kind": "training", "job": {"name": "digits", "roles": [role], "restart": {"max_restarts": 0}}}
    )
    said = (await cluster.api("GET", f"requests/{job}"))["explanation"]
    assert (said["code"], said["position"]) == ("no-room", 1)
    assert said["sentence"] == "1 h200 is free, 2 h200 are asked for; team vision holds 1 h200."

    await cluster.api("DELETE", f"requests/{notebook}")
    assert await cluster.running(job) == both
    seen = await cluster.sees(job)
    assert (len(seen), set(seen)) == (2, both)
    assert (await cluster.over(notebook))["outcome"] == "stopped"
    assert await cluster.free() == 0

    home = cluster.state / "home" / "mia"
    lay_into_home(home, bundle)
    model = await cluster.submit(
        {"kind": "serving", "name": "digits", "bundle": "~/bundle"}, resources={**ONE_GPU, "mem_mib": 512}
    )
    waits = (await cluster.api("GET", f"requests/{model}"))["explanation"]
    assert waits["sentence"] == "0 h200 are free, 1 h200 is asked for; team vision holds 2 h200."

    (home / "go").touch()  # both workers end
    assert (await cluster.over(job))["outcome"] == "finished"
    served = await cluster.running(model)
    assert len(served) == 1
    await answers(cluster, model)  # before, its process may still be putting up the walls around it
    assert devices_of_server(f"{model}-1") == served <= both
    assert await cluster.free() == 1

    await cluster.api("DELETE", f"requests/{model}")
    await cluster.over(model)
    assert await cluster.free() == 2
    assert cluster.twice == set()


async def answers(cluster: Cluster, model: str) -> None:
    """Wait until the model server has loaded its model."""

    async def is_ready() -> bool:
        return (await cluster.ask("GET", f"api/v1/serving/{model}/v2/health/ready")).code == 200

    await eventually(is_ready)
