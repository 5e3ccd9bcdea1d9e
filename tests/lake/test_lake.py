from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.lake import Lake, LakeMount, lower_local
from jupyterhub_mesos.tasks import Mount, MountMode
from requirements import require

TEAMS = ("vision", "../x", "vision/speech", "Team Ünïcode", "vision~1")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_team_gets_a_folder_that_its_group_alone_writes(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    path = lake.prepare("vision")
    assert lake.prepare("vision") == path == tmp_path / "lake/vision"
    assert (_mode(path), _mode(tmp_path / "lake/shared")) == (0o2770, 0o2775)
    if os.geteuid() == 0:
        assert path.stat().st_gid == lake.group("vision")


def test_teams_of_any_name_have_folders_and_groups_of_their_own(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    paths = {lake.prepare(team) for team in TEAMS}
    assert len(paths) == len(TEAMS)
    assert {path.parent for path in paths} == {tmp_path / "lake"}
    if os.geteuid() == 0:
        groups = {team: lake.group(team) for team in TEAMS}
        assert len(set(groups.values())) == len(TEAMS)
        assert {team: Lake(tmp_path / "lake").group(team) for team in reversed(TEAMS)} == groups


def test_no_team_takes_the_place_of_the_shared_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="may not be named 'shared'"):
        Lake(tmp_path).prepare("shared")


def test_a_task_sees_its_team_and_the_shared_folder_under_its_home(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "a lake")
    assert lake.mounts("vision", "ann") == (
        Mount(str(tmp_path / "a lake/vision"), "lake/team", MountMode.READ_WRITE),
        Mount(str(tmp_path / "a lake/shared"), "lake/shared", MountMode.READ_ONLY),
    )
    assert lake.env("vision") == {
        "LAKE_TEAM_URI": "file://{home}/lake/team",
        "LAKE_SHARED_URI": "file://{home}/lake/shared",
    }


@pytest.mark.parametrize("uri", ["s3://bucket/x", "file://host/x", "/x"])
def test_what_is_no_folder_of_this_machine_is_not_mounted(uri: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be mounted on this machine"):
        lower_local(LakeMount("vision", uri, "lake/x"))


def test_credentials_are_not_shown() -> None:
    assert "hush" not in repr(LakeMount("vision", "s3://b", "lake/b", credentials={"key": "hush"}))


def _as(uid: int, groups: tuple[int, ...], script: str) -> int:
    return subprocess.run(
        ["/bin/sh", "-c", f"umask 002; {script}"],
        user=uid,
        group=uid,
        extra_groups=groups,
        capture_output=True,
        cwd="/",
        check=False,
    ).returncode


def test_members_write_each_others_files_and_other_teams_cannot_even_list_them() -> None:
    require("root", os.geteuid() == 0)
    root = Path("/var/tmp") / f"jupyterhub-mesos-lake-{os.getpid()}"
    try:
        lake = Lake(root)
        vision, speech = lake.prepare("vision"), lake.prepare("speech")
        ann, bob, eve = 29_001, 29_002, 29_003
        assert _as(ann, lake.groups("vision"), f"mkdir {vision}/d && echo ann > {vision}/d/f") == 0
        assert _as(bob, lake.groups("vision"), f"echo bob >> {vision}/d/f") == 0
        assert (vision / "d/f").read_text() == "ann\nbob\n"
        assert _as(eve, lake.groups("speech"), f"ls {vision}") != 0
        assert _as(eve, lake.groups("speech"), f"cat {vision}/d/f") != 0
        assert _as(eve, lake.groups("speech"), f"touch {root}/shared/x") != 0
        assert _as(eve, lake.groups("speech"), f"touch {speech}/x && ls {root}/shared") == 0
    finally:
        shutil.rmtree(root)
