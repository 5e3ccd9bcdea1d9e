"""Kills and restarts: nothing is lost, nothing is doubled, nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from backends.conftest import OpenLocal
from backends.puppet import Stage, spec
from backends.waiting import gone, launched, running, whole_log
from jupyterhub_mesos.backends.local import LocalBackend, processes
from jupyterhub_mesos.backends.local.tasklog import SEGMENT_BYTES, read_log
from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.tasks import TaskId, TaskState

MODES = ("sandbox", "shared")
OTHER_SESSION = "setsid sleep 1000 >/dev/null 2>&1 & echo started"


def marked(backend: LocalBackend, name: str) -> set[int]:
    return processes.marked(f"{backend._mark}/{name}")


@pytest.mark.parametrize("mode", MODES)
async def test_a_task_that_ended_while_the_service_was_away_is_found_with_its_exit_code(
    open_local: OpenLocal, stage: Stage, mode: str
) -> None:
    backend = await open_local(mode)
    checkpoints = await launched(backend, spec("t-1", *stage.argv("t-1")))
    shim = os.pidfd_open(int(dict(checkpoints[-1].data)["pid"]))
    await stage.arrival("t-1")
    await backend.close()
    await stage.order("t-1", "exit 9")
    await processes.ended(shim)
    os.close(shim)
    backend = await open_local(mode)
    assert (await gone(backend, "t-1")).exit_code == 9


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("is_away", [False, True], ids=["watched", "service away"])
async def test_a_killed_shim_takes_the_whole_task_with_it(
    open_local: OpenLocal, stage: Stage, mode: str, is_away: bool
) -> None:
    backend = await open_local(mode)
    checkpoints = await launched(backend, spec("t-1", *stage.argv("t-1")))
    await stage.play("t-1", OTHER_SESSION)
    pids = marked(backend, "t-1")
    if is_away:
        await backend.close()
    os.kill(int(dict(checkpoints[-1].data)["pid"]), signal.SIGKILL)
    if is_away:
        backend = await open_local(mode)
    status = await gone(backend, "t-1")
    assert (status.exit_code, status.message) == (137, "its keeper process was killed, and the task with it")
    assert pids
    assert marked(backend, "t-1") == set()


@pytest.mark.parametrize("mode", MODES)
async def test_a_killed_task_is_gone_with_all_it_started(
    open_local: OpenLocal, stage: Stage, mode: str
) -> None:
    backend = await open_local(mode)
    await launched(backend, spec("t-1", *stage.argv("t-1")))
    await stage.play("t-1", OTHER_SESSION)
    await stage.order("t-1", "kill -9 $$")
    assert (await gone(backend, "t-1")).exit_code == 137
    assert marked(backend, "t-1") == set()


@pytest.mark.parametrize("mode", MODES)
async def test_a_task_that_ends_takes_what_it_left_running_with_it(
    open_local: OpenLocal, stage: Stage, mode: str
) -> None:
    backend = await open_local(mode)
    await launched(backend, spec("t-1", *stage.argv("t-1")))
    await stage.play("t-1", OTHER_SESSION)
    await stage.order("t-1", "exit 0")
    assert (await gone(backend, "t-1")).exit_code == 0
    assert marked(backend, "t-1") == set()


@pytest.mark.parametrize("mode", MODES)
async def test_a_task_that_ignores_sigterm_is_killed_after_the_grace(
    open_local: OpenLocal, stage: Stage, mode: str
) -> None:
    backend = await open_local(mode)
    await launched(backend, spec("t-1", *stage.argv("t-1")))
    await stage.play("t-1", "trap '' TERM")
    await backend.stop(TaskId("t-1"), 0.2)
    assert (await gone(backend, "t-1")).exit_code == 137


@pytest.mark.parametrize("mode", MODES)
async def test_sigterm_reaches_the_task_which_may_end_well(
    open_local: OpenLocal, stage: Stage, mode: str
) -> None:
    backend = await open_local(mode)
    await launched(backend, spec("t-1", *stage.argv("t-1")))
    await stage.play("t-1", "trap 'echo saved >&4; exit 0' TERM")
    await backend.stop(TaskId("t-1"), 10.0)
    assert (await gone(backend, "t-1")).exit_code == 0
    assert await whole_log(backend, "t-1") == "saved\n"


async def test_the_shortest_grace_wins(open_local: OpenLocal, stage: Stage) -> None:
    backend = await open_local("shared")
    await launched(backend, spec("t-1", *stage.argv("t-1")))
    await stage.play("t-1", "trap '' TERM")
    await backend.stop(TaskId("t-1"), 1000.0)
    await backend.stop(TaskId("t-1"), 0.0)
    assert (await gone(backend, "t-1")).exit_code == 137


async def test_a_pid_that_was_given_to_another_process_is_not_taken_for_the_shim() -> None:
    started = processes.start_time(os.getpid())
    assert started is not None
    assert processes.open_pidfd(os.getpid(), started - 1) is None
    pidfd = processes.open_pidfd(os.getpid(), started)
    assert pidfd is not None
    os.close(pidfd)


async def test_a_prepared_task_is_found_again_and_can_be_launched(
    open_local: OpenLocal, stage: Stage
) -> None:
    backend = await open_local("shared")
    checkpoints = backend.launch(spec("t-1", *stage.argv("t-1")))
    await anext(aiter(checkpoints))
    await backend.close()
    backend = await open_local("shared")
    [status] = await backend.tasks()
    assert status.state is TaskState.STARTING
    await launched(backend, spec("t-1", *stage.argv("t-1")))
    await running(backend, "t-1")


async def test_a_cancelled_launch_finishes_its_step(open_local: OpenLocal, stage: Stage) -> None:
    backend = await open_local("shared")
    launch = asyncio.ensure_future(launched(backend, spec("t-1", *stage.argv("t-1"))))
    while not await backend.tasks():  # noqa: ASYNC110 - to cancel it in its very midst
        await asyncio.sleep(0)
    launch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await launch
    await launched(backend, spec("t-1", *stage.argv("t-1")))
    assert len(await backend.tasks()) == 1
    await running(backend, "t-1")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"argv": ("no-such-program",)}, "there is no program 'no-such-program'"),
        (
            {"argv": ("{home}/v/bin/python",), "program_cure": "do this"},
            r"no program '.*/home/ann/v/bin/python' on the node local: do this",
        ),
        ({"argv": ()}, "nothing to run"),
        ({"workdir": "/no/such/folder"}, "there is no folder '/no/such/folder'"),
        ({"env": {"A=B": "x"}}, "no name of an environment variable"),
        ({"node": "elsewhere"}, "no node 'elsewhere'"),
    ],
)
async def test_what_cannot_run_is_refused_and_leaves_nothing(
    open_local: OpenLocal, tmp_path: Path, change: dict[str, object], said: str
) -> None:
    backend = await open_local("shared")
    with pytest.raises(InvalidInput, match=said):
        await launched(backend, replace(spec("t-1", "true"), **change))  # type: ignore[arg-type]
    assert await backend.tasks() == ()
    assert list((tmp_path / "state/local/tasks").iterdir()) == []


async def test_a_long_output_keeps_its_last_part_and_says_so(tmp_path: Path) -> None:
    (tmp_path / str(SEGMENT_BYTES)).write_text("the rest\n")
    chunk = read_log(tmp_path, 0, 1000, is_gone=True)
    assert "was dropped" in chunk.text
    assert chunk.text.endswith("the rest\n")
    assert (chunk.offset, chunk.next_offset) == (SEGMENT_BYTES, SEGMENT_BYTES + len("the rest\n"))


async def test_an_endless_output_does_not_fill_the_disk(open_local: OpenLocal, stage: Stage) -> None:
    backend = await open_local("shared")
    await launched(backend, spec("t-1", "/bin/sh", "-c", f"head -c {SEGMENT_BYTES * 3} /dev/zero; echo end"))
    await gone(backend, "t-1")
    folder = backend._tasks[TaskId("t-1")].folder.log
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 2 * SEGMENT_BYTES + 65536
    assert (await backend.logs(TaskId("t-1"), -4)).text == "end\n"


async def test_a_character_is_never_torn_in_two(tmp_path: Path) -> None:
    (tmp_path / "0").write_bytes("aé".encode())
    first = read_log(tmp_path, 0, 2, is_gone=True)
    second = read_log(tmp_path, first.next_offset, 10, is_gone=True)
    assert (first.text, second.text, second.is_complete) == ("a", "é", True)
