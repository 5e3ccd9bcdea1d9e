"""The demo's own parts: what it takes for a process of a task, and how it makes the team's repository."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jupyterhub_mesos.backends.local import LocalBackend
from jupyterhub_mesos.backends.local.processes import TASK_MARK
from jupyterhub_mesos.cli import demo, demo_lake, demo_probes, main
from jupyterhub_mesos.cli.demo_lake import fill_lake
from jupyterhub_mesos.cli.demo_probes import task_processes


@contextmanager
def sleeper(**env: str) -> Generator[int]:
    """Run a process whose command line says nothing of a task, until the block is left."""
    code = "import sys; print(flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **env},
    )
    assert process.stdin
    assert process.stdout
    with process:
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            process.stdin.close()


def mark_of(state: Path) -> str:
    return LocalBackend(state / "local")._mark


def pids(found: list[str]) -> list[int]:
    return [int(line.split()[0]) for line in found]


def test_a_leaked_kernel_is_seen_by_its_environment(tmp_path: Path) -> None:
    with sleeper(**{TASK_MARK: f"{mark_of(tmp_path)}/r1-1-g1-notebook-0"}) as kernel, sleeper():
        assert pids(task_processes(tmp_path)) == [kernel]
        assert task_processes(tmp_path / "another") == []


def test_a_process_that_wiped_its_environment_is_seen_by_its_control_group(tmp_path: Path) -> None:
    group = tmp_path / "cgroup" / "memory" / "jupyterhub-mesos" / mark_of(tmp_path) / "r1-1-g1-notebook-0"
    group.mkdir(parents=True)
    with sleeper() as wiped:
        (group / "cgroup.procs").write_text(f"{wiped}\n")
        assert pids(task_processes(tmp_path, tmp_path / "cgroup")) == [wiped]


def test_the_teams_repository_comes_whole_and_follows_no_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, victim = tmp_path / "lake", tmp_path / "victim"
    victim.write_text("mine")
    before = victim.stat()
    real, calls = demo_probes.git, list[tuple[str, ...]]()

    def git(repository: Path, *args: str) -> str:
        calls.append(args)
        said = real(repository, *args)
        assert not (root / "vision" / "models.git").exists()
        assert repository.parent.stat().st_mode & 0o077 == 0
        (repository / "link").symlink_to(victim)
        return said

    monkeypatch.setattr(demo_lake, "git", git)
    repository = fill_lake(root)
    assert (repository / "HEAD").is_file()
    assert len(calls) == 1
    assert (victim.stat().st_gid, victim.stat().st_mode) == (before.st_gid, before.st_mode)
    assert [path.name for path in root.glob(".making-*")] == []
    assert fill_lake(root) == repository
    assert len(calls) == 1


def test_git_trusts_the_named_repository_alone(tmp_path: Path) -> None:
    said = demo_probes.git(tmp_path / "one.git", "config", "--get-all", "safe.directory")
    assert str(tmp_path / "one.git") in said.split()
    assert "*" not in said.split()


def test_a_demo_with_torch_says_how_to_install_it_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    assert main(["demo", "--torch", "--state", str(tmp_path)]) == 2
    assert "pip install torch==2.13.0" in capsys.readouterr().err
