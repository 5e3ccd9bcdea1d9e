"""`make demo ARGS=--exit`, with and without torch: the main job, JupyterLab, workers, a pipeline."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from jupyterhub_mesos.cli.demo_probes import task_processes
from requirements import require

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("options", [(), ("--torch",)], ids=["scikit-learn", "torch"])
def test_the_demo_goes_through_and_leaves_nothing_running(tmp_path: Path, options: tuple[str, ...]) -> None:
    if options:
        require("torch and onnxscript are installed", find_spec("torch") and find_spec("onnxscript"))
    state = tmp_path / "state"
    demo = subprocess.run(
        [sys.executable, "-m", "jupyterhub_mesos.cli", "demo", "--exit", *options, "--state", str(state)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert demo.stdout.rstrip().endswith("make demo: the main job went through; nothing is left running.")
    assert "resumed after epoch" in demo.stdout
    assert "6/6 serve done: digits/v2 answers at" in demo.stdout
    assert task_processes(state) == []
