"""The demo's pipeline: pushed from the notebook's own kernel, run by the repository's hook as a workload."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from jupyterhub_mesos.cli.demo_probes import MODEL_NAME, expect, is_over, wait_until
from jupyterhub_mesos.cli.person import Output, Person
from jupyterhub_mesos.client import Client
from jupyterhub_mesos.pipeline.submitting import follow, steps_of
from jupyterhub_mesos_quota.model import WorkloadKind

_CELL: Final = """\
from jupyterhub_mesos.pipeline import export_pipeline

export_pipeline(
    {notebook!r},
    name={name!r},
    description="Handwritten digits, 8 x 8 grey values from 0 to 1 in a row of 64.",
    held_out=("test_images", "test_target"),
    minimum={{"accuracy": 0.93}},
    **{options!r},
);
"""
_PLAIN: Final = {
    "resources": {"cpu_millis": 500, "mem_mib": 512},
    "parameters": {"EPOCHS": 10},  # enough, and sooner done
}
_TORCH: Final = {"framework": "torch", "resources": {"cpu_millis": 250, "mem_mib": 768}}
"""The team's limit holds a large notebook, a server, the run itself and two such workers, and no more."""


def push_from_kernel(person: Person, notebook: str) -> list[str]:
    """Export the notebook as a pipeline in its kernel; return what the export said."""
    options = _TORCH if "torch" in notebook else _PLAIN
    source = _CELL.format(notebook=notebook, name=MODEL_NAME, options=options)
    cell = {"cell_type": "code", "source": source}
    printed: list[Output] = []
    person.run_notebook(notebook, {"cells": [cell]}, printed.append)
    return "".join(output.text for output in printed).splitlines()


def follow_to_server(client: Client, run_id: str, older: str, report: Callable[[str], None]) -> str:
    """Follow the run to its end; return its model server, once the older one is gone."""
    view = follow(client, run_id, report)
    expect(view.outcome == "finished", f"the pipeline {view.outcome}: {view.message}")
    states = {step.step: step.state for step in steps_of(client, run_id)}
    expect(list(states.values()) == ["done"] * 6, f"not every step is done: {states}")
    wait_until(client, older, "the end of the older server", is_over)
    served = [
        one.id
        for one in client.requests(kind=WorkloadKind.SERVING)
        if one.parent == run_id and not is_over(one)
    ]
    expect(len(served) == 1, f"the pipeline left {len(served)} model servers")
    return served[0]
