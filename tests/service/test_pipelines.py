"""Pipelines: one run per allocation, its end with the failing step's words, and what it leaves behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import service_rig as rig
from jupyterhub_mesos.backends.faulty import MemoryBackend, MemoryWorld, StopHangs
from jupyterhub_mesos.pipeline import plan
from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos.tasks import TaskId
from jupyterhub_mesos.wire import PipelinePayload, ServingPayload, StepEvent
from jupyterhub_mesos_quota.events import EndRequested
from jupyterhub_mesos_quota.model import AllocationState, RequestId
from jupyterhub_mesos_quota.resources import Resources

PAYLOAD = PipelinePayload(name="digits", repository="~/lake/team/pipelines/digits.git", commit="ab" * 20)
R1 = RequestId("r1")
TINY = Resources.of(cpu_millis=100, mem_mib=64)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


async def run(service: rig.Rig, name: str = "r1") -> TaskId:
    """Submit a pipeline and wait until its task runs."""
    await service.ledger.apply(rig.asking(service.ledger, name, PAYLOAD, resources=TINY))
    return await service.task(f"{name}-1", "pipeline")


def step(name: str, number: int, state: str, **more: Any) -> str:
    said = {"step": name, "number": number, "of": 6, "state": state, **more}
    event = StepEvent.model_validate_json(json.dumps(said))
    return event.model_dump_json() + "\n"


async def test_a_pipeline_runs_once_and_its_end_is_the_request_s(path: Path) -> None:
    async with rig.running(path, api_url="http://127.0.0.1:1/services/capacity/") as service:
        task = await run(service)
        await service.allocation("r1", AllocationState.RUNNING)
        spec = service.backend.spec(task)
        assert spec.endpoint.ports == {}
        assert spec.groups == (40_001,)
        assert spec.env["CAPACITY_API_URL"] == "http://127.0.0.1:1/services/capacity/"
        assert spec.env["CAPACITY_REQUEST"] == "r1"
        service.backend.finish(task, 0)
        row = await service.ended("r1")
        assert (row.outcome, row.message) == ("finished", "")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            [
                step("train", 1, "done"),
                step("test", 2, "running"),
                step("test", 2, "failed", result="test.py, cell 9, line 3: accuracy 0.4"),
            ],
            "Step test failed: test.py, cell 9, line 3: accuracy 0.4",
        ),
        (
            [step("train", 1, "running")],
            "Step train did not end by itself: it ended with exit code 3. Run it",
        ),
        ([step("train", 1, "cancelled")], "Step train was cancelled. Run it again"),
        ([step("train", 1, "done")], "The pipeline failed after step train: it ended with exit code 3."),
        (["no step\n"], "The pipeline failed before its first step: it ended with exit code 3."),
    ],
)
async def test_a_pipeline_that_failed_says_at_which_step_and_is_not_restarted(
    path: Path, said: list[str], message: str
) -> None:
    async with rig.running(path) as service:
        task = await run(service)
        service.backend.write(task, "".join(said))
        service.backend.finish(task, 3)
        row = await service.ended("r1")
        assert row.outcome == "failed"
        assert row.message.startswith(message)
        assert service.backend.launches == [task]


async def test_steps_are_read_as_progress_and_what_is_no_step_is_output(path: Path) -> None:
    async with rig.running(path) as service:
        task = await run(service)
        lines = [
            '{"event": "progress", "epoch": 1}\n',
            step("train", 1, "running"),
            '{"event": "step", "step": "dance", "number": 1, "of": 6, "state": "running"}\n',
            '{"event": "step", "step": "train", "number": 1, "of": 6, "state": "done", "more": 1}\n',
            step("train", 1, "done", seconds=2.5, request="r2", rows=[["a", "b"], ["1", "2"]]),
        ]
        service.backend.write(task, "".join(lines))
        view = await service.controller.progress.view(R1, 0)
        assert [(event.data["step"], event.data["state"]) for event in view.events] == [
            ("train", "running"),
            ("train", "done"),
        ]
        assert view.events[1].data == json.loads(lines[4])


async def test_a_job_s_lines_about_steps_are_not_its_progress(path: Path) -> None:
    async with rig.running(path) as service:
        await service.ledger.apply(rig.training(service.ledger, "r1"))
        task = await service.task("r1-1", "worker")
        service.backend.write(task, step("train", 1, "running"))
        assert (await service.controller.progress.view(R1, 0)).events == ()


async def test_a_pipeline_that_is_stopped_has_time_to_end_its_training(path: Path) -> None:
    graces: list[float] = []

    class Notes(MemoryBackend):
        async def stop(self, task_id: TaskId, grace_seconds: float) -> None:
            graces.append(grace_seconds)
            await super().stop(task_id, grace_seconds)

    backend = Notes(MemoryWorld(nodes=(rig.NODE,)))
    async with rig.running(path, backend=backend) as service:
        await run(service)
        await service.ledger.apply(Change(EndRequested(1.0, R1)))
        row = await service.ended("r1")
        assert row.outcome == "stopped"
        assert graces == [plan.STOP_GRACE_SECONDS]


# ---- what it leaves behind ---------------------------------------------------------------------------


async def with_children(service: rig.Rig) -> TaskId:
    """A pipeline that runs, a job of its that runs, one that waits, a model server, and a stranger's job."""
    task = await run(service)
    await service.ledger.apply(rig.training(service.ledger, "runs", replicas=2, parent=R1))
    await service.task("runs-1", "worker", 1)
    model = ServingPayload(name="digits", bundle="~/models")
    await service.ledger.apply(rig.asking(service.ledger, "model", model, resources=TINY, parent=R1))
    await service.task("model-1", "server")
    await service.ledger.apply(rig.training(service.ledger, "waits", replicas=3, parent=R1))
    await service.ledger.apply(rig.training(service.ledger, "other", replicas=1))
    return task


def live(service: rig.Rig) -> set[str]:
    return {row.id for row in service.ledger.rows() if not row.request.is_ending}


async def test_the_jobs_of_a_pipeline_that_was_killed_are_ended_and_its_model_server_stays(
    path: Path,
) -> None:
    async with rig.running(path) as service:
        task = await with_children(service)
        service.backend.finish(task, 137)
        await service.ended("r1")
        runs, waits = await service.ended("runs"), await service.ended("waits")
        assert (runs.outcome, waits.message) == ("stopped", "its pipeline r1 is over")
        assert live(service) == {"model", "other"}


async def test_a_job_that_comes_in_after_its_pipeline_s_end_is_ended(path: Path) -> None:
    async with rig.running(path) as service:
        service.backend.finish(await run(service), 0)
        await service.ended("r1")
        await service.ledger.apply(rig.training(service.ledger, "late", parent=R1))
        assert (await service.ended("late")).outcome in {"stopped", None}


async def test_the_jobs_of_a_pipeline_that_ended_while_the_service_was_away_are_ended(path: Path) -> None:
    world = MemoryWorld(nodes=(rig.NODE,))
    async with rig.running(path, backend=MemoryBackend(world)) as service:
        task = await with_children(service)
    # the service is killed: the ledger still has the run as running, and the backend says otherwise
    backend = MemoryBackend(world)
    async with rig.running(path, backend=backend) as service:
        backend.finish(task, 1)
        await service.ended("runs")
        await service.ended("waits")
        assert live(service) == {"model", "other"}


async def test_the_jobs_of_a_notebook_outlive_it(path: Path) -> None:
    async with rig.running(path, backend=StopHangs()) as service:
        await service.ledger.apply(rig.notebook(service.ledger, "n1", resources=TINY))
        await service.ledger.apply(rig.training(service.ledger, "job", replicas=1, parent=RequestId("n1")))
        await service.task("job-1", "worker")
        await service.ledger.apply(Change(EndRequested(1.0, RequestId("n1"))))
        await service.ended("n1")
        await service.controller.pipelines.end_jobs_of(RequestId("n1"))
        assert live(service) == {"job"}
