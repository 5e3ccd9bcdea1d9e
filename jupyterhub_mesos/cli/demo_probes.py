"""What the demo and the end-to-end tests look at: requests, processes, git, a model's answers.

Each probe raises `StepFailed` with what it saw where that is not what has to be.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
import requests
from numpy.typing import NDArray

from jupyterhub_mesos.backends.local.cgroups import CGROUP_ROOT
from jupyterhub_mesos.backends.local.processes import TASK_MARK
from jupyterhub_mesos.cli.person import Person
from jupyterhub_mesos.client import Client
from jupyterhub_mesos.errors import CapacityError
from jupyterhub_mesos.wire import AllocationView, RequestView
from jupyterhub_mesos_quota.model import AllocationState, RequestStatus, WorkloadKind

START_SECONDS: Final = 60.0
"""A granted notebook answers well within this on two busy cores."""

CALL_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.1
"""Between two looks over HTTP at something that comes about in another process."""

MODEL_NAME: Final = "digits"
MARK_DIGITS: Final = 12
"""Of the digest by which the local backend marks the tasks of its folder."""


class StepFailed(CapacityError):
    """What a step of the demo saw is not what has to be."""

    code = "step-failed"


def expect(holds: bool, sentence: str) -> None:
    """Raise `StepFailed` with `sentence` unless it holds."""
    if not holds:
        raise StepFailed(sentence)


def until(holds: Callable[[], bool], what: str) -> None:
    """Look until `holds` says yes; raise `StepFailed` at the deadline."""
    deadline = time.monotonic() + START_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise StepFailed(f"{what}: not so within {START_SECONDS:g} s")
        time.sleep(LOOK_SECONDS)


def wait_until(
    client: Client, request_id: str, what: str, holds: Callable[[RequestView], bool]
) -> RequestView:
    """Ask for a request until `holds` says yes; raise `StepFailed` with what it says at the deadline."""
    seen: list[RequestView] = []

    def look() -> bool:
        seen[:] = [client.request(request_id)]
        if is_over(seen[0]) and not holds(seen[0]):
            raise StepFailed(f"{what} did not come, {request_id} is over: {seen[0].message}")
        return holds(seen[0])

    until(look, f"{what} ({request_id})")
    return seen[0]


def is_ready(person: Person, server_name: str = "") -> bool:
    """Whether the hub takes the person's server as up and answering."""
    return person.hub_user()["servers"].get(server_name, {}).get("ready") is True


def is_running(view: RequestView) -> bool:
    """Whether the request's allocation runs."""
    return view.allocation is not None and view.allocation.state == AllocationState.RUNNING


def is_over(view: RequestView) -> bool:
    """Whether nothing will come of the request any more and nothing is held."""
    return view.status in {RequestStatus.ENDED, RequestStatus.WITHDRAWN}


def allocation_of(view: RequestView) -> AllocationView:
    """Return what the request holds; raise `StepFailed` where it holds nothing."""
    if view.allocation is None:
        raise StepFailed(f"request {view.id} holds no allocation: {view}")
    return view.allocation


def held_out(dataset: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the images (n x 64, float32 in 0..1) and labels (n,) that no worker trains on.

    The same fifth as in `examples/digits.ipynb`: every fifth image.
    """
    with np.load(dataset, allow_pickle=False) as data:
        images = (data["images"].reshape(len(data["target"]), -1) / 16.0).astype(np.float32)
        return images[::5], data["target"][::5]


def infer(session: requests.Session, url: str, images: NDArray[np.float32]) -> NDArray[np.int64]:
    """Send a batch to the model server at `url` (Open Inference Protocol v2) and return its labels (n,)."""
    url = f"{url.rstrip('/')}/v2/models/{MODEL_NAME}"
    until(lambda: session.get(f"{url}/ready", timeout=CALL_SECONDS).ok, f"the model at {url} is ready")
    model = session.get(url, timeout=CALL_SECONDS)
    expect(model.ok, f"the model server describes no model: {model.status_code} {model.text[:500]}")
    name = model.json()["inputs"][0]["name"]
    tensor = {"name": name, "shape": list(images.shape), "datatype": "FP32", "data": images.ravel().tolist()}
    answer = session.post(f"{url}/infer", json={"inputs": [tensor]}, timeout=CALL_SECONDS)
    expect(answer.ok, f"the model server answered {answer.status_code}: {answer.text[:500]}")
    return _labels(answer.json()["outputs"])


def _labels(outputs: list[dict[str, Any]]) -> NDArray[np.int64]:
    """Return the labels that a model says (scikit-learn's), or those of its highest scores (torch's)."""
    for output in outputs:
        if output["datatype"] == "INT64":
            return np.asarray(output["data"], dtype=np.int64)
    scores = np.asarray(outputs[0]["data"], dtype=np.float64).reshape(outputs[0]["shape"])
    return np.asarray(scores.argmax(axis=1), dtype=np.int64)


def worker_process(allocation: AllocationView, index: int) -> int:
    """Find the process of the job's worker `index` in the process table, by its environment."""
    running = [task for task in allocation.tasks if task.index == index and task.state == "running"]
    expect(bool(running), f"worker {index} does not run: {allocation.tasks}")
    generation = str(running[0].generation)
    for process in psutil.process_iter():
        try:
            environment, command = process.environ(), process.cmdline()
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
        wanted = {"JOB_INDEX": str(index), "JOB_GENERATION": generation}
        if wanted.items() <= environment.items() and any(word.endswith("train.py") for word in command):
            return process.pid
    raise StepFailed(f"the process of worker {index} is not in the process table")


def task_processes(state: Path, cgroup_root: Path = CGROUP_ROOT) -> list[str]:
    """Return pid and name of each process that belongs to a task of this state folder.

    By our mark in its environment, the task's folder in its command line, and the members of the
    tasks' control groups: a kernel has no folder in its command line, and a program may wipe its environment.
    """
    local = Path(os.path.realpath(state / "local"))
    mark = hashlib.sha256(str(local).encode()).hexdigest()[:MARK_DIGITS]
    grouped = _members(cgroup_root, mark)
    found: list[str] = []
    for process in psutil.process_iter():
        with suppress(psutil.AccessDenied, psutil.NoSuchProcess):
            if process.pid in grouped or _is_of(process, mark, local / "tasks"):
                found.append(f"{process.pid} {process.name()}")
    return found


def _is_of(process: psutil.Process, mark: str, folder: Path) -> bool:
    with suppress(psutil.AccessDenied):  # another account's may still be known by its command line
        if process.environ().get(TASK_MARK, "").startswith(f"{mark}/"):
            return True
    return any(f"{folder}/" in word for word in process.cmdline())


def _members(cgroup_root: Path, mark: str) -> set[int]:
    """Return the processes in the control groups of a state folder's tasks, of version 2 or 1."""
    pids: set[int] = set()
    for hierarchy in ("", "memory", "cpu"):
        for members in (cgroup_root / hierarchy / "jupyterhub-mesos" / mark).rglob("cgroup.procs"):
            with suppress(OSError):  # a group that is being removed
                pids.update(int(pid) for pid in members.read_text().split())
    return pids


def newest(client: Client, kind: WorkloadKind) -> RequestView:
    """Return the asker's newest request of a kind; raise `StepFailed` where there is none."""
    views = list(client.requests(kind=kind))
    expect(bool(views), f"there is no {kind} request")
    return views[0]


def newest_tag(repository: Path) -> str:
    """Return the newest version tag of the model in a bare repository."""
    listing = ("tag", "--list", f"{MODEL_NAME}/v*", "--sort=-version:refname")
    tags = git(repository, "-C", str(repository), *listing).split()
    expect(bool(tags), f"no version of {MODEL_NAME} was pushed to {repository}")
    return tags[0]


def git(repository: Path, *args: str) -> str:
    """Run git, trusting the one repository, which others may own; raise `StepFailed` with its words."""
    program = shutil.which("git")
    if program is None:
        raise StepFailed("git is not installed: apt-get install git")
    trust = f"safe.directory={repository}"
    done = subprocess.run([program, "-c", trust, *args], capture_output=True, text=True, check=False)
    expect(done.returncode == 0, f"git {' '.join(args)}: {done.stderr.strip()}")
    return done.stdout
