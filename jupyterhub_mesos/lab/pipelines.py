"""A notebook as a pipeline: what the Export dialog shows of it, and the filled-in order pushed to git."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.lab.messages import PipelineForm, PipelineOrder, PipelinePushed
from jupyterhub_mesos.lab.notebooks import form_of, typed
from jupyterhub_mesos.lab.problems import FieldProblem
from jupyterhub_mesos.lab.variables import guess, variables_of
from jupyterhub_mesos.training.cells import PARAMETERS, SKIP, TRAIN, PlainCell, code_cells, plain
from jupyterhub_mesos.training.modules import check_importable, local_modules
from jupyterhub_mesos.wire import slug

if TYPE_CHECKING:
    from jupyterhub_mesos.pipeline import PushedPipeline

MODEL: Final = "model"
TEST: Final = "test"
REPOSITORIES: Final = "~/lake/team/pipelines"
"""A repository below it is made where there is none, and runs what is pushed under the team's quota."""
MODELS: Final = "~/lake/team/models.git"
MINIMUM_ACCURACY: Final = 0.9


def pipeline_form(path: Path, shown_as: str) -> PipelineForm:
    """Read a notebook for the dialog; raises `WorkloadError` where it cannot become a pipeline."""
    job = form_of(path, shown_as)
    cells = _cells(path)
    model_cells = _numbers(cells, MODEL)
    if not model_cells:
        raise WorkloadError(
            f"no cell of {path.name} is tagged {MODEL!r}, so a pipeline has nothing to test and store: "
            f"tag the cells that build the model from the job's checkpoint with {MODEL!r}"
        )
    for cell in cells:
        check_importable(cell.tree, path.parent, cell.cell.number)
    name = slug(path.stem)
    variables = variables_of(cell for cell in cells if TEST not in cell.cell.tags)
    return PipelineForm(
        job=job,
        name=name,
        remote=f"{REPOSITORIES}/{name}.git",
        models_remote=MODELS,
        model_cells=model_cells,
        test_cells=_numbers(cells, TEST),
        files=tuple(file.path for file in local_modules([cell.tree for cell in cells], path.parent)),
        dropped=tuple(str(line) for cell in cells for line in cell.dropped),
        variables=variables,
        roles=guess(variables, model_cells),
        minimum_accuracy=MINIMUM_ACCURACY,
    )


def _cells(path: Path) -> list[PlainCell]:
    tags = {PARAMETERS, TRAIN, MODEL, TEST}
    return [plain(cell) for cell in code_cells(path) if cell.tags & tags and SKIP not in cell.tags]


def _numbers(cells: list[PlainCell], tag: str) -> tuple[int, ...]:
    return tuple(cell.cell.number for cell in cells if tag in cell.cell.tags)


def pushed(path: Path, order: PipelineOrder) -> PipelinePushed:
    """Push the notebook as a project; raises what `export_pipeline` raises, and nothing is pushed then."""
    lines: list[str] = []
    done = _export_pipeline()(
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


def _export_pipeline() -> Callable[..., PushedPipeline]:
    """Return the function, whose packages a notebook server without Export may lack."""
    try:
        from jupyterhub_mesos.pipeline import export_pipeline  # noqa: PLC0415 - see above
    except ImportError as error:
        raise WorkloadError(
            f"this notebook server cannot make pipelines ({error}): install jupyterhub-mesos[export] in "
            "its environment"
        ) from error
    return export_pipeline


def _held_out(order: PipelineOrder) -> tuple[str, str] | None:
    rows, labels = order.held_out_rows, order.held_out_labels
    if (rows is None) != (labels is None):
        raise FieldProblem(
            "held-out rows are measured with their labels: name both or neither",
            field="held_out_labels" if labels is None else "held_out_rows",
        )
    return (rows, labels) if rows is not None and labels is not None else None
