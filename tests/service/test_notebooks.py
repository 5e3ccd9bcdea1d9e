"""A notebook from the grant to its end, through hubs and services that fail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import service_rig as rig
from jupyterhub_mesos.backends.base import Checkpoint
from jupyterhub_mesos.backends.faulty import (
    MEMORY_NODE,
    MemoryBackend,
    MemoryWorld,
    StatusesRepeat,
    StopHangs,
    WatchBreaks,
)
from jupyterhub_mesos.errors import Conflict, InvalidInput, NotFound, Unavailable
from jupyterhub_mesos.service.controller import ControllerSettings
from jupyterhub_mesos.service.hub_api import StartAnswer
from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos.service.offers import Offers
from jupyterhub_mesos.service.rows import ServerKey, TaskPhase
from jupyterhub_mesos.service.workqueue import WorkQueue
from jupyterhub_mesos.tasks import TaskId, TaskSpec
from jupyterhub_mesos_quota.events import EndRequested
from jupyterhub_mesos_quota.model import AllocationId, AllocationState, RequestId, RequestStatus

SECRET = "token-of-the-hub-5f1c"
ENV = {"JUPYTERHUB_API_TOKEN": SECRET, "TEMPLATE": "{user}"}
ARGV = ("jupyterhub-singleuser", "--x={y}")
A1 = AllocationId("r1-1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


async def started(service: rig.Rig, name: str = "r1") -> None:
    """Submit, claim and launch as the hub does."""
    await service.ledger.apply(rig.notebook(service.ledger, name, "" if name == "r1" else name))
    row = service.ledger.row(RequestId(name))
    assert row is not None
    assert row.server is not None
    claim = await service.controller.notebooks.claim("ada", row.server.server_name, f"{name}-1")
    server = await service.controller.notebooks.launch(claim.allocation.id, ARGV, ENV)
    assert server.url == f"http://127.0.0.1:{claim.endpoint.ports['http']}"
    await service.allocation(name, AllocationState.RUNNING)


async def test_a_grant_is_offered_to_the_hub_with_the_options_of_the_request(path: Path) -> None:
    hub = rig.FakeHub()
    async with rig.running(path, hub=hub) as service:

        async def start(user: str, server_name: str, grant: AllocationId) -> None:
            claim = await service.controller.notebooks.claim(user, server_name, grant)
            await service.controller.notebooks.launch(claim.allocation.id, ARGV, ENV)

        hub.on_start = start
        await service.ledger.apply(rig.notebook(service.ledger, "r1"))
        await service.allocation("r1", AllocationState.RUNNING)
        assert hub.posted == [("ada", "", A1, {"profile": "small", "team": "vision"})]
        spec = service.backend.spec(await service.task("r1-1", "notebook"))
        assert spec.argv == ("jupyterhub-singleuser", "--x={{y}")
        own = {"CAPACITY_TEAM": "vision", "LAKE_TEAM_URI": "file:///lake/vision"}
        assert spec.env == {**own, **ENV, "TEMPLATE": "{{user}"}
        assert spec.groups == (40_001,)
        assert [mount.target for mount in spec.mounts] == ["lake/team"]


async def test_no_secret_is_in_the_ledgers_files_or_in_a_representation(path: Path) -> None:
    async with rig.running(path) as service:
        await started(service)
        assert SECRET not in repr(service.controller.notebooks.__dict__)
        for file in path.parent.iterdir():
            assert SECRET.encode() not in file.read_bytes()


async def test_submit_claims_at_once_where_there_is_room_and_asks_no_hub(path: Path) -> None:
    async with rig.running(path) as service:
        claim = await service.controller.notebooks.submit(rig.notebook(service.ledger, "r1"))
        assert claim is not None
        assert claim.allocation.id == A1
        assert set(claim.endpoint.ports) == {"http"}
        again = await service.controller.notebooks.claim("ada", "", None)
        assert again.endpoint == claim.endpoint
        assert service.hub.posted == []


async def test_submit_says_none_where_the_request_waits(path: Path) -> None:
    async with rig.running(path) as service:
        big = rig.notebook(service.ledger, "r1", resources=rig.SMALL * 5)
        assert await service.controller.notebooks.submit(big) is None
        assert (await service.controller.notebooks.server("ada", "")).is_alive is False
        with pytest.raises(Conflict):
            await service.controller.notebooks.claim("ada", "", None)
        await service.controller.notebooks.stop("ada", "", "hub")
        assert service.ledger.row(RequestId("r1")) is not None  # a stop withdraws nothing
        await service.controller.notebooks.delete("ada", "", "hub")
        assert (await service.ended("r1")).request.status is RequestStatus.WITHDRAWN


async def test_a_claim_without_a_request_or_with_another_grant_is_refused(path: Path) -> None:
    async with rig.running(path) as service:
        with pytest.raises(NotFound):
            await service.controller.notebooks.claim("ada", "", "r1-1")
        await service.ledger.apply(rig.notebook(service.ledger, "r1"))
        with pytest.raises(Conflict):
            await service.controller.notebooks.claim("ada", "", "r1-7")
        with pytest.raises(NotFound):
            await service.controller.notebooks.launch(AllocationId("r9-1"), ARGV, ENV)


async def test_a_launch_is_idempotent(path: Path) -> None:
    async with rig.running(path) as service:
        await started(service)
        server = await service.controller.notebooks.launch(A1, ARGV, ENV)
        assert server.is_alive
        assert service.backend.launches == ["r1-1-g1-notebook-0"]
        (task,) = service.ledger.tasks_of(A1)
        assert task.checkpoint == {"step": "spawned", "node": "memory"}


@pytest.mark.parametrize(("code", "outcome"), [(0, "finished"), (137, "failed"), (None, "failed")])
async def test_a_server_that_ends_by_itself_ends_its_request(
    path: Path, code: int | None, outcome: str
) -> None:
    async with rig.running(path) as service:
        await started(service)
        service.backend.finish(the_task(service), code, "killed for memory" if code else "")
        row = await service.ended("r1")
        assert row.outcome == outcome
        assert ("killed for memory" in row.message) == bool(code)
        server = await service.controller.notebooks.server("ada", "")
        assert (server.is_alive, server.exit_code) == (False, code if code is not None else 1)


async def test_a_release_frees_only_when_the_backend_says_gone(path: Path) -> None:
    async with rig.running(path, backend=StopHangs()) as service:
        await started(service)
        free = service.ledger.machine.free(MEMORY_NODE.id)
        server = await service.controller.notebooks.stop("ada", "", "hub")
        assert server.is_alive
        await service.allocation("r1", AllocationState.STOPPING)
        await service.seen(lambda: service.backend.stops)
        await rig.add_node(service.ledger, MEMORY_NODE)  # whatever was under way comes before it
        assert service.ledger.machine.allocations[A1].state is AllocationState.STOPPING
        assert service.ledger.machine.free(MEMORY_NODE.id) == free
        service.backend.finish(the_task(service), 143)
        row = await service.ended("r1")
        assert (row.outcome, row.message) == ("stopped", "")
        assert service.ledger.machine.free(MEMORY_NODE.id) == free + rig.SMALL


def the_task(service: rig.Rig) -> TaskId:
    (task,) = service.ledger.tasks_of(A1)
    return task.id


async def test_an_end_before_the_claim_takes_the_offer_back(path: Path) -> None:
    async with rig.running(path) as service:
        await service.ledger.apply(rig.notebook(service.ledger, "r1"))
        await service.ledger.apply(Change(EndRequested(1.0, RequestId("r1"))))
        assert (await service.ended("r1")).outcome == "stopped"
        with pytest.raises(NotFound):
            await service.controller.notebooks.claim("ada", "", "r1-1")


async def test_a_hub_that_is_away_is_asked_again_with_the_same_grant(path: Path) -> None:
    hub = rig.FakeHub(answers=[Unavailable("away"), Unavailable("away")])
    async with rig.running(path, hub=hub) as service:
        await service.ledger.apply(rig.notebook(service.ledger, "r1"))

        async def start(user: str, server_name: str, grant: AllocationId) -> None:
            if len(hub.posted) == 3:
                await service.controller.notebooks.claim(user, server_name, grant)

        hub.on_start = start
        await service.allocation("r1", AllocationState.STARTING)
        assert {grant for _, _, grant, _ in hub.posted} == {A1}


async def test_an_unknown_user_ends_the_request_with_the_reason(path: Path) -> None:
    async with rig.running(path, hub=rig.FakeHub(answers=[StartAnswer.NO_USER])) as service:
        await service.ledger.apply(rig.notebook(service.ledger, "r1"))
        row = await service.ended("r1")
        assert (row.outcome, row.message) == ("failed", "The hub does not know the user ada.")


async def test_failed_starts_are_tried_again_and_given_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyterhub_mesos.service.offers.FIRST_DELAY_SECONDS", 0.001)
    hub = rig.FakeHub(answers=[StartAnswer.FAILED] * 9)
    async with rig.running(path, hub=hub) as service:
        await service.ledger.apply(rig.notebook(service.ledger, "r1"))
        row = await service.ended("r1")
        assert row.outcome == "failed"
        assert "not started 5 times" in row.message
        assert [grant for _, _, grant, _ in hub.posted] == [f"r1-{n}" for n in range(1, 6)]


async def test_a_start_that_nobody_claims_counts_as_failed(path: Path) -> None:
    hub = rig.FakeHub()  # always 202
    async with rig.running(path, hub=hub, claim_seconds=0.001, give_up_after=1) as service:
        await service.ledger.apply(rig.notebook(service.ledger, "r1"))
        assert "did not claim" in (await service.ended("r1")).message


async def test_a_claim_without_a_launch_goes_back_to_the_queue(path: Path) -> None:
    clock = rig.Clock()
    async with rig.running(path, clock=clock, start_timeout_seconds=300.0) as service:
        await service.ledger.apply(rig.notebook(service.ledger, "r1"))
        await service.controller.notebooks.claim("ada", "", "r1-1")
        clock.now += 301
        service.controller.look(A1)
        second = await service.until(lambda: service.ledger.machine.allocations.get(AllocationId("r1-2")))
        assert second.state is AllocationState.GRANTED
        row = service.ledger.row(RequestId("r1"))
        assert row is not None
        assert "did not start within 300 s" in row.message


async def test_a_service_killed_between_claim_and_launch_takes_the_repeated_launch(path: Path) -> None:
    world = MemoryWorld(nodes=(rig.NODE,))
    async with rig.running(path, backend=MemoryBackend(world)) as service:
        claim = await service.controller.notebooks.submit(rig.notebook(service.ledger, "r1"))
        assert claim is not None
    async with rig.running(path, backend=MemoryBackend(world)) as service:
        server = await service.controller.notebooks.launch(A1, ARGV, ENV)
        assert server.url == f"http://127.0.0.1:{claim.endpoint.ports['http']}"


async def test_a_service_killed_before_its_offer_offers_again(path: Path) -> None:
    async with rig.running(path, hub=rig.FakeHub(answers=[Unavailable("x")] * 999)) as service:
        await service.ledger.apply(rig.notebook(service.ledger, "r1"))
    hub = rig.FakeHub()
    async with rig.running(path, hub=hub) as service:
        hub.on_start = service.controller.notebooks.claim
        await service.allocation("r1", AllocationState.STARTING)
        assert hub.posted[0][2] == A1


async def test_a_running_server_survives_the_service(path: Path) -> None:
    world = MemoryWorld(nodes=(rig.NODE,))
    async with rig.running(path, backend=MemoryBackend(world)) as service:
        await started(service)
    backend = MemoryBackend(world)
    async with rig.running(path, backend=backend) as service:
        assert (await service.controller.notebooks.server("ada", "")).url is not None
        assert backend.launches == backend.stops == []
        backend.finish(the_task(service), 0)
        assert (await service.ended("r1")).outcome == "finished"


async def test_what_ended_while_the_service_was_down_is_found(path: Path) -> None:
    world = MemoryWorld(nodes=(rig.NODE,))
    async with rig.running(path, backend=MemoryBackend(world)) as service:
        await started(service)
        await started(service, "r2")
    MemoryBackend(world).finish(TaskId("r1-1-g1-notebook-0"), 9)
    del world.tasks[TaskId("r2-1-g1-notebook-0")]
    async with rig.running(path, backend=MemoryBackend(world)) as service:
        assert (
            await service.ended("r1")
        ).message == "The notebook server is gone: it ended with exit code 9."
        assert "no longer knows it" in (await service.ended("r2")).message


async def test_a_task_that_is_in_no_ledger_is_stopped(path: Path, tmp_path: Path) -> None:
    world = MemoryWorld(nodes=(rig.NODE,))
    async with rig.running(path, backend=MemoryBackend(world)) as service:
        await started(service)
    backend = MemoryBackend(world)
    async with rig.running(tmp_path / "another.sqlite", backend=backend):
        assert backend.stops == ["r1-1-g1-notebook-0"]


async def test_a_hub_that_forgot_a_running_server_starts_it_anew_on_the_same_allocation(path: Path) -> None:
    async with rig.running(path) as service:
        await started(service)
        claim = await service.controller.notebooks.claim("ada", "", None)
        server = await service.controller.notebooks.launch(claim.allocation.id, ARGV, {"NEW": "1"})
        assert claim.allocation.id == A1
        assert server.url == f"http://127.0.0.1:{claim.endpoint.ports['http']}"
        old, new = service.ledger.tasks_of(A1)
        assert (old.phase, new.phase) == (TaskPhase.GONE, TaskPhase.RUNNING)
        assert new.endpoint != old.endpoint


async def test_a_node_that_falls_silent_keeps_what_it_holds(path: Path) -> None:
    async with rig.running(path) as service:
        await started(service)
        name = the_task(service)
        service.backend.lose(name)
        await service.allocation("r1", AllocationState.LOST)
        assert (await service.controller.notebooks.server("ada", "")).is_alive
        service.backend.recover(name)
        await service.allocation("r1", AllocationState.RUNNING)


async def test_a_server_unknown_to_the_hub_at_two_looks_is_stopped(path: Path) -> None:
    hub = rig.FakeHub(known=None)
    async with rig.running(path, hub=hub, hub_seconds=0.005) as service:
        await started(service)
        hub.known = {ServerKey("", "ada", "")}
        await started(service, "r2")
        row = await service.ended("r2")
        assert row.outcome == "stopped"
        audit = await service.ledger.read(lambda store: store.audit(subject="r2-1"))
        assert "the hub does not know the server any more" in {row.data.get("because") for row in audit}
        assert service.ledger.row(RequestId("r1")) is not None


async def test_one_look_at_the_hub_or_a_hub_that_is_away_stops_nothing(path: Path) -> None:
    async with rig.running(path, hub_seconds=3600.0) as service:
        await started(service)
        hub = rig.FakeHub()
        queue = WorkQueue[AllocationId](1.0, 1.0, lambda: 1.0)
        offers = Offers(service.ledger, hub, ControllerSettings(), queue)
        known = {ServerKey("", "ada", "")}
        for hub.known in (set(), known, set()):
            await offers.compare()
        hub.known = None
        with pytest.raises(Unavailable):
            await offers.compare()
        assert service.ledger.machine.allocations[A1].state is AllocationState.RUNNING
        hub.known = set()
        await offers.compare()
        assert (await service.ended("r1")).outcome == "stopped"


@pytest.mark.parametrize("backend", [StatusesRepeat, WatchBreaks])
async def test_a_watch_that_breaks_or_repeats_itself_is_followed(
    path: Path, backend: type[MemoryBackend]
) -> None:
    async with rig.running(path, backend=backend()) as service:
        await started(service)
        service.backend.finish(the_task(service), 0)
        assert (await service.ended("r1")).outcome == "finished"


async def test_a_launch_that_the_backend_refuses_is_repeated(path: Path) -> None:
    async with rig.running(path) as service:
        service.backend.fail_next_launch()
        service.backend.fail_next_launch(after="prepared")
        await started(service)
        assert service.backend.launches == ["r1-1-g1-notebook-0"] * 3


async def test_a_server_that_cannot_start_ends_at_once_and_the_hub_is_told_why(path: Path) -> None:
    class HasNoProgram(MemoryBackend):
        async def launch(self, spec: TaskSpec) -> AsyncIterator[Checkpoint]:
            raise InvalidInput("there is no program 'jupyterhub-singleuser'", where="argv")
            yield

    async with rig.running(path, backend=HasNoProgram(MemoryWorld(nodes=(rig.NODE,)))) as service:
        claim = await service.controller.notebooks.submit(rig.notebook(service.ledger, "r1"))
        assert claim is not None
        await service.controller.notebooks.launch(claim.allocation.id, ARGV, ENV)
        row = await service.ended("r1")
        said = "It cannot start: argv: there is no program 'jupyterhub-singleuser'"
        assert (row.outcome, row.message) == ("failed", said)
        server = await service.controller.notebooks.server("ada", "")
        assert (server.is_alive, server.exit_code, server.message) == (False, 1, said)


async def test_a_start_while_the_old_server_stops_is_told_to_come_back(path: Path) -> None:
    async with rig.running(path, backend=StopHangs(MemoryWorld(nodes=(rig.NODE,)))) as service:
        await started(service)
        await service.ledger.apply(Change(EndRequested(2.0, RequestId("r1"))))
        with pytest.raises(
            Conflict, match=r"is being stopped \(request r1\): start it again in some seconds"
        ):
            await service.ledger.apply(rig.notebook(service.ledger, "r2"))


async def test_a_start_that_the_hub_gave_up_leaves_a_message(path: Path) -> None:
    backend = MemoryBackend(MemoryWorld(nodes=(rig.NODE,)), starts_at_once=False)
    async with rig.running(path, backend=backend, launch_wait_seconds=0.01) as service:
        claim = await service.controller.notebooks.submit(rig.notebook(service.ledger, "r1"))
        assert claim is not None
        await service.controller.notebooks.launch(claim.allocation.id, ARGV, ENV)
        await service.controller.notebooks.stop("ada", "", "hub")
        row = await service.ended("r1")
        assert row.outcome == "stopped"
        assert row.message.startswith("The hub gave up its start before it ran")


async def test_a_server_that_ran_is_stopped_without_a_complaint(path: Path) -> None:
    async with rig.running(path) as service:
        await started(service)
        await service.controller.notebooks.stop("ada", "", "hub")
        row = await service.ended("r1")
        assert (row.outcome, row.message) == ("stopped", "")
