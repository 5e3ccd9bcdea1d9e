"""A pipeline as real processes: it asks the real service with the token that it was given."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyterhub_mesos.backends.base import Backend
from jupyterhub_mesos.backends.registry import create_backend
from jupyterhub_mesos.client import Client
from jupyterhub_mesos.service.app import Parts, RunningService, serving
from jupyterhub_mesos.service.controller import ControllerSettings
from jupyterhub_mesos.service.rows import RequestRow
from jupyterhub_mesos.wire import PipelinePayload, RequestSubmission, RequestView
from jupyterhub_mesos_quota.model import RequestId
from small_hub import SmallHub
from web_cases import NoLake, people, settings_for

DEADLINE_SECONDS = 60.0
RUNNER = '''#!{python} -P
"""Stands for `python -P -m jupyterhub_mesos.pipeline run`: a step that trains, and says so."""
import os, sys
from jupyterhub_mesos.client import Client
from jupyterhub_mesos.wire import Job, RequestSubmission, ResourcesModel, Restart, Role
from jupyterhub_mesos.wire import StepEvent, TrainingPayload

def say(state, **more):
    print(StepEvent(step="train", number=1, of=6, state=state, **more).model_dump_json(), flush=True)

assert sys.argv[1:5] == ["-P", "-m", "jupyterhub_mesos.pipeline", "run"], sys.argv
assert sys.argv[6] == os.path.expanduser("~/digits.git"), sys.argv
client = Client.from_environment()
role = Role(argv=("/bin/sh", "-c", "{script}"), resources=ResourcesModel(cpu_millis=100, mem_mib=64))
job = Job(name="digits", roles=(role,), restart=Restart(max_restarts=0))
child = client.submit(RequestSubmission(team=os.environ["CAPACITY_TEAM"], payload=TrainingPayload(job=job)))
assert child.parent == os.environ["CAPACITY_REQUEST"]
say("running", request=child.id)
ended = client.wait(child.id)
say("done" if ended.outcome == "finished" else "failed", request=child.id, result=ended.message)
sys.exit(0 if ended.outcome == "finished" else 1)
'''


class Rig:
    """The service over real processes; `ask` is a person's client."""

    def __init__(self, service: RunningService, backend: Backend) -> None:
        self.service = service
        self.backend = backend
        self._client = Client(service.url, "member")

    async def ask(self, call: Callable[[Client], Any]) -> Any:
        return await asyncio.to_thread(call, self._client)

    async def submit(self) -> RequestView:
        payload = PipelinePayload(name="digits", repository="~/digits.git", commit="ab" * 20)
        view: RequestView = await self.ask(lambda client: client.submit(RequestSubmission(payload=payload)))
        return view

    async def ended(self, name: str) -> RequestRow:
        ledger = self.service.ledger
        async with asyncio.timeout(DEADLINE_SECONDS):
            await ledger.until(lambda: True if ledger.row(RequestId(name)) is None else None)
        row = await ledger.find(RequestId(name))
        assert row is not None
        return row

    async def child_of(self, parent: str) -> RequestRow:
        """Wait until the run's job runs."""
        ledger = self.service.ledger

        def look() -> RequestRow | None:
            found = [row for row in ledger.rows() if row.request.parent == parent]
            allocation = ledger.allocation_of(found[0].id) if found else None
            return found[0] if allocation is not None and allocation.state == "running" else None

        async with asyncio.timeout(DEADLINE_SECONDS):
            return await ledger.until(look)

    def process(self, request_id: str) -> psutil.Process:
        """Return the process that runs for a request, by the folder that its environment names."""
        for process in psutil.process_iter():
            try:
                env = process.environ()
            except (psutil.AccessDenied, psutil.NoSuchProcess):
                continue
            if env.get("CAPACITY_REQUEST") == request_id:
                return process
        raise AssertionError(f"nothing runs for {request_id}")


@pytest.fixture
async def rig_of(tmp_path: Path) -> AsyncIterator[Callable[[str], Any]]:
    """Make the service with a runner whose training is `script`."""
    stacks: list[Any] = []
    hub = SmallHub(people())
    hub.open()

    async def make(script: str) -> Rig:
        runner = tmp_path / "runner"
        runner.write_text(RUNNER.format(python=sys.executable, script=script))
        runner.chmod(0o755)
        backend = create_backend("local", tmp_path / "state", {"isolation": "shared"})
        settings = ControllerSettings(python=str(runner), backoff_seconds=0.05)
        (tmp_path / "state").mkdir(exist_ok=True)
        context = serving(settings_for(hub, tmp_path / "state"), Parts(backend, NoLake(), settings))
        stacks.append(context)
        return Rig(await context.__aenter__(), backend)

    yield make
    for context in stacks:
        await context.__aexit__(None, None, None)
    await hub.close()


async def test_a_run_asks_the_service_for_its_training_and_tells_its_steps(
    rig_of: Callable[[str], Any],
) -> None:
    rig = await rig_of("echo trained")
    view = await rig.submit()
    row = await rig.ended(view.id)
    assert (row.outcome, row.message) == ("finished", "")
    [child] = await rig.ask(lambda client: list(client.requests(parent=view.id)))
    assert (child.kind, child.user, child.team, child.outcome) == ("training", "mia", "vision", "finished")
    events = await rig.ask(lambda client: list(client.progress(view.id)))
    assert [(event.data["state"], event.data["request"]) for event in events] == [
        ("running", child.id),
        ("done", child.id),
    ]


async def test_a_run_whose_training_fails_fails_with_its_words(rig_of: Callable[[str], Any]) -> None:
    rig = await rig_of("exit 7")
    row = await rig.ended((await rig.submit()).id)
    assert row.outcome == "failed"
    assert row.message.startswith("Step train failed: generation 1: worker 0 ended with exit code 7")


async def test_a_run_that_is_killed_leaves_no_training_behind(rig_of: Callable[[str], Any]) -> None:
    rig = await rig_of("exec sleep 600")
    view = await rig.submit()
    child = await rig.child_of(view.id)
    os.kill(rig.process(view.id).pid, signal.SIGKILL)
    row = await rig.ended(view.id)
    assert row.message.startswith(
        "Step train did not end by itself: it was ended by signal 9 (exit code 137)."
    )
    assert (await rig.ended(child.id)).outcome == "stopped"
    assert {status.state for status in await rig.backend.tasks()} == {"gone"}
