"""Training: generations over failures, restarts of the service, time limits; and its progress."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

import service_rig as rig
from jupyterhub_mesos.backends.base import Checkpoint, LogChunk
from jupyterhub_mesos.backends.faulty import MemoryBackend, MemoryWorld, StopHangs
from jupyterhub_mesos.errors import BackendError, InvalidInput, NotFound
from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos.tasks import TaskId, TaskSpec
from jupyterhub_mesos_quota.events import EndRequested
from jupyterhub_mesos_quota.model import AllocationId, AllocationState, RequestId

A1 = AllocationId("r1-1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


async def submitted(service: rig.Rig, **of: object) -> None:
    await service.ledger.apply(rig.training(service.ledger, "r1", **of))  # type: ignore[arg-type]


async def workers(service: rig.Rig, generation: int = 1) -> list[TaskId]:
    return [await service.task("r1-1", "worker", index, generation) for index in range(2)]


async def test_a_job_runs_all_its_replicas_and_finishes(path: Path) -> None:
    async with rig.running(path) as service:
        await submitted(service)
        first, second = await workers(service)
        await service.allocation("r1", AllocationState.RUNNING)
        assert service.backend.spec(first).groups == (40_001,)
        peers = service.backend.spec(first).env["JOB_PEERS"]
        assert service.backend.spec(second).env["JOB_PEERS"] == peers
        assert service.backend.spec(first).env["JOB_SECRET"] == service.backend.spec(second).env["JOB_SECRET"]
        service.backend.finish(first, 0)
        service.backend.finish(second, 0)
        row = await service.ended("r1")
        assert (row.outcome, row.message) == ("finished", "")


async def test_a_failure_ends_the_generation_and_the_next_has_new_ports(path: Path) -> None:
    async with rig.running(path) as service:
        await submitted(service)
        first, _second = await workers(service)
        before = {task.endpoint.ports["peer"] for task in service.ledger.tasks_of(A1)}
        service.backend.finish(first, 1)
        third, fourth = await workers(service, generation=2)
        after = {task.endpoint.ports["peer"] for task in service.ledger.tasks_of(A1) if task.generation == 2}
        assert before.isdisjoint(after)
        row = service.ledger.row(RequestId("r1"))
        assert row is not None
        assert "exit code 1" in row.message
        service.backend.finish(third, 0)
        service.backend.finish(fourth, 0)
        assert (await service.ended("r1")).outcome == "finished"


async def test_a_job_out_of_restarts_fails_with_its_story(path: Path) -> None:
    async with rig.running(path) as service:
        await submitted(service, max_restarts=1)
        service.backend.finish((await workers(service))[0], 1)
        service.backend.finish((await workers(service, 2))[1], 2)
        row = await service.ended("r1")
        assert row.outcome == "failed"
        assert "all 1 restarts are used" in row.message


async def test_the_next_generation_waits_until_the_last_task_is_gone(path: Path) -> None:
    async with rig.running(path, backend=StopHangs()) as service:
        await submitted(service)
        first, second = await workers(service)
        service.backend.finish(first, 1)
        await service.seen(lambda: service.backend.stops)
        assert service.backend.stops == [second]
        assert len(service.backend.launches) == 2
        service.backend.finish(second, 143)
        await workers(service, 2)


async def test_a_service_killed_between_two_launches_goes_on_with_the_same_tasks(path: Path) -> None:
    world = MemoryWorld(nodes=(rig.NODE,))

    class Breaks(MemoryBackend):
        async def launch(self, spec):  # type: ignore[no-untyped-def]
            if spec.id.endswith("-1"):
                raise BackendError("the wire is cut")
            async for checkpoint in super().launch(spec):
                yield checkpoint

    async with rig.running(path, backend=Breaks(world), backoff_seconds=60.0) as service:
        await submitted(service)
        await service.task("r1-1", "worker", 0)
        ports = [task.endpoint for task in service.ledger.tasks_of(A1)]
    backend = MemoryBackend(world)
    async with rig.running(path, backend=backend) as service:
        await workers(service)
        assert backend.launches == ["r1-1-g1-worker-1"]
        assert [task.endpoint for task in service.ledger.tasks_of(A1)] == ports
        await service.allocation("r1", AllocationState.RUNNING)


async def test_a_restart_of_the_service_charges_the_job_no_restart(path: Path) -> None:
    world = MemoryWorld(nodes=(rig.NODE,))
    async with rig.running(path, backend=MemoryBackend(world)) as service:
        await submitted(service, max_restarts=1)
        service.backend.finish((await workers(service))[0], 1)
        await workers(service, 2)
    async with rig.running(path, backend=MemoryBackend(world)) as service:
        job = service.ledger.memory.jobs[A1]
        assert (job.generation, job.restarts_used) == (2, 1)
        service.backend.finish((await workers(service, 2))[0], 1)
        assert (await service.ended("r1")).outcome == "failed"


async def test_an_end_stops_every_replica(path: Path) -> None:
    async with rig.running(path) as service:
        await submitted(service)
        names = await workers(service)
        await service.ledger.apply(Change(EndRequested(1.0, RequestId("r1")), who="ada", why="enough"))
        assert (await service.ended("r1")).outcome == "stopped"
        assert sorted(service.backend.stops) == sorted(names)


async def test_a_job_over_its_time_limit_is_stopped_and_failed(path: Path) -> None:
    async with rig.running(path) as service:
        await submitted(service, time_limit_seconds=60)
        await workers(service)
        await service.allocation("r1", AllocationState.RUNNING)
        service.clock.now += 61
        service.controller.look(A1)
        row = await service.ended("r1")
        assert row.outcome == "failed"
        assert "time limit of 60 s" in row.message


async def test_progress_is_read_from_the_output_as_it_grows(path: Path) -> None:
    async with rig.running(path) as service:
        await submitted(service)
        first, second = await workers(service)
        line = {"event": "progress", "epoch": 1, "of": 3, "metrics": {"loss": 0.5}}
        service.backend.write(first, f"hello\n{json.dumps(line)}\n" + '{"event": "progress", "ep')
        service.backend.write(second, '{"event": "other"}\n{"event": "progress"\n["progress"]\n')
        view = await service.controller.progress.view(RequestId("r1"), 0)
        assert [(event.task, event.index, event.data) for event in view.events] == [(first, 0, line)]
        service.backend.write(first, 'och": 2}\n')
        more = await service.controller.progress.view(RequestId("r1"), view.next_after)
        assert [event.data for event in more.events] == [{"event": "progress", "epoch": 2}]
        assert more.next_after == 2
        with pytest.raises(NotFound):
            await service.controller.progress.view(RequestId("r9"), 0)


async def test_progress_of_an_ended_job_is_still_there(path: Path) -> None:
    async with rig.running(path) as service:
        await submitted(service)
        names = await workers(service)
        for name in names:
            service.backend.write(name, '{"event": "progress", "epoch": 1}\n')
            service.backend.finish(name, 0)
        await service.ended("r1")
        view = await service.controller.progress.view(RequestId("r1"), 0)
        assert [event.task for event in view.events] == names


class CannotRun(MemoryBackend):
    """A node that has none of the programs."""

    async def launch(self, spec: TaskSpec) -> AsyncIterator[Checkpoint]:
        if spec.id.endswith("-1"):
            raise InvalidInput("there is no program 'nosuchprogram' on this node", where="argv")
        async for checkpoint in super().launch(spec):
            yield checkpoint


class CannotExec(MemoryBackend):
    """A node on which a task is gone when its launch says why."""

    async def launch(self, spec: TaskSpec) -> AsyncIterator[Checkpoint]:
        async for checkpoint in super().launch(spec):
            yield checkpoint
        self.finish(spec.id, 126, "permission denied")
        raise BackendError(f"task {spec.id}: permission denied")


async def test_a_job_that_cannot_start_fails_at_once_and_says_why(path: Path) -> None:
    async with rig.running(path, backend=CannotRun(MemoryWorld(nodes=(rig.NODE,)))) as service:
        await submitted(service)
        row = await service.ended("r1")
        assert (row.outcome, row.message) == (
            "failed", "It cannot start: argv: there is no program 'nosuchprogram' on this node",
        )  # fmt: skip
        assert service.backend.stops == ["r1-1-g1-worker-0"]  # what had been launched before
        assert not service.ledger.machine.allocations


async def test_a_job_whose_task_is_gone_before_it_ran_fails_at_once_and_says_why(path: Path) -> None:
    async with rig.running(path, backend=CannotExec(MemoryWorld(nodes=(rig.NODE,)))) as service:
        await submitted(service)
        row = await service.ended("r1")
        assert (row.outcome, row.message) == (
            "failed", "It cannot start: task r1-1-g1-worker-0: permission denied",
        )  # fmt: skip
        assert sorted(service.backend.launches) == ["r1-1-g1-worker-0", "r1-1-g1-worker-1"], "each once"


async def test_a_start_that_is_tried_again_says_why_until_it_runs(path: Path) -> None:
    async with rig.running(path, backoff_seconds=0.2) as service:
        service.backend.fail_next_launch()
        await submitted(service)

        def message() -> str | None:
            row = service.ledger.row(RequestId("r1"))
            return row.message if row is not None and row.message else None

        assert (
            await service.until(message) == "The start failed and is tried again: the node refused the task"
        )
        await service.allocation("r1", AllocationState.RUNNING)
        assert message() is None


def told(epoch: int) -> str:
    return json.dumps({"event": "progress", "epoch": epoch}) + "\n"


class KeepsTheEnd(MemoryBackend):
    """A backend that keeps the end of a long output, as the local one does."""

    first = 0

    async def logs(self, task_id: TaskId, offset: int = 0, limit: int = 65536) -> LogChunk:
        chunk = await super().logs(task_id, max(offset, self.first), limit)
        return replace(chunk, text=f"[dropped]\n{chunk.text}") if offset < self.first else chunk


async def test_progress_goes_on_where_the_beginning_of_the_output_was_dropped(path: Path) -> None:
    backend = KeepsTheEnd(MemoryWorld(nodes=(rig.NODE,)))
    async with rig.running(path, backend=backend) as service:
        await submitted(service)
        first, _ = await workers(service)
        backend.write(first, told(1) + told(2) + told(3))
        backend.first = len(told(1)) + 5  # in the middle of the second line
        view = await service.controller.progress.view(RequestId("r1"), 0)
        assert [event.data["epoch"] for event in view.events] == [3]
        backend.write(first, told(4))
        more = await service.controller.progress.view(RequestId("r1"), view.next_after)
        assert [event.data["epoch"] for event in more.events] == [4]


async def test_only_the_newest_events_are_kept_and_their_numbers_stay(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyterhub_mesos.service.progress.MAX_KEPT", 3)
    async with rig.running(path) as service:
        await submitted(service)
        first, _ = await workers(service)
        service.backend.write(first, "".join(map(told, range(5))))
        view = await service.controller.progress.view(RequestId("r1"), 0)
        assert ([event.data["epoch"] for event in view.events], view.next_after) == ([2, 3, 4], 5)
        late = await service.controller.progress.view(RequestId("r1"), 4)
        assert [event.data["epoch"] for event in late.events] == [4]


async def test_a_line_without_an_end_is_not_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyterhub_mesos.service.progress.MAX_LINE", 100)
    async with rig.running(path) as service:
        await submitted(service)
        first, _ = await workers(service)
        service.backend.write(first, "{" * 101)
        assert (await service.controller.progress.view(RequestId("r1"), 0)).events == ()
        service.backend.write(first, told(1) + told(2))
        view = await service.controller.progress.view(RequestId("r1"), 0)
        assert [event.data["epoch"] for event in view.events] == [2]


async def test_of_jobs_that_are_over_a_few_are_remembered(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyterhub_mesos.service.progress.MAX_ENDED", 2)
    async with rig.running(path) as service:
        names = [f"r{number}" for number in range(1, 6)]
        for name in names:
            await service.ledger.apply(rig.training(service.ledger, name))
            for index in range(2):
                service.backend.finish(await service.task(f"{name}-1", "worker", index), 0)
            await service.ended(name)
        for name in names:
            await service.controller.progress.view(RequestId(name), 0)
        remembered: dict[str, object] = vars(service.controller.progress)["_read_so_far"]
        assert list(remembered) == names[-2:]
