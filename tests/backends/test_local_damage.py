"""A full disk and damaged folders: nothing stays held for ever, and the service comes up."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import signal
from pathlib import Path

import pytest

from backends.conftest import OpenLocal
from backends.puppet import Stage, spec
from backends.waiting import gone, launched, running
from jupyterhub_mesos.backends.local import LocalBackend, leftovers, processes
from jupyterhub_mesos.backends.local import backend as backend_module
from jupyterhub_mesos.backends.local.folders import TaskFolder
from jupyterhub_mesos.tasks import TaskId
from jupyterhub_mesos_quota.model import AllocationId

NAME = "r-1-1-g1-notebook-0"
DAMAGES = ["", "{", "[]", "7", "{}", '{"pid": "x", "exit_code": "x", "id": 7}', "\udcff"]


def _full_disk(self: TaskFolder, name: str, value: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _left(backend: LocalBackend, folder: Path) -> set[int]:
    return processes.marked(f"{backend._mark}/{folder.name}") | processes.keepers(folder)


async def _running(open_local: OpenLocal, stage: Stage) -> tuple[LocalBackend, int, Path]:
    backend = await open_local("shared")
    checkpoints = await launched(backend, spec(NAME, *stage.argv(NAME)))
    await stage.arrival(NAME)
    return backend, int(dict(checkpoints[-1].data)["pid"]), backend._tasks[TaskId(NAME)].folder.path


async def test_a_killed_task_is_gone_on_a_full_disk(
    open_local: OpenLocal, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, shim, folder = await _running(open_local, stage)
    with monkeypatch.context() as patched:
        patched.setattr(TaskFolder, "write", _full_disk)
        os.kill(shim, signal.SIGKILL)
        assert (await gone(backend, NAME)).exit_code == 137
    await backend.close()
    backend = await open_local("shared")
    assert (await gone(backend, NAME)).exit_code == 137
    assert (folder / "exit.json").exists()


async def test_a_stop_works_on_a_full_disk(
    open_local: OpenLocal, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, _, _ = await _running(open_local, stage)
    await anext(aiter(backend.launch(spec("prepared", "true"))))
    monkeypatch.setattr(TaskFolder, "write", _full_disk)
    for name in (NAME, "prepared"):
        await backend.stop(TaskId(name), 1.0)
        await gone(backend, name)


async def test_what_is_left_is_ended_though_it_fails_at_first(
    open_local: OpenLocal, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, shim, folder = await _running(open_local, stage)
    real, failures = processes.marked, [OSError(errno.EMFILE, "too many"), OSError(errno.EMFILE, "too many")]

    def marked(mark: str) -> set[int]:
        if failures:
            raise failures.pop()
        return real(mark)

    monkeypatch.setattr(leftovers, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(processes, "marked", marked)
    os.kill(shim, signal.SIGKILL)
    assert (await gone(backend, NAME)).exit_code == 137
    assert (failures, _left(backend, folder)) == ([], set())


async def test_a_stop_watches_a_dead_task_that_nobody_watches(open_local: OpenLocal, stage: Stage) -> None:
    backend, shim, folder = await _running(open_local, stage)
    watch = backend._tasks[TaskId(NAME)].watch
    assert watch is not None
    watch.cancel()
    await asyncio.wait([watch])
    os.kill(shim, signal.SIGKILL)
    await backend.stop(TaskId(NAME), 0.0)
    assert (await gone(backend, NAME)).exit_code == 137
    assert _left(backend, folder) == set()


@pytest.mark.parametrize("text", DAMAGES)
@pytest.mark.parametrize("name", ["spec.json", "shim.json", "exit.json"])
async def test_a_damaged_folder_ends_its_task_and_not_the_service(
    open_local: OpenLocal, stage: Stage, name: str, text: str
) -> None:
    backend, _, folder = await _running(open_local, stage)
    await launched(backend, spec("well", *stage.argv("well")))
    await backend.close()
    (folder / name).write_text(text, errors="surrogateescape")
    backend = await open_local("shared")
    status = await gone(backend, NAME)
    assert status.allocation_id == AllocationId("r-1-1")
    assert "record on this node is damaged" in status.message
    assert name in status.message
    assert _left(backend, folder) == set()
    await running(backend, "well")


async def test_a_folder_without_a_spec_is_a_task_that_is_ended(open_local: OpenLocal, stage: Stage) -> None:
    backend, _, folder = await _running(open_local, stage)
    await backend.close()
    (folder / "spec.json").unlink()
    backend = await open_local("shared")
    assert "spec.json is missing" in (await gone(backend, NAME)).message
    assert _left(backend, folder) == set()


async def test_a_lock_that_no_shim_holds_keeps_only_its_own_task_down(
    open_local: OpenLocal, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend_module, "SHIM_JSON_SECONDS", 0.05)
    backend = await open_local("shared")
    await anext(aiter(backend.launch(spec(NAME, "true"))))
    folder = backend._tasks[TaskId(NAME)].folder.path
    await backend.close()
    with (folder / "lock").open("w") as stranger:
        fcntl.flock(stranger, fcntl.LOCK_EX)
        backend = await open_local("shared")
        assert "holds the lock" in (await gone(backend, NAME)).message


async def test_what_is_renamed_into_place_is_on_the_disk_before(
    open_local: OpenLocal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done: list[tuple[str, str]] = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        done.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        real_fsync(descriptor)

    def replace(source: Path, target: Path) -> None:
        done.append(("rename", target.name))
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    TaskFolder(tmp_path).write("exit.json", {})
    assert done == [("fsync", "exit.json.new-"), ("rename", "exit.json"), ("fsync", tmp_path.name)]
