"""The output of what is over is kept for a while, then forgotten; the ledger keeps its rows."""

from __future__ import annotations

from pathlib import Path

from jupyterhub_mesos.service.retention import Retention
from jupyterhub_mesos_quota.model import AllocationId, AllocationState
from service_rig import Rig, running, training

DAY = 86400.0


async def finished_job(rig: Rig) -> None:
    await rig.ledger.apply(training(rig.ledger, "job", replicas=1))
    rig.backend.finish(await rig.task("job-1", "worker"), 0)
    await rig.ended("job")


async def kept(rig: Rig) -> list[str]:
    return [status.id for status in await rig.backend.tasks()]


async def test_output_is_kept_until_it_is_old_enough(tmp_path: Path) -> None:
    async with running(tmp_path / "ledger.sqlite") as rig:
        await finished_job(rig)
        retention = Retention(rig.ledger, rig.backend, seconds=DAY)
        rig.clock.now += DAY - 1
        await retention.step()
        assert await kept(rig) == ["job-1-g1-worker-0"]
        rig.clock.now += 2
        await retention.step()
        assert await kept(rig) == []
        rows = await rig.ledger.read(lambda store: store.tasks_of(AllocationId("job-1")))
        assert [row.id for row in rows] == ["job-1-g1-worker-0"]


async def test_a_task_of_a_live_allocation_is_kept_however_old(tmp_path: Path) -> None:
    async with running(tmp_path / "ledger.sqlite") as rig:
        await rig.ledger.apply(training(rig.ledger, "job", replicas=2))
        await rig.allocation("job", AllocationState.RUNNING)
        rig.backend.finish(await rig.task("job-1", "worker", 0), 0)
        rig.clock.now += 100 * DAY
        await Retention(rig.ledger, rig.backend, seconds=DAY).step()
        assert "job-1-g1-worker-0" in await kept(rig)
