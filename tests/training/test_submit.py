from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fake_capacity import TOKEN, FakeCapacity, serving
from jupyterhub_mesos import client as client_module
from jupyterhub_mesos.client import Client
from jupyterhub_mesos.errors import InvalidInput, WorkloadError
from jupyterhub_mesos.training.run import TrainingRun
from jupyterhub_mesos.training.submit import own_notebook, train
from jupyterhub_mesos.wire import (
    AllocationView,
    ExplanationView,
    Job,
    LogView,
    ProgressEvent,
    ProgressView,
    RequestSubmission,
    RequestView,
    ResourcesModel,
    TaskView,
    TrainingPayload,
)
from jupyterhub_mesos_quota.model import AllocationState, RequestStatus, WorkloadKind
from jupyterhub_mesos_quota.rules import PlacementRule, Zones


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    cells = [
        {"cell_type": "code", "metadata": {"tags": [tag]}, "source": source}
        for tag, source in (("parameters", "EPOCHS = 2"), ("train", "%time\nprint(EPOCHS)"))
    ]
    path = tmp_path / "My Model.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCapacity]:
    monkeypatch.setattr(client_module, "POLL_SECONDS", 0.01)
    with serving(FakeCapacity()) as service:
        monkeypatch.setenv("CAPACITY_API_URL", service.url)
        monkeypatch.setenv("JUPYTERHUB_API_TOKEN", TOKEN)
        yield service


def view(job: Job, status: RequestStatus, **changes: Any) -> RequestView:
    base = RequestView(
        id="r1", kind=WorkloadKind.TRAINING, user="ann", team="vision", name=job.name,
        resources=ResourcesModel(), replicas=2, priority=0, submitted_at=1.0, status=status,
        page_url="/requests/r1", payload=TrainingPayload(job=job),
    )  # fmt: skip
    return base.model_copy(update=changes)


def test_a_dry_run_is_the_job_and_sends_nothing(notebook: Path) -> None:
    job = train(notebook, workers=3, framework="torch", parameters={"EPOCHS": 5}, dry_run=True)
    role = job.roles[0]
    assert (role.replicas, role.argv, job.framework) == (3, ("python", "{job}/train.py"), "torch")
    assert job.name.startswith("my-model-")
    assert job.checkpoint_uri == f"~/lake/team/checkpoints/{job.name}"
    assert "EPOCHS = 5" in job.source.files[0].text
    assert Job.model_validate_json(job.model_dump_json()) == job
    assert job.placement is None


def test_where_a_job_runs_travels_with_it(notebook: Path) -> None:
    job = train(notebook, placement={"labels": {"rack": "a"}, "zones": "one"}, dry_run=True)
    assert job.placement is not None
    assert job.placement.value() == PlacementRule.of({"rack": "a"}, Zones.ONE)
    assert train(notebook, placement=job.placement, dry_run=True).placement == job.placement


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"workers": 0}, "replicas: Input should be greater than or equal to 1"),
        ({"resources": {"cpus": 1}}, "cpus: Extra inputs are not permitted"),
        ({"resources": {"cpu_millis": 0.5}}, "cpu_millis: Input should be a valid integer"),
        ({"name": "a b"}, "name: String should match pattern"),
        ({"framework": "theano"}, "framework: Input should be 'torch'"),
        ({"restarts": -1}, "max_restarts"),
        ({"placement": {"zones": "two"}}, "zones: Input should be 'any', 'one' or 'spread'"),
    ],
)
def test_an_argument_that_does_not_hold_is_named(notebook: Path, arguments: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        train(notebook, dry_run=True, **arguments)


def test_a_kernel_knows_its_own_notebook(notebook: Path) -> None:
    assert own_notebook({"JPY_SESSION_NAME": str(notebook)}) == notebook


@pytest.mark.parametrize("env", [{}, {"JPY_SESSION_NAME": "/console/123"}])
def test_a_kernel_without_a_notebook_is_told_to_name_one(env: dict[str, str]) -> None:
    with pytest.raises(WorkloadError, match="pass its path"):
        own_notebook(env)


def progress(*epochs: int) -> ProgressView:
    events = tuple(
        ProgressEvent(
            task="t", generation=2, index=0,
            data={"event": "progress", "epoch": n, "of": 2, "resumed_from": 1, "metrics": {"loss": 1 / n}},
        )
        for n in epochs
    )  # fmt: skip
    return ProgressView(events=events, next_after=len(epochs))


def test_a_run_says_why_it_waits_then_its_progress_then_its_end(
    notebook: Path, fake: FakeCapacity, capsys: pytest.CaptureFixture[str]
) -> None:
    job = train(notebook, name="m", dry_run=True)
    why = ExplanationView(code="no-room", sentence="vision holds 3 of 3 CPU")
    queued = view(job, RequestStatus.QUEUED, explanation=why)
    ended = view(job, RequestStatus.ENDED, outcome="finished")
    fake.on("POST /requests", queued)
    fake.on("GET /requests/r1", queued, view(job, RequestStatus.ACTIVE), ended)
    fake.on("GET /requests/r1/progress?after=0", progress(1, 2))
    fake.on("GET /requests/r1/progress?after=2", ProgressView(events=(), next_after=2))
    fake.on("DELETE /requests/r1", ended)
    run = train(notebook, name="m")
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "did not travel (only IPython understands it): cell 2, line 1: %time",
        "job m is request r1: queued (/requests/r1)",
        "waits: vision holds 3 of 3 CPU (/requests/r1)",
        "generation 2, worker 0: epoch 1/2, resumed after epoch 1, loss 1",
        "generation 2, worker 0: epoch 2/2, resumed after epoch 1, loss 0.5",
        "job m is finished",
    ]
    assert (run.generation, run.metrics, run.checkpoint) == (2, {"loss": 0.5}, "~/lake/team/checkpoints/m")
    assert run.request.outcome == "finished"
    run.cancel()
    sent = RequestSubmission.model_validate_json(fake.calls[0].body)
    assert sent.payload == TrainingPayload(job=job)


def test_a_failed_run_raises_with_the_reason_and_the_end_of_the_log_that_tells_most(
    notebook: Path, fake: FakeCapacity
) -> None:
    job = train(notebook, name="m", dry_run=True)
    tasks = tuple(
        TaskView(id=f"g{g}-{i}", role="worker", index=i, generation=g, state="gone", node="n", exit_code=code)
        for g, i, code in ((1, 0, 1), (2, 0, 143), (2, 1, 1))
    )
    allocation = AllocationView(
        id="r1-1", state=AllocationState.GONE, placements=(), granted_at=1.0, borrowed=ResourcesModel(),
        tasks=tasks,
    )  # fmt: skip
    ended = view(job, RequestStatus.ENDED, outcome="failed", message="worker 1 ended", allocation=allocation)
    fake.on("GET /requests/r1", ended)
    fake.on("GET /requests/r1/progress?after=0", ProgressView(events=(), next_after=0))
    log = LogView(task="g2-1", text="Traceback\nBoom\n", offset=0, next_offset=15, is_complete=True)
    fake.on("GET /requests/r1/logs?task=g2-1&offset=0", log)
    with pytest.raises(WorkloadError, match=r"(?s)failed: worker 1 ended.*log of g2-1:.*Boom"):
        TrainingRun(Client.from_environment(), "r1", job).wait()


def test_a_refusal_of_the_service_is_raised_with_its_sentence(notebook: Path, fake: FakeCapacity) -> None:
    detail = "50 CPU asked for; team vision may hold 3: ask for 3 or raise the limit"
    fake.on("POST /requests", (422, {"title": "t", "status": 422, "detail": detail, "code": "over-limit"}))
    with pytest.raises(WorkloadError, match="team vision may hold 3"):
        train(notebook, workers=50)
