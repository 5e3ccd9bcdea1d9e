"""The real runner as the service's task: from the pushed project to the model that is served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jupyterhub_mesos.backends.registry import create_backend
from jupyterhub_mesos.client import Client
from jupyterhub_mesos.lake import Lake
from jupyterhub_mesos.pipeline import export_pipeline
from jupyterhub_mesos.service.app import Parts, RunningService, serving
from jupyterhub_mesos.service.controller import ControllerSettings
from jupyterhub_mesos.service.rows import RequestRow
from jupyterhub_mesos.wire import PipelinePayload, RequestSubmission, RequestView
from jupyterhub_mesos_quota.model import AllocationState, RequestId
from model_fixtures import bare_repository
from pipeline.notebooks import MODEL, PARAMETERS, TEST, TRAIN, Cell, write_notebook
from small_hub import SmallHub
from web_cases import people, settings_for

DEADLINE_SECONDS = 100.0
STEPS = ["train", "test", "optimise", "store", "verify", "serve"]
REPOSITORY = "~/lake/team/digits.git"
MODELS = "~/lake/team/models.git"
FOR_EVER: Cell = (f"{TRAIN[0]}\n    import signal\n    signal.pause()", "train")


@dataclass
class Installation:
    """The service over real processes and a lake; `mia` is a member of vision."""

    service: RunningService
    lake: Path
    notebooks: Path

    def push(self, *cells: Cell, **more: Any) -> str:
        """Export a notebook into the team's repository; return the commit."""
        notebook = write_notebook(self.notebooks, *cells)
        pushed = export_pipeline(
            notebook,
            remote=str(self.lake / "vision" / "digits.git"),
            models=MODELS,
            held_out=("test_images", "test_target"),
            resources={"cpu_millis": 200, "mem_mib": 512},
            report=lambda _: None,
            **more,
        )
        return pushed.commit

    async def ask(self, call: Any) -> Any:
        return await asyncio.to_thread(call, Client(self.service.url, "member"))

    async def submit(self, commit: str) -> RequestView:
        payload = PipelinePayload(name="digits", repository=REPOSITORY, commit=commit)
        view: RequestView = await self.ask(lambda client: client.submit(RequestSubmission(payload=payload)))
        return view

    async def over(self, name: str) -> RequestRow:
        ledger = self.service.ledger
        async with asyncio.timeout(DEADLINE_SECONDS):
            await ledger.until(lambda: True if ledger.row(RequestId(name)) is None else None)
        row = await ledger.find(RequestId(name))
        assert row is not None
        return row

    async def job_of(self, name: str) -> RequestRow:
        """Wait until the run's job runs."""
        ledger = self.service.ledger

        def look() -> RequestRow | None:
            for row in ledger.rows():
                found = ledger.allocation_of(row.id)
                if row.request.parent == name and found and found.state is AllocationState.RUNNING:
                    return row
            return None

        async with asyncio.timeout(DEADLINE_SECONDS):
            return await ledger.until(look)

    async def ends_of_steps(self, name: str) -> list[tuple[str, str]]:
        events = await self.ask(lambda client: list(client.progress(name)))
        last = {event.data["step"]: event.data["state"] for event in events}
        return list(last.items())

    async def output(self, name: str) -> str:
        return "".join(await self.ask(lambda client: list(client.logs(name))))


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Installation]:
    state = tmp_path / "state"
    lake = state / "lake"
    (lake / "vision").mkdir(parents=True)
    for name in ("digits.git", "models.git"):
        bare_repository(lake / "vision" / name)
    hub = SmallHub(people())
    hub.open()
    backend = create_backend("local", state, {"isolation": "shared", "cpu_millis": 8000, "mem_mib": 16384})
    parts = Parts(backend, Lake(lake), ControllerSettings(backoff_seconds=0.05))
    async with serving(settings_for(hub, state), parts) as service:
        yield Installation(service, lake, tmp_path / "notebooks")
        for status in await backend.tasks():
            await backend.stop(status.id, 0.0)
    await hub.close()


@pytest.mark.timeout(240)
async def test_a_pushed_project_goes_all_the_way_to_its_served_model_and_again_without_work(
    here: Installation,
) -> None:
    commit = here.push(PARAMETERS, TRAIN, MODEL, TEST, minimum={"accuracy": 0.9})
    first = await here.submit(commit)
    row = await here.over(first.id)
    assert row.outcome == "finished", await here.output(first.id)
    assert await here.ends_of_steps(first.id) == [(step, "done") for step in STEPS]
    children = await here.ask(lambda client: list(client.requests(parent=first.id)))
    assert sorted((child.kind, child.user, child.team) for child in children) == [
        ("serving", "mia", "vision"),
        ("training", "mia", "vision"),
    ]
    [model] = [child for child in children if child.kind == "serving"]
    assert model.allocation is not None
    assert model.allocation.state == "running", "it outlives the run"

    again = await here.submit(commit)
    assert (await here.over(again.id)).outcome == "finished"
    assert await here.ends_of_steps(again.id) == [(step, "skipped") for step in STEPS]


@pytest.mark.timeout(240)
async def test_a_run_whose_check_fails_says_cell_and_line_on_its_request(here: Installation) -> None:
    commit = here.push(PARAMETERS, TRAIN, MODEL, ("score = 0.4\nassert score > 0.9, score", "test"))
    row = await here.over((await here.submit(commit)).id)
    assert row.outcome == "failed"
    assert row.message.startswith("Step test failed: ")
    assert "cell 5, line 2" in row.message


@pytest.mark.timeout(240)
async def test_a_run_that_is_cancelled_ends_its_training_itself(here: Installation) -> None:
    view = await here.submit(here.push(PARAMETERS, FOR_EVER, MODEL, TEST))
    job = await here.job_of(view.id)
    await here.ask(lambda client: client.end(view.id))
    assert (await here.over(view.id)).outcome == "stopped"
    assert (await here.over(job.id)).outcome == "stopped"
    assert await here.ends_of_steps(view.id) == [("train", "cancelled")]
    audit = await here.service.ledger.read(lambda store: store.audit(f"{job.id}-1"))
    assert [row.who for row in audit if row.what == "running -> stopping"] == ["mia"], "not by the service"
