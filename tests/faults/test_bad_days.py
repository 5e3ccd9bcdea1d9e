"""The disk is full, the database turns read-only or is restarted under load, the clock jumps, a node
hangs: what was answered holds, and who is not concerned notices nothing."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa

import service_rig as rig
from jupyterhub_mesos.backends.base import Checkpoint
from jupyterhub_mesos.backends.faulty import MemoryBackend, MemoryWorld
from jupyterhub_mesos.errors import LedgerError
from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos.service.store import Store, store_url
from jupyterhub_mesos.tasks import TaskId, TaskSpec
from jupyterhub_mesos_quota.events import EndRequested
from jupyterhub_mesos_quota.model import AllocationId, AllocationState, RequestId, RequestStatus
from postgres import Cluster, cluster

ARGV: Final = ("jupyterhub-singleuser",)
STUCK: Final = AllocationId("stuck-1")
DAY: Final = 86_400.0
LOAD: Final = 60
"""Callers at once; more than one commit takes while a server goes down."""
NO_ROOM = ("PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1000000")
READ_ONLY = ("PRAGMA query_only = 1", "PRAGMA query_only = 0")


class TroubledStore(Store):
    """A store of which a test changes what SQLite allows: it then fails as on a bad disk."""

    def say(self, pragma: str) -> None:
        with self._connected().connect() as connection:
            connection.execute(sa.text(pragma))


class SlowNode(MemoryBackend):
    """A backend on which the launch of one task never comes to an end."""

    def __init__(self, world: MemoryWorld, stuck: AllocationId) -> None:
        super().__init__(world)
        self._stuck = stuck

    async def launch(self, spec: TaskSpec) -> AsyncIterator[Checkpoint]:
        async for checkpoint in super().launch(spec):
            yield checkpoint
            if spec.allocation_id == self._stuck:
                await asyncio.Event().wait()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return store_url(tmp_path / "ledger.sqlite")


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    with cluster() as own:
        yield own


async def started(service: rig.Rig, name: str) -> None:
    """Ask for a notebook and start it as the hub does."""
    await service.ledger.apply(rig.notebook(service.ledger, name, name))
    grant = AllocationId(f"{name}-1")
    await service.controller.notebooks.claim("ada", name, grant)
    await service.controller.notebooks.launch(grant, ARGV, {})
    await service.allocation(name, AllocationState.RUNNING)


# ---- the database ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("trouble", "cure"), [NO_ROOM, READ_ONLY], ids=["full", "read-only"])
async def test_a_ledger_that_cannot_be_written_refuses_and_forgets_nothing(
    url: str, trouble: str, cure: str
) -> None:
    store = TroubledStore(url)
    async with rig.running(url, store=store) as service:
        await started(service, "r1")
        await started(service, "r2")
        await service.ledger.read(lambda _: store.say(trouble))
        refusals = await asyncio.gather(
            *(service.ledger.apply(rig.notebook(service.ledger, f"no{n}", f"no{n}")) for n in range(200)),
            return_exceptions=True,
        )
        assert any(isinstance(refusal, LedgerError) for refusal in refusals)
        service.backend.finish(TaskId("r2-1-g1-notebook-0"), 0)  # nobody can write down that it ended
        assert service.ledger.row(RequestId("r1")) is not None

        await service.ledger.read(lambda _: store.say(cure))
        assert (await service.ended("r2")).outcome == "finished"
        await service.ledger.apply(Change(EndRequested(service.clock(), RequestId("r1"))))
        assert (await service.ended("r1")).outcome == "stopped"
        answered = {f"no{n}" for n, one in enumerate(refusals) if not isinstance(one, BaseException)}
        assert {row.id for row in service.ledger.rows()} == answered
        service.ledger.machine.audit_state()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["orderly", "crash"])
async def test_a_database_restarted_under_load_keeps_what_was_answered_and_nothing_else(
    own_cluster: Cluster, how: signal.Signals
) -> None:
    with own_cluster.database() as url:
        async with rig.opened(url) as ledger:
            await rig.add_node(ledger)

            async def ask(number: int) -> bool:
                await asyncio.sleep(0.005 * number)
                try:
                    await ledger.apply(rig.notebook(ledger, f"r{number}", f"s{number}"))
                except LedgerError:
                    return False
                return True

            asking = [asyncio.ensure_future(ask(number)) for number in range(LOAD)]
            await asking[LOAD // 4]
            await asyncio.to_thread(own_cluster.stop, how)
            await asyncio.to_thread(own_cluster.start)
            was_answered = await asyncio.gather(*asking)
            again = [number for number, answered in enumerate(was_answered) if not answered]
            assert again  # it did strike while they asked
            for number in again:
                await ledger.apply(rig.notebook(ledger, f"r{number}", f"s{number}"))
            ids = [row.id for row in ledger.rows()]
            assert sorted(ids) == sorted(f"r{number}" for number in range(LOAD))
            ledger.machine.audit_state()
        async with rig.opened(url) as later:
            assert [row.id for row in later.rows()] == ids


# ---- the clock -------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["forward", "back"])
async def test_a_clock_that_jumps_moves_no_place_and_stops_nobody(url: str, jump: float) -> None:
    clock = rig.Clock()
    async with rig.running(url, clock=clock) as service:
        for name in ("r1", "r2", "r3", "r4"):
            await started(service, name)
        await service.ledger.apply(rig.notebook(service.ledger, "first", "first"))
        clock.now += jump
        await service.ledger.apply(rig.notebook(service.ledger, "second", "second"))
        await service.ledger.apply(Change(EndRequested(clock(), RequestId("r1"))))
        await service.ended("r1")
        await service.allocation("first", AllocationState.GRANTED)
        second = service.ledger.row(RequestId("second"))
        assert second is not None
        assert second.request.status is RequestStatus.QUEUED
        for name in ("r2", "r3", "r4"):
            assert (await service.allocation(name, AllocationState.RUNNING)).gone_at is None
        service.ledger.machine.audit_state()
    async with rig.running(url, backend=service.backend, clock=clock) as later:
        order = [later.ledger.machine.explain(RequestId(name)).position for name in ("second",)]
        assert order == [1]
        later.ledger.machine.audit_state()


# ---- the backend -----------------------------------------------------------------------------------


async def hangs(service: rig.Rig) -> None:
    """Ask for the notebook whose launch never comes to an end."""
    notebooks = service.controller.notebooks
    await service.ledger.apply(rig.notebook(service.ledger, "stuck", "stuck"))
    await notebooks.claim("ada", "stuck", STUCK)
    told = await notebooks.launch(STUCK, ARGV, {})
    assert (told.is_alive, told.url) == (True, None)


async def test_a_launch_that_hangs_holds_nobody_else_up_and_can_be_ended(url: str) -> None:
    backend = SlowNode(MemoryWorld(nodes=(rig.NODE,)), STUCK)
    async with rig.running(url, backend=backend, launch_wait_seconds=0.01) as service:
        await hangs(service)
        for name in ("r1", "r2"):
            await started(service, name)
        await service.ledger.apply(Change(EndRequested(service.clock(), RequestId("stuck"))))
        assert (await service.ended("stuck")).outcome == "stopped"
        await started(service, "r3")


async def test_a_backend_that_hangs_is_one_that_fails_and_its_owner_is_told(url: str) -> None:
    backend = SlowNode(MemoryWorld(nodes=(rig.NODE,)), STUCK)
    async with rig.running(url, backend=backend, launch_wait_seconds=0.01, backend_seconds=0.05) as service:
        await hangs(service)

        def message() -> str | None:
            row = service.ledger.row(RequestId("stuck"))
            return row.message if row is not None and row.message else None

        assert "did not start task stuck-1-g1-notebook-0 within 0.05 s" in await service.until(message)
        assert backend.launches.count(TaskId("stuck-1-g1-notebook-0")) >= 1
