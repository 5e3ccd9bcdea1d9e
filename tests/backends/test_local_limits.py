"""Memory and CPU limits, by real control groups; version 2 also by files in a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backends.conftest import OpenLocal
from backends.puppet import Stage, spec
from backends.waiting import gone, launched
from jupyterhub_mesos.backends.local import LocalBackend
from jupyterhub_mesos.backends.local.cgroups import Cgroups, probe
from jupyterhub_mesos_quota.resources import Resources
from requirements import require

EAT = "x=$(head -c 400m /dev/zero | tr '\\0' x); echo ${#x}"


def _limits(backend: LocalBackend) -> Cgroups:
    assert backend._spawning is not None
    limits = backend._spawning.cgroups
    require("control groups that may be written", os.getuid() == 0 and limits.memory and limits.cpu)
    return limits


@pytest.mark.parametrize("mode", ["sandbox", "shared"])
async def test_a_task_above_its_memory_is_killed_and_says_so(
    open_local: OpenLocal, stage: Stage, mode: str
) -> None:
    backend = await open_local(mode)
    _limits(backend)
    await launched(backend, spec("t-1", "/bin/bash", "-c", EAT.replace("{", "{{")))
    status = await gone(backend, "t-1")
    assert (status.exit_code, status.message) == (137, "killed for memory: 256 MiB were allowed")


async def test_a_part_of_a_task_killed_for_memory_is_said_when_it_ends(
    open_local: OpenLocal, stage: Stage
) -> None:
    backend = await open_local()
    _limits(backend)
    await launched(backend, spec("t-1", *stage.argv("t-1")))
    await stage.play("t-1", f"bash -c '{EAT.replace(chr(39), chr(34))}'")
    await stage.order("t-1", "exit 1")
    status = await gone(backend, "t-1")
    assert status.message == "a process of it was killed for memory: 256 MiB were allowed"


@pytest.mark.parametrize("mode", ["sandbox", "shared"])
async def test_limits_are_set_for_the_whole_task_and_removed_when_it_is_gone(
    open_local: OpenLocal, stage: Stage, mode: str
) -> None:
    backend = await open_local(mode)
    limits = _limits(backend)
    await launched(backend, spec("t-1", *stage.argv("t-1")))
    await stage.play("t-1", "setsid sleep 1000 >/dev/null 2>&1 & echo started")
    assert len(limits.members("t-1")) >= 2
    assert limits.cpu is not None
    if limits.version == 1:
        assert (limits.cpu / "t-1/cpu.cfs_quota_us").read_text().strip() == "50000"
    else:
        assert (limits.cpu / "t-1/cpu.max").read_text().split()[0] == "50000"
    await stage.order("t-1", "exit 0")
    await gone(backend, "t-1")
    assert not any(folder.exists() for folder in limits.folders("t-1"))


def test_version_2_gets_its_own_files(tmp_path: Path) -> None:
    limits = Cgroups(2, tmp_path, tmp_path)
    (tmp_path / "t-1").mkdir()
    (tmp_path / "t-1/memory.swap.max").touch()
    assert limits.create("t-1", Resources.of(cpu_millis=1500, mem_mib=512)) == (tmp_path / "t-1",)
    assert (tmp_path / "t-1/memory.max").read_text() == str(512 * 1024 * 1024)
    assert (tmp_path / "t-1/memory.swap.max").read_text() == "0"
    assert (tmp_path / "t-1/cpu.max").read_text() == "150000 100000"


def test_where_no_control_group_may_be_written_the_facts_say_so(tmp_path: Path) -> None:
    limits = probe("mark", tmp_path / "none")
    assert limits.parents == ()
    assert [(fact.holds, "not enforced" in fact.detail) for fact in limits.facts()] == [(False, True)] * 2
