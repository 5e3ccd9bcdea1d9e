"""torch's DDP through the whole service: a killed worker costs a generation, and nothing of the model."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from deadlines import eventually
from installation import Installation
from jupyterhub_mesos.cli.demo_probes import allocation_of, is_over, worker_process
from jupyterhub_mesos.training.run import TrainingRun
from jupyterhub_mesos.training.submit import submit, train
from jupyterhub_mesos.wire import Job
from requirements import require

NOTEBOOK = Path(__file__).parents[2] / "examples" / "digits-torch.ipynb"
JOB_SECONDS = 150.0
"""Two imports of torch on two busy cores are the most of it."""
EPOCHS = 12
LOWEST_ACCURACY = 0.93


def a_job(name: str) -> Job:
    require("torch (pip install torch==2.13.0)", find_spec("torch"))
    return train(
        NOTEBOOK,
        name=name,
        workers=2,
        framework="torch",
        resources={"cpu_millis": 1000, "mem_mib": 1024},
        parameters={"EPOCHS": EPOCHS},
        dry_run=True,
    )


def accuracies(run: TrainingRun) -> list[float]:
    metrics = [event.data["metrics"] for event in run.client.progress(run.id) if event.index == 0]
    return [float(found["accuracy"]) for found in metrics if "accuracy" in found]


def follow(cloud: Installation, run: TrainingRun) -> None:
    eventually(lambda: is_over(cloud.client("ann").request(run.id)), f"{run.id} is over", JOB_SECONDS)
    view = run.request
    assert view.outcome == "finished", f"{view.message}\n{''.join(run.logs())}"


@pytest.mark.timeout(400)
def test_a_killed_worker_resumes_and_the_accuracy_is_that_of_the_undisturbed_run(cloud: Installation) -> None:
    client = cloud.client("ann")
    undisturbed = submit(a_job("torch-undisturbed"), client=client)
    follow(cloud, undisturbed)

    disturbed = submit(a_job("torch-disturbed"), client=client)
    eventually(
        lambda: any(event.data["epoch"] >= 3 for event in client.progress(disturbed.id)),
        "a checkpoint is written",
        JOB_SECONDS,
    )
    psutil.Process(worker_process(allocation_of(disturbed.request), 1)).kill()
    follow(cloud, disturbed)

    events = list(client.progress(disturbed.id))
    assert {event.generation for event in events} == {1, 2}
    resumed = [event.data["resumed_from"] for event in events if event.data.get("resumed_from")]
    assert min(resumed) >= 3
    first, second = accuracies(undisturbed)[-1], accuracies(disturbed)[-1]
    assert first > LOWEST_ACCURACY
    assert abs(first - second) < 0.01


def test_nobody_but_their_owner_can_reach_what_the_workers_meet_at(cloud: Installation) -> None:
    """The store is a file of mode 0600 in a folder of mode 0700; gloo listens on the loopback address."""
    client = cloud.client("ann")
    run = submit(a_job("torch-listening"), client=client)
    eventually(lambda: any(client.progress(run.id)), "the workers have met", JOB_SECONDS)
    process = psutil.Process(worker_process(allocation_of(run.request), 0))
    listening = {one.laddr.ip for one in process.net_connections() if one.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}
    meetings = cloud.folder.root / "home" / "ann" / ".cache" / "jupyterhub-mesos" / "meetings"
    assert meetings.stat().st_mode & 0o077 == 0
