"""`make demo ARGS=--exit`: the whole main job, with JupyterLab, two workers and a model server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jupyterhub_mesos.cli.demo_probes import task_processes

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(420)
def test_the_demo_goes_through_and_leaves_nothing_running(tmp_path: Path) -> None:
    demo = subprocess.run(
        [sys.executable, "-m", "jupyterhub_mesos.cli", "demo", "--exit", "--state", str(tmp_path / "state")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert demo.stdout.rstrip().endswith("make demo: the main job went through; nothing is left running.")
    assert "resumed after epoch" in demo.stdout
    assert "6/6 serve done: digits/v2 answers at" in demo.stdout
    assert task_processes(tmp_path / "state") == []
