"""What every backend promises, as tests: subclass `BackendContract` and give it a `subject` fixture."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

import pytest

from backends.waiting import gone, launched, running, seen, whole_log
from jupyterhub_mesos.backends.base import Backend
from jupyterhub_mesos.errors import BackendError, CapacityError, NotFound
from jupyterhub_mesos.tasks import TaskId, TaskSpec, TaskState

MANY = 20


class Subject(Protocol):
    """A backend, and a hand on what its tasks do."""

    backend: Backend

    def spec(self, name: str) -> TaskSpec:
        """A task that runs until it is told to end."""
        ...

    async def end(self, name: str, exit_code: int) -> None:
        """Let a running task end by itself."""
        ...

    async def print(self, name: str, text: str) -> None:
        """Let a running task print a line."""
        ...

    async def restart(self) -> Backend:
        """Close the backend and open a new one over the same tasks, as a restarted service does."""
        ...


class BackendContract:
    """The suite."""

    async def test_a_launch_yields_prepared_then_spawned_and_the_task_runs(self, subject: Subject) -> None:
        checkpoints = await launched(subject.backend, subject.spec("t-1"))
        assert [checkpoint.step for checkpoint in checkpoints] == ["prepared", "spawned"]
        assert {checkpoint.task_id for checkpoint in checkpoints} == {"t-1"}
        status = await running(subject.backend, "t-1")
        assert (status.allocation_id, status.exit_code) == ("r-1-1", None)

    async def test_a_second_launch_starts_nothing_and_yields_the_same(self, subject: Subject) -> None:
        spec = subject.spec("t-1")
        first = await launched(subject.backend, spec)
        assert await launched(subject.backend, spec) == first
        assert len(await subject.backend.tasks()) == 1

    async def test_a_launch_of_a_gone_task_does_not_start_it_anew(self, subject: Subject) -> None:
        spec = subject.spec("t-1")
        first = await launched(subject.backend, spec)
        await subject.end("t-1", 3)
        await gone(subject.backend, "t-1")
        assert await launched(subject.backend, spec) == first
        [status] = await subject.backend.tasks()
        assert (status.state, status.exit_code) == (TaskState.GONE, 3)

    async def test_two_launches_at_once_start_one_task(self, subject: Subject) -> None:
        spec = subject.spec("t-1")
        first, second = await asyncio.gather(launched(subject.backend, spec), launched(subject.backend, spec))
        assert first == second
        assert len(await subject.backend.tasks()) == 1

    @pytest.mark.parametrize("exit_code", [0, 3])
    async def test_an_end_is_seen_with_its_exit_code(self, subject: Subject, exit_code: int) -> None:
        await launched(subject.backend, subject.spec("t-1"))
        await subject.end("t-1", exit_code)
        assert (await gone(subject.backend, "t-1")).exit_code == exit_code

    async def test_a_stop_ends_the_task(self, subject: Subject) -> None:
        await launched(subject.backend, subject.spec("t-1"))
        await subject.backend.stop(TaskId("t-1"), 10.0)
        assert (await gone(subject.backend, "t-1")).exit_code == 128 + 15

    async def test_a_stop_of_an_unknown_or_gone_task_is_no_error(self, subject: Subject) -> None:
        await subject.backend.stop(TaskId("nobody"), 0.0)
        await launched(subject.backend, subject.spec("t-1"))
        await subject.end("t-1", 0)
        await gone(subject.backend, "t-1")
        await subject.backend.stop(TaskId("t-1"), 0.0)
        assert (await gone(subject.backend, "t-1")).exit_code == 0

    async def test_a_launch_given_up_midway_can_be_stopped(self, subject: Subject) -> None:
        async with aclosing(subject.backend.launch(subject.spec("t-1"))) as checkpoints:  # type: ignore[type-var]
            await anext(checkpoints)
        [status] = await subject.backend.tasks()
        assert status.state is TaskState.STARTING
        await subject.backend.stop(TaskId("t-1"), 0.0)
        await gone(subject.backend, "t-1")

    async def test_a_launch_given_up_midway_can_be_taken_up(self, subject: Subject) -> None:
        async with aclosing(subject.backend.launch(subject.spec("t-1"))) as checkpoints:  # type: ignore[type-var]
            await anext(checkpoints)
        await launched(subject.backend, subject.spec("t-1"))
        await running(subject.backend, "t-1")

    async def test_many_launches_at_once_all_run(self, subject: Subject) -> None:
        specs = [subject.spec(f"t-{number}") for number in range(MANY)]
        await asyncio.gather(*(launched(subject.backend, spec) for spec in specs))
        assert {status.state for status in await subject.backend.tasks()} == {TaskState.RUNNING}
        await asyncio.gather(*(subject.end(spec.id, 0) for spec in specs))
        for spec in specs:
            assert (await gone(subject.backend, spec.id)).exit_code == 0

    async def test_a_restarted_service_finds_what_runs_and_what_ended(self, subject: Subject) -> None:
        await launched(subject.backend, subject.spec("t-1"))
        await launched(subject.backend, subject.spec("t-2"))
        await subject.end("t-1", 7)
        await gone(subject.backend, "t-1")
        backend = await subject.restart()
        states = {status.id: (status.state, status.exit_code) for status in await backend.tasks()}
        assert states == {"t-1": (TaskState.GONE, 7), "t-2": (TaskState.RUNNING, None)}
        await subject.end("t-2", 5)
        assert (await gone(backend, "t-2")).exit_code == 5

    async def test_a_restarted_service_stops_what_the_one_before_started(self, subject: Subject) -> None:
        await launched(subject.backend, subject.spec("t-1"))
        backend = await subject.restart()
        await backend.stop(TaskId("t-1"), 10.0)
        await gone(backend, "t-1")

    async def test_a_new_watch_begins_with_all_that_is_known_and_ends_the_old_one(
        self, subject: Subject
    ) -> None:
        await launched(subject.backend, subject.spec("t-1"))
        old = aiter(subject.backend.watch())
        await anext(old)
        assert (await seen(subject.backend, lambda status: status.id == "t-1")).state is TaskState.RUNNING
        with pytest.raises(StopAsyncIteration):
            await anext(old)

    async def test_the_output_is_read_by_offset_and_from_the_end(self, subject: Subject) -> None:
        await launched(subject.backend, subject.spec("t-1"))
        for line in ("one", "two", "thrée"):
            await subject.print("t-1", line)
        await subject.end("t-1", 0)
        await gone(subject.backend, "t-1")
        assert await whole_log(subject.backend, "t-1") == "one\ntwo\nthrée\n"
        chunk = await subject.backend.logs(TaskId("t-1"), 4, 3)
        assert (chunk.text, chunk.offset, chunk.next_offset, chunk.is_complete) == ("two", 4, 7, False)
        last = await subject.backend.logs(TaskId("t-1"), -7)
        assert (last.text, last.is_complete) == ("thrée\n", True)

    async def test_the_output_is_not_complete_while_the_task_runs(self, subject: Subject) -> None:
        await launched(subject.backend, subject.spec("t-1"))
        assert not (await subject.backend.logs(TaskId("t-1"))).is_complete

    async def test_the_output_of_an_unknown_task_is_not_found(self, subject: Subject) -> None:
        with pytest.raises(NotFound):
            await subject.backend.logs(TaskId("nobody"))

    async def test_a_forgotten_task_is_unknown_and_its_id_is_free(self, subject: Subject) -> None:
        await launched(subject.backend, subject.spec("t-1"))
        await subject.end("t-1", 0)
        await gone(subject.backend, "t-1")
        await subject.backend.forget(TaskId("t-1"))
        await subject.backend.forget(TaskId("t-1"))
        assert await subject.backend.tasks() == ()
        await launched(subject.backend, replace(subject.spec("t-1"), team="speech"))
        await running(subject.backend, "t-1")

    async def test_a_task_that_is_not_gone_is_not_forgotten(self, subject: Subject) -> None:
        await launched(subject.backend, subject.spec("t-1"))
        with pytest.raises(BackendError, match="stop it first"):
            await subject.backend.forget(TaskId("t-1"))

    async def test_reserved_ports_differ(self, subject: Subject) -> None:
        [node, *_] = await subject.backend.capacity()
        endpoints = [await subject.backend.reserve(node.id, ("http", "peer")) for _ in range(MANY)]
        ports = [port for endpoint in endpoints for port in endpoint.ports.values()]
        assert len(set(ports)) == 2 * MANY

    async def test_a_port_on_an_unknown_node_is_refused(self, subject: Subject) -> None:
        with pytest.raises(CapacityError, match="no node 'elsewhere'"):
            await subject.backend.reserve("elsewhere", ("http",))  # type: ignore[arg-type]  # a NewType of str

    async def test_capacity_is_not_nothing_and_every_missing_fact_has_a_cure(self, subject: Subject) -> None:
        assert all(node.capacity.cpu_millis > 0 for node in await subject.backend.capacity())
        assert all(fact.cure for fact in subject.backend.facts() if not fact.holds)

    async def test_a_closed_backend_says_so(self, subject: Subject) -> None:
        await subject.backend.close()
        with pytest.raises(BackendError, match="not open"):
            await subject.backend.tasks()
