"""`serve`: the stored version as a model server of the team; the one before ends once the new one answers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from jupyterhub_mesos.client import Client, is_over
from jupyterhub_mesos.errors import NotFound, Unavailable, WorkloadError
from jupyterhub_mesos.export.bundle import read_manifest
from jupyterhub_mesos.export.runtime import Array
from jupyterhub_mesos.export.vectors import Comparison, replay
from jupyterhub_mesos.pipeline.context import Run
from jupyterhub_mesos.pipeline.reporting import Outcome
from jupyterhub_mesos.pipeline.state import ServerRecord, StoredRecord
from jupyterhub_mesos.pipeline.storing_steps import VERIFIED, stored_of
from jupyterhub_mesos.serving.asking import read_answer, write_request
from jupyterhub_mesos.training.run import wait_for_room
from jupyterhub_mesos.wire import PipelineStep, RequestSubmission, RequestView, ServingPayload
from jupyterhub_mesos_quota.model import AllocationState, RequestStatus, WorkloadKind

READY_SECONDS: Final = 120.0
"""From the grant until the model answers; a server of ours takes about two seconds."""
LOOK_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Serve:
    """The step."""

    name: PipelineStep = "serve"

    def left_out(self, run: Run) -> str:
        """Say that the project does not want it."""
        return "" if run.project.pipeline.serve.enabled else "serve.enabled is false"

    def depends_on(self, run: Run) -> tuple[object, ...]:
        """Return what the server is given."""
        return (run.project.pipeline.serve,)

    def is_intact(self, run: Run) -> bool:
        """Whether the server is still there: one that somebody ended is started again."""
        record = run.state.state.server
        return record is not None and _is_live(run.client(), record.request)

    def take(self, run: Run, inputs: str) -> Outcome:
        """Start the server, or go on with an earlier run's; wait until it answers as it should."""
        client, stored = run.client(), stored_of(run)
        request_id = _found(run, client, inputs) or _submitted(run, client, stored, inputs)
        view = _placed(run, client, request_id)
        if view.status is RequestStatus.QUEUED:
            return _queued(view, stored)
        replayed, rows = _asked(run, client, view)
        ended = [one.id for one in _older(client, view)]
        for one in ended:
            client.end(one)
            run.reporter.say(f"ended the older server {one}")
        address = client.request(view.id).url or view.page_url
        result = (
            f"{stored.tag} answers at {address}: {rows} test rows, largest difference {replayed.largest:.3g}"
        )
        return Outcome(result, output=view.id, request=view.id)


def _is_live(client: Client, request_id: str) -> bool:
    try:
        return not is_over(client.request(request_id))
    except NotFound:
        return False


# ---- the request -------------------------------------------------------------------------------------


def _found(run: Run, client: Client, inputs: str) -> str | None:
    record = run.state.state.server
    if run.is_again or record is None or record.inputs != inputs or not _is_live(client, record.request):
        return None
    run.reporter.say(f"goes on with request {record.request}")
    return record.request


def _submitted(run: Run, client: Client, stored: StoredRecord, inputs: str) -> str:
    payload = ServingPayload(name=run.project.pipeline.name, bundle=stored.repository, ref=stored.tag)
    resources = run.project.pipeline.serve.resources
    with run.signals.held():  # sent and noted, whenever a signal comes
        view = client.submit(RequestSubmission(team=run.team, payload=payload, resources=resources))
        run.state.change(server=ServerRecord(inputs=inputs, request=view.id))
    run.reporter.say(f"the server of {stored.tag} is request {view.id}: {view.status} ({view.page_url})")
    return view.id


def _placed(run: Run, client: Client, request_id: str) -> RequestView:
    """Wait until the server has room, or for as long as the project says."""
    wait_seconds = run.project.pipeline.serve.wait_seconds
    try:
        return wait_for_room(client, request_id, run.reporter.say, seconds=wait_seconds)
    except Unavailable:
        view = client.request(request_id)
        if view.status is not RequestStatus.QUEUED:
            raise
        return view


def _queued(view: RequestView, stored: StoredRecord) -> Outcome:
    explained = view.explanation
    position = f", position {explained.position} of {explained.waiting}" if explained else ""
    reason = f": {explained.sentence}" if explained else ""
    result = (
        f"{stored.tag} waits in the queue{position}{reason}. It starts by itself when there is room; an "
        f"older server goes on and is to be ended by hand ({view.page_url})"
    )
    return Outcome(result, output=view.id, request=view.id)


# ---- its answers --------------------------------------------------------------------------------------


def _asked(run: Run, client: Client, view: RequestView) -> tuple[Comparison, int]:
    """Wait until the server is ready, then send the test vectors through the service's own door."""
    folder = run.work / VERIFIED
    manifest = read_manifest(folder)
    _until_ready(client, view.id)
    rows = 0

    def answer(inputs: Mapping[str, Array], wanted: tuple[str, ...]) -> Mapping[str, Array]:
        nonlocal rows
        rows = max(len(values) for values in inputs.values())
        body = write_request(inputs, manifest.inputs, wanted)
        return read_answer(client.model_call(view.id, f"v2/models/{manifest.name}/infer", body), wanted)

    replayed = replay(folder, answer, manifest.parity.tolerance)
    if not replayed.is_within:
        raise WorkloadError(
            f"the server {view.id} does not answer as {manifest.tag} should: {replayed.differing} labels "
            f"differ, the largest difference is {replayed.largest:.3g}; "
            f"at most {manifest.parity.tolerance:g} may be"
        )
    return replayed, rows


def _until_ready(client: Client, request_id: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        view = client.request(request_id)
        if is_over(view):
            raise WorkloadError(
                f"the server {request_id} ended before it answered: {view.message or view.outcome}; "
                f"its output stands on {view.page_url}"
            )
        is_running = view.allocation is not None and view.allocation.state is AllocationState.RUNNING
        if is_running and _is_ready(client, request_id):
            return
        if time.monotonic() > deadline:
            raise WorkloadError(
                f"the server {request_id} did not answer within {READY_SECONDS:g} s: see {view.page_url}"
            )
        time.sleep(LOOK_SECONDS)


def _is_ready(client: Client, request_id: str) -> bool:
    try:
        client.model_call(request_id, "v2/health/ready")
    except Unavailable:
        return False
    return True


def _older(client: Client, new: RequestView) -> Iterator[RequestView]:
    """Yield the live servers of the same model, owner and team that were asked for earlier."""
    for view in client.requests(kind=WorkloadKind.SERVING):
        is_same = (view.name, view.user, view.team) == (new.name, new.user, new.team)
        if is_same and view.submitted_at < new.submitted_at and not is_over(view) and not view.is_ending:
            yield view
