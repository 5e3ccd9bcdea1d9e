"""The example notebook's own train cells, as real worker processes on the real dataset."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from jupyterhub_mesos.tasks import Endpoint, TaskContext
from jupyterhub_mesos.training.generation import plan
from jupyterhub_mesos.training.notebook import read
from jupyterhub_mesos.wire import Job, Role
from jupyterhub_mesos_quota.model import AllocationId, NodeId, Placement
from jupyterhub_mesos_quota.resources import Resources

NOTEBOOK = Path(__file__).parents[2] / "examples" / "digits.ipynb"
JOB_SECONDS = 120.0
"""It takes about 7 s on two idle cores."""


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    digits = load_digits()
    path = tmp_path / "digits.npz"
    np.savez(path, images=digits.images.astype(np.float32), target=digits.target)
    return path


def start(job: Job, generation: int, folder: Path) -> list[subprocess.Popen[str]]:
    """Start a generation as the plan says, with folders where a backend would put them."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    endpoints = [Endpoint("127.0.0.1", {"peer": port}), Endpoint("127.0.0.1", {"peer": 1})]
    placements = tuple(Placement(n, NodeId("here"), Resources.of(500, 512)) for n in range(2))
    ctx = TaskContext(AllocationId("r1-1"), "ann", "vision", placements, sys.executable)
    processes: list[subprocess.Popen[str]] = []
    for spec in plan(job, ctx, generation, endpoints):
        task = folder / spec.id
        for file in spec.files:
            (task / file.path).parent.mkdir(parents=True, exist_ok=True)
            (task / file.path).write_bytes(file.content)

        def fill(text: str, task: Path = task) -> str:
            return text.replace("{task}", str(task)).replace("{home}", str(folder)).replace("{{", "{")

        env = {**os.environ, **{name: fill(value) for name, value in spec.env.items()}}
        argv = [fill(word) for word in spec.argv]
        processes.append(
            subprocess.Popen(argv, env=env, cwd=fill(spec.workdir), stdout=subprocess.PIPE, text=True)
        )
    return processes


def events(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_two_workers_pass_93_percent_and_a_killed_one_costs_one_generation(
    tmp_path: Path, dataset: Path
) -> None:
    role = Role(argv=("python", "{job}/train.py"), replicas=2)
    source = read(NOTEBOOK, {"DATA": str(dataset)})
    assert source.dropped == ()
    job = Job(name="digits", source=source.source, roles=(role,), checkpoint_uri="~/checkpoints/digits")

    first, second = start(job, 1, tmp_path)
    assert first.stdout is not None
    lines = iter(first.stdout.readline, "")
    assert any('"epoch": 4' in line for line in lines)
    second.kill()
    first.communicate(timeout=JOB_SECONDS)
    second.communicate(timeout=JOB_SECONDS)
    assert first.returncode != 0

    first, second = start(job, 2, tmp_path)
    text, _ = first.communicate(timeout=JOB_SECONDS)
    second.communicate(timeout=JOB_SECONDS)
    assert (first.returncode, second.returncode) == (0, 0)
    found = events(text)
    assert isinstance(found[0]["resumed_from"], int)
    assert found[0]["resumed_from"] >= 4
    last = found[-1]["metrics"]
    assert isinstance(last, dict)
    assert last["accuracy"] > 0.93


def test_without_its_dataset_it_says_where_that_belongs(tmp_path: Path) -> None:
    source = read(NOTEBOOK, {"DATA": str(tmp_path / "none.npz")})
    (tmp_path / "train.py").write_text(source.source.files[0].text)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "train.py")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "is not there: the dataset belongs into the lake's shared folder" in done.stderr
