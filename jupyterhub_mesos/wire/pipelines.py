"""Pipelines: a notebook's project in git, whose steps run in order, and what they say on the way."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from jupyterhub_mesos.wire.base import Name, Positive, Text, Wire

PipelineStep = Literal["train", "test", "optimise", "store", "verify", "serve"]
"""The steps in their order."""
StepState = Literal["running", "done", "skipped", "failed", "cancelled"]
"""`skipped`: its result of an earlier run stands, or the project leaves it out; `result` says which."""


class PipelinePayload(Wire):
    """One run of a pipeline: `commit` of `repository` (a path or URL as the owner sees it).

    The run is one task of its own; the training job and the model server that it asks for are its
    children in the ledger. `steps` that are left out are all of them.
    """

    kind: Literal["pipeline"] = "pipeline"
    name: Name
    repository: Annotated[str, StringConstraints(min_length=1, max_length=4096)]
    commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
    ref: Annotated[str, StringConstraints(max_length=255)] = ""
    steps: tuple[PipelineStep, ...] = ()


class StepEvent(Wire):
    """One line of a pipeline's output: where a step stands.

    It is printed as JSON on a line of its own and read as progress. `result` is a sentence for people;
    `request` the training job or model server that the step asked for; `rows` a table (the first row
    its heads), such as the optimisation's candidates.
    """

    event: Literal["step"] = "step"
    step: PipelineStep
    number: Positive
    of: Positive
    state: StepState
    result: Text = ""
    seconds: Annotated[float, Field(ge=0)] | None = None
    request: str | None = None
    rows: tuple[tuple[str, ...], ...] = ()
