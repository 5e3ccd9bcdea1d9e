"""A hub that was killed while it started a server says so when it is back: nothing hangs or is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

import service_rig as rig
from jupyterhub_mesos.backends.faulty import MemoryBackend, MemoryWorld
from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos.tasks import TaskId
from jupyterhub_mesos_quota.events import EndRequested
from jupyterhub_mesos_quota.model import AllocationId, AllocationState, RequestId, RequestStatus

ARGV = ("jupyterhub-singleuser",)
FIRST, SECOND = AllocationId("r1-1"), AllocationId("r1-2")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


async def test_a_claim_that_nobody_will_launch_goes_back_before_those_who_came_later(path: Path) -> None:
    async with rig.running(path) as service:
        notebooks = service.controller.notebooks
        await service.ledger.apply(rig.notebook(service.ledger, "r1", resources=rig.SMALL * 4))
        await notebooks.claim("ada", "", FIRST)
        await service.ledger.apply(rig.notebook(service.ledger, "r2", "two", resources=rig.SMALL * 4))

        told = await notebooks.recover("ada", "")

        assert (told.is_alive, "made again" in told.message) == (False, True)
        again = service.ledger.machine.allocations[SECOND]
        assert again.state is AllocationState.GRANTED
        other = service.ledger.row(RequestId("r2"))
        assert other is not None
        assert other.request.status is RequestStatus.QUEUED


async def test_a_launch_that_was_begun_goes_on(path: Path) -> None:
    backend = MemoryBackend(MemoryWorld(nodes=(rig.NODE,)), starts_at_once=False)
    async with rig.running(path, backend=backend, launch_wait_seconds=0.01) as service:
        notebooks = service.controller.notebooks
        await service.ledger.apply(rig.notebook(service.ledger, "r1"))
        await notebooks.claim("ada", "", FIRST)
        await notebooks.launch(FIRST, ARGV, {})
        told = await notebooks.recover("ada", "")
        assert (told.is_alive, told.url, told.allocation_id) == (True, None, FIRST)
        backend.run(TaskId("r1-1-g1-notebook-0"))
        await service.allocation("r1", AllocationState.RUNNING)
        assert (await notebooks.recover("ada", "")).url is not None


async def test_starts_that_are_torn_again_and_again_end_with_the_reason(path: Path) -> None:
    async with rig.running(path, give_up_after=2) as service:
        notebooks = service.controller.notebooks
        await service.ledger.apply(rig.notebook(service.ledger, "r1"))
        for grant in (FIRST, SECOND):
            await notebooks.claim("ada", "", grant)
            await notebooks.recover("ada", "")
        ended = await service.ended("r1")
        assert (ended.outcome, "hub was restarted" in ended.message) == ("failed", True)


async def test_what_waits_or_was_never_asked_for_is_left_alone(path: Path) -> None:
    async with rig.running(path) as service:
        notebooks = service.controller.notebooks
        assert not (await notebooks.recover("ada", "")).is_alive
        await service.ledger.apply(rig.notebook(service.ledger, "r1"))
        await notebooks.recover("ada", "")
        assert service.ledger.machine.allocations[FIRST].state is AllocationState.GRANTED
        await service.ledger.apply(Change(EndRequested(service.clock(), RequestId("r1")), who="ada"))
