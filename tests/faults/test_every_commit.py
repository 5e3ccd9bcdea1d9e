"""`kill -9` of the service at every commit of two lives, before and after it is durable: nothing is lost.

One request runs and is ended, the other waits behind it, starts then and is ended
too. Whatever commit the service dies at, the next one goes on: each request ends once,
nothing runs twice or is left, the one that waited never starts before its turn.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from faults.dying import Death, DyingBackend, DyingStore, When
from jupyterhub_mesos.backends.faulty import MemoryWorld
from jupyterhub_mesos.errors import CapacityError, Conflict, NotFound
from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos.service.store import store_url
from jupyterhub_mesos.tasks import TaskState
from jupyterhub_mesos_quota.events import EndRequested
from jupyterhub_mesos_quota.model import AllocationId, AllocationState, RequestId, RequestStatus
from service_rig import NODE, SMALL, Clock, FakeHub, Rig, notebook, running, training

ARGV: Final = ("jupyterhub-singleuser",)
MOST_COMMITS: Final = 80
"""More than two lives have; a life that needs more does something again and again."""
LIVES: Final = 4
"""Services that may be needed: the one that dies, and one that goes on; the rest are for the message."""
KINDS: Final = ("notebook", "training")


@dataclass
class Start:
    """A server that the hub starts; its spawner lives on when the service dies."""

    user: str
    server: str
    grant: AllocationId
    is_claimed: bool = False


@dataclass
class Town:
    """What outlives a service: its ledger's file, the tasks, the hub, and what people have seen."""

    url: str
    kind: str
    world: MemoryWorld = field(default_factory=lambda: MemoryWorld(nodes=(NODE,)))
    hub: FakeHub = field(default_factory=FakeHub)
    clock: Clock = field(default_factory=Clock)
    starts: dict[AllocationId, Start] = field(default_factory=dict[AllocationId, Start])

    async def live(self, death: Death) -> bool:
        """Let a service work until both requests are over, or it dies; say whether they are."""
        try:
            return await self._live(death)
        except CapacityError:  # it died while it started
            if death.is_dead:
                return False
            raise

    async def _live(self, death: Death) -> bool:
        backend = DyingBackend(self.world, death)
        store = DyingStore(self.url, death)
        async with running(self.url, backend=backend, hub=self.hub, clock=self.clock, store=store) as service:
            self.hub.on_start = lambda user, name, grant: self._start(service, Start(user, name, grant))
            spawners = [asyncio.ensure_future(self._start(service, start)) for start in self.starts.values()]
            people = asyncio.ensure_future(self._people(service))
            dying = asyncio.ensure_future(death.died.wait())
            await asyncio.wait((people, dying), return_when=asyncio.FIRST_COMPLETED)
            for each in (people, dying, *spawners):
                each.cancel()
            done = await asyncio.gather(people, dying, *spawners, return_exceptions=True)
            if death.is_dead:
                return False
            if isinstance(done[0], BaseException):
                raise done[0]
        return True

    async def _start(self, service: Rig, start: Start) -> None:
        """Do what the hub's spawner does: claim, then ask for the launch until some service answers."""
        self.starts[start.grant] = start
        notebooks = service.controller.notebooks
        try:
            if not start.is_claimed:
                await notebooks.claim(start.user, start.server, start.grant)
                start.is_claimed = True
            await notebooks.launch(start.grant, ARGV, {})
        except (Conflict, NotFound):
            pass  # it was given to another start, or ended meanwhile
        del self.starts[start.grant]

    async def _people(self, service: Rig) -> None:
        """Ask for two, and end each once it runs; whoever comes after a kill goes on where things stand."""
        for name in ("a", "b"):
            if await service.ledger.find(RequestId(name)) is None:
                await service.ledger.apply(self._asked(service, name))
        for name in ("a", "b"):
            await self._run_and_end(service, name)

    def _asked(self, service: Rig, name: str) -> Change:
        if self.kind == "notebook":
            return notebook(service.ledger, name, name, resources=SMALL * 4)
        return training(service.ledger, name, replicas=4)

    async def _run_and_end(self, service: Rig, name: str) -> None:
        request = RequestId(name)
        row = service.ledger.row(request)
        if row is not None and not row.request.is_ending:
            await service.allocation(name, AllocationState.RUNNING)
            await service.ledger.apply(Change(EndRequested(self.clock(), request), who="ada"))
        await service.ended(name)


async def check(town: Town) -> None:
    """See that both are over, once, in order, and that nothing is left."""
    async with running(town.url, backend=DyingBackend(town.world, Death()), clock=town.clock) as service:
        service.ledger.machine.audit_state()
        assert service.ledger.rows() == ()
        assert dict(service.ledger.machine.allocations) == {}
        given = {}
        for name in ("a", "b"):
            row = await service.ledger.find(RequestId(name))
            assert row is not None
            assert (row.request.status, row.outcome) == (RequestStatus.ENDED, "stopped")
            given[name] = await service.ledger.read(lambda store, row=row: store.allocations_of(row.id))
            assert {allocation.state for allocation in given[name]} == {AllocationState.GONE}
        audit = await service.ledger.read(lambda store: store.audit(limit=500))
    assert {task.status.state for task in town.world.tasks.values()} == {TaskState.GONE}
    told = [(row.subject, row.what) for row in sorted(audit, key=lambda row: row.seq)]
    assert [what for what in told if what[0] in {"a", "b"} and what[1] == "active -> ended"] == [
        ("a", "active -> ended"),
        ("b", "active -> ended"),
    ]
    assert told.index(("a", "active -> ended")) < told.index(("b", "queued -> active"))


@pytest.mark.parametrize("when", When)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timeout(300)
async def test_a_kill_at_any_commit_loses_doubles_and_leaks_nothing(
    tmp_path: Path, kind: str, when: When
) -> None:
    killed = 0
    for commit in range(1, MOST_COMMITS):
        town = Town(store_url(tmp_path / f"{commit}.sqlite"), kind)
        death = Death(commit, when)
        is_over = await town.live(death)
        for _ in range(LIVES):
            if is_over:
                break
            is_over = await town.live(Death())
        assert is_over, f"killed {when} commit {commit}: not over after {LIVES} more services"
        try:
            await check(town)
        except AssertionError as wrong:
            raise AssertionError(f"killed {when} commit {commit}: {wrong}") from wrong
        if not death.is_dead:
            break
        killed += 1
    assert 10 < killed < MOST_COMMITS - 1  # it met every commit of both lives
