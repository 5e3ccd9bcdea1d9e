"""A pipeline as a workload of the team: found in its repository, asked for, and followed to its end."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from jupyterhub_mesos.client import Client
from jupyterhub_mesos.errors import InvalidInput, WorkloadError
from jupyterhub_mesos.export.git import Git, GitError, find_remote, refs, scratch_repository
from jupyterhub_mesos.pipeline.document import FILE, read_pipeline
from jupyterhub_mesos.pipeline.rendering import BRANCH
from jupyterhub_mesos.pipeline.reporting import lines_of
from jupyterhub_mesos.pipeline.spelling import as_the_owner_sees_it
from jupyterhub_mesos.training.run import wait_for_room
from jupyterhub_mesos.wire import PipelinePayload, PipelineStep, RequestSubmission, RequestView, StepEvent

_COMMIT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Found:
    """A pipeline in a repository, at one commit."""

    name: str
    commit: str
    ref: str


def find_pipeline(repository: str, ref: str = BRANCH) -> Found:
    """Look a branch, tag or full commit of a repository up; raises `CapacityError` for what is not there."""
    remote = find_remote(repository)
    with scratch_repository(remote) as git:
        full = ref if _COMMIT.fullmatch(ref) else _full_name(git, ref)
        if full is None:
            raise WorkloadError(f"{remote} has no branch or tag {ref!r}: name one of its own with --ref")
        try:
            git.run("fetch", "--quiet", "--depth=1", "--no-tags", "origin", full)
        except GitError as error:
            raise WorkloadError(f"{remote} does not give {ref}: {error.refusal}") from error
        commit = git.run("rev-parse", "FETCH_HEAD^{commit}").strip()
        try:
            text = git.run("show", f"{commit}:{FILE}")
        except GitError as error:
            raise InvalidInput(f"{remote} has no {FILE} at {ref}, so there is nothing to run") from error
    return Found(read_pipeline(text.encode()).name, commit, full)


def _full_name(git: Git, ref: str) -> str | None:
    names = (f"refs/heads/{ref}", f"refs/tags/{ref}")
    found = refs(git, *names)
    return next((name for name in (*names, ref) if name in found), None)


def submission(
    found: Found, repository: str | Path, *, steps: Sequence[PipelineStep] = (), team: str | None = None
) -> RequestSubmission:
    """Make the request of one run."""
    payload = PipelinePayload(
        name=found.name,
        repository=as_the_owner_sees_it(repository),
        commit=found.commit,
        ref="" if _COMMIT.fullmatch(found.ref) else found.ref,
        steps=tuple(steps),
    )
    return RequestSubmission(team=team, payload=payload)


def follow(client: Client, request_id: str, report: Say) -> RequestView:
    """Report each step until the request is over; return it."""
    wait_for_room(client, request_id, report)
    for event in client.progress(request_id, follow=True):
        for line in _lines(event.data):
            report(line)
    return client.wait(request_id)


def steps_of(client: Client, request_id: str) -> list[StepEvent]:
    """Return where each step of a run stands, in their order."""
    newest: dict[str, StepEvent] = {}
    for event in client.progress(request_id):
        step = _event(event.data)
        if step is not None:
            newest[step.step] = step
    return sorted(newest.values(), key=lambda step: step.number)


def _lines(data: dict[str, object]) -> list[str]:
    step = _event(data)
    return lines_of(step) if step is not None else []


def _event(data: dict[str, object]) -> StepEvent | None:
    try:
        return StepEvent.model_validate(data, strict=False)
    except ValidationError:
        return None  # a later version's
