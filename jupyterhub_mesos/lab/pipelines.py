"""A notebook as a pipeline: what the Export dialog shows of it, and the filled-in order pushed to git."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from jupyterhub_mesos.lab.messages import PipelineForm, PipelineOrder, PipelinePushed
from jupyterhub_mesos.lab.notebooks import form_of, installed, typed
from jupyterhub_mesos.lab.problems import FieldProblem
from jupyterhub_mesos.lab.variables import guess, variables_of
from jupyterhub_mesos.pipeline.document import MODELS
from jupyterhub_mesos.pipeline.exporting import export_pipeline
from jupyterhub_mesos.pipeline.reading import TEST_PROGRAM, read_project
from jupyterhub_mesos.pipeline.repository import PIPELINES
from jupyterhub_mesos.training.cells import (
    MODEL,
    PARAMETERS,
    TEST,
    TRAIN,
    PlainCell,
    alive,
    code_cells,
    plain,
)
from jupyterhub_mesos.training.notebook import PROGRAM
from jupyterhub_mesos.wire import slug

MINIMUM_ACCURACY: Final = 0.9
"""What a model that learned anything reaches; to be changed in the dialog."""
_TAGS: Final = frozenset({PARAMETERS, TRAIN, MODEL, TEST})


def pipeline_form(path: Path, shown_as: str, missing: Collection[str] | None = None) -> PipelineForm:
    """Read a notebook for the dialog; raises `WorkloadError` where it cannot become a pipeline.

    `missing` are the modules that its kernel lacks; without it they are looked for in this server's Python.
    """
    job = form_of(path, shown_as, missing)
    project = read_project(path, {}, is_installed=installed(missing))
    cells = [plain(cell) for cell in alive(code_cells(path)) if cell.tags & _TAGS]
    model_cells = _numbers(cells, MODEL)
    name = slug(path.stem)
    variables = variables_of(cell for cell in cells if cell.cell.tags != frozenset({TEST}))
    return PipelineForm(
        job=job,
        name=name,
        remote=f"{PIPELINES}/{name}.git",
        models_remote=MODELS,
        model_cells=model_cells,
        test_cells=_numbers(cells, TEST),
        files=tuple(
            file.path for file in project.read.source.files if file.path not in {PROGRAM, TEST_PROGRAM}
        ),
        dropped=tuple(map(str, project.read.dropped)),
        variables=variables,
        roles=guess(variables, model_cells),
        minimum_accuracy=MINIMUM_ACCURACY,
    )


def _numbers(cells: list[PlainCell], tag: str) -> tuple[int, ...]:
    return tuple(cell.cell.number for cell in cells if tag in cell.cell.tags)


def pushed(path: Path, order: PipelineOrder) -> PipelinePushed:
    """Push the notebook as a project; raises what `export_pipeline` raises, and nothing is pushed then."""
    lines: list[str] = []
    done = export_pipeline(
        path,
        name=order.name,
        remote=order.remote,
        description=order.description,
        parameters=typed(path, order.parameters),
        workers=order.workers,
        resources={
            "cpu_millis": order.cpu_millis,
            "mem_mib": order.mem_mib,
            "accelerators": order.accelerators,
        },
        framework=order.framework,
        restarts=order.restarts,
        model=order.model,
        example_inputs=order.example_inputs,
        held_out=_held_out(order),
        minimum={} if order.minimum_accuracy is None else {"accuracy": order.minimum_accuracy},
        optimise=order.optimise,
        models=order.models_remote,
        serve=order.serve,
        environment=order.environment,
        is_installed=installed(order.missing if order.environment else None),
        report=lines.append,
    )
    return PipelinePushed(
        name=done.name,
        remote=done.remote,
        commit=done.commit,
        is_new=done.is_new,
        request_id=done.request_id,
        lines=tuple(lines),
    )


def _held_out(order: PipelineOrder) -> tuple[str, str] | None:
    rows, labels = order.held_out_rows, order.held_out_labels
    if (rows is None) != (labels is None):
        raise FieldProblem(
            "held-out rows are measured with their labels: name both or neither",
            field="held_out_labels" if labels is None else "held_out_rows",
        )
    return (rows, labels) if rows is not None and labels is not None else None
