from __future__ import annotations

import pytest

from backends.contract import BackendContract
from backends.puppet import spec
from backends.waiting import gone, launched, running
from jupyterhub_mesos.backends.faulty import (
    LaunchBreaks,
    MemoryBackend,
    StatusesRepeat,
    StopHangs,
    WatchBreaks,
)
from jupyterhub_mesos.errors import BackendError
from jupyterhub_mesos.tasks import TaskId, TaskSpec, TaskState
from jupyterhub_mesos_quota.model import NodeId


class MemorySubject:
    def __init__(self) -> None:
        self.backend = MemoryBackend()

    def spec(self, name: str) -> TaskSpec:
        return spec(name, "notebook", node=NodeId("memory"))

    async def end(self, name: str, exit_code: int) -> None:
        self.backend.finish(TaskId(name), exit_code)

    async def print(self, name: str, text: str) -> None:
        self.backend.write(TaskId(name), text + "\n")

    async def restart(self) -> MemoryBackend:
        await self.backend.close()
        self.backend = MemoryBackend(self.backend.world)
        await self.backend.open()
        return self.backend


class TestMemoryBackend(BackendContract):
    @pytest.fixture
    async def subject(self) -> MemorySubject:
        subject = MemorySubject()
        await subject.backend.open()
        return subject


async def test_a_node_that_falls_silent_loses_its_task_until_it_answers() -> None:
    backend = MemoryBackend()
    await backend.open()
    await launched(backend, spec("t-1", "x"))
    backend.lose(TaskId("t-1"))
    assert backend.status(TaskId("t-1")).state is TaskState.LOST
    backend.recover(TaskId("t-1"))
    await running(backend, "t-1")


async def test_a_slow_start_runs_when_the_test_says_so() -> None:
    backend = MemoryBackend(starts_at_once=False)
    await backend.open()
    await launched(backend, spec("t-1", "x"))
    assert backend.status(TaskId("t-1")).state is TaskState.STARTING
    backend.run(TaskId("t-1"))
    await running(backend, "t-1")


@pytest.mark.parametrize(("after", "known"), [(None, 0), ("prepared", 1), ("spawned", 1)])
async def test_the_next_launch_fails_where_it_was_told_to(after: str | None, known: int) -> None:
    backend = MemoryBackend()
    await backend.open()
    backend.fail_next_launch(after)
    with pytest.raises(BackendError, match="refused"):
        await launched(backend, spec("t-1", "x"))
    assert len(await backend.tasks()) == known
    await launched(backend, spec("t-1", "x"))
    await running(backend, "t-1")


async def test_a_broken_launch_leaves_what_a_stop_ends() -> None:
    backend = LaunchBreaks()
    await backend.open()
    with pytest.raises(BackendError):
        await launched(backend, spec("t-1", "x"))
    await backend.stop(TaskId("t-1"), 0.0)
    await gone(backend, "t-1")


async def test_a_stop_that_hangs_ends_when_the_test_says_so() -> None:
    backend = StopHangs()
    await backend.open()
    await launched(backend, spec("t-1", "x"))
    await backend.stop(TaskId("t-1"), 0.0)
    assert backend.status(TaskId("t-1")).state is TaskState.RUNNING
    backend.finish(TaskId("t-1"), 137)
    assert (await gone(backend, "t-1")).exit_code == 137


async def test_a_watch_that_breaks_can_be_begun_anew() -> None:
    backend = WatchBreaks()
    await backend.open()
    await launched(backend, spec("t-1", "x"))
    for _ in range(2):
        with pytest.raises(BackendError, match="broke off"):
            assert [status.id async for status in backend.watch()] == ["t-1"]


async def test_statuses_come_twice_and_late() -> None:
    backend = StatusesRepeat()
    await backend.open()
    await launched(backend, spec("t-1", "x"))
    statuses = aiter(backend.watch())
    states = [(await anext(statuses)).state for _ in range(2)]
    backend.finish(TaskId("t-1"))
    states += [(await anext(statuses)).state for _ in range(3)]
    assert states == ["running", "running", "gone", "running", "gone"]
