"""Small notebooks for tests, and the requests that the service would make of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jupyterhub_mesos.wire import (
    AllocationView,
    ExplanationView,
    Job,
    PipelinePayload,
    PipelineStep,
    PlacementView,
    ProgressEvent,
    RequestView,
    ResourcesModel,
    Role,
    StepEvent,
    StepState,
    TaskView,
    TrainingPayload,
    Wire,
)
from jupyterhub_mesos_quota.model import AllocationState, RequestStatus, WorkloadKind

PARAMETERS = (
    'EPOCHS = 30\nRATE: float = 0.1\nSHUFFLE = True\nDATA = "~/lake/shared/digits"\nTWICE = EPOCHS * 2'
)
TRAIN = "%time\nimport mymodel\nfor epoch in range(EPOCHS):\n    mymodel.step(RATE)"


def cell(source: str, *tags: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": f"c{abs(hash(source)) % 10**8}",
        "execution_count": None,
        "metadata": {"tags": list(tags)} if tags else {},
        "outputs": [],
        "source": source,
    }


def notebook(cells: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    return {"cells": list(cells), "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def digits_notebook() -> dict[str, Any]:
    return notebook([cell(PARAMETERS, "parameters"), cell(TRAIN, "train"), cell("1 + 1")])


PIPELINE_TRAIN = """%time
import numpy as np
rows = np.arange(40.0).reshape(20, 2)
labels = (rows[:, 0] > 20).astype(int)
test_rows, test_labels = rows[::2], labels[::2]"""
PIPELINE_MODEL = """from sklearn.linear_model import LogisticRegression
model = LogisticRegression().fit(rows, labels)"""


def pipeline_notebook(test: str = "assert model.score(test_rows, test_labels) > 0.5") -> dict[str, Any]:
    return notebook(
        [
            cell(PARAMETERS, "parameters"),
            cell(PIPELINE_TRAIN, "train"),
            cell(PIPELINE_MODEL, "model"),
            cell(test, "test"),
            cell("print('ready')"),
        ]
    )


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a notebook and the module that its cells import."""
    path.write_text(json.dumps(content))
    path.with_name("mymodel.py").write_text("def step(rate):\n    pass\n")


# ---- what the service makes of it ------------------------------------------------------------------


def training(status: RequestStatus = RequestStatus.ACTIVE, **changes: Any) -> RequestView:
    role = Role(argv=("python", "{job}/train.py"), replicas=2)
    job = Job(name="digits", roles=(role,), checkpoint_uri="~/lake/team/checkpoints/digits")
    view = RequestView(
        id="r1",
        kind=WorkloadKind.TRAINING,
        user="ann",
        team="vision",
        name="digits",
        resources=ResourcesModel(cpu_millis=1000, mem_mib=1024),
        replicas=2,
        priority=0,
        submitted_at=1.0,
        status=status,
        page_url="/services/capacity/requests/r1",
        payload=TrainingPayload(job=job),
    )
    return view.model_copy(update=changes)


def queued(position: int = 2) -> RequestView:
    explanation = ExplanationView(
        code="no-room",
        sentence="Two workers need 2 cores; 1 core is free now.",
        cure="It starts when a notebook of vision ends.",
        position=position,
        waiting=3,
    )
    return training(RequestStatus.QUEUED, explanation=explanation)


def pipeline(status: RequestStatus = RequestStatus.ACTIVE, **changes: Any) -> RequestView:
    payload = PipelinePayload(name="digits", repository="~/lake/team/pipelines/digits.git", commit="c" * 40)
    changes = {"id": "p1", "kind": WorkloadKind.PIPELINE, "replicas": 1, "payload": payload, **changes}
    return training(status, **changes)


def stepped(step: PipelineStep, state: StepState, **changes: Any) -> ProgressEvent:
    number = ("train", "test", "optimise", "store", "verify", "serve").index(step) + 1
    event = StepEvent(step=step, number=number, of=6, state=state, **changes)
    return ProgressEvent(
        task="p1-g1-pipeline-0", generation=1, index=0, data=json.loads(event.model_dump_json())
    )


def allocation(*tasks: TaskView, state: AllocationState = AllocationState.RUNNING) -> AllocationView:
    return AllocationView(
        id="a1",
        state=state,
        placements=(PlacementView(replica=0, node="here"), PlacementView(replica=1, node="here")),
        granted_at=2.0,
        started_at=3.0,
        borrowed=ResourcesModel(),
        tasks=tasks,
    )


def worker(index: int, generation: int = 1, exit_code: int | None = None) -> TaskView:
    return TaskView(
        id=f"a1-g{generation}-worker-{index}",
        role="worker",
        index=index,
        generation=generation,
        state="running" if exit_code is None else "gone",
        node="here",
        exit_code=exit_code,
    )


def said(epoch: int, index: int = 0, generation: int = 1, **metrics: float) -> ProgressEvent:
    return ProgressEvent(
        task=f"a1-g{generation}-worker-{index}",
        generation=generation,
        index=index,
        data={"event": "progress", "epoch": epoch, "of": 30, "metrics": metrics},
    )


def as_reply(message: Wire) -> dict[str, Any]:
    """Return what the browser would read of it."""
    content: dict[str, Any] = json.loads(message.model_dump_json())
    return content
