"""A notebook as a pipeline: what the Export dialog shows of it, and the filled-in order pushed to git."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.lab.messages import PipelineForm
from jupyterhub_mesos.lab.notebooks import form_of
from jupyterhub_mesos.lab.variables import guess, variables_of
from jupyterhub_mesos.training.cells import PARAMETERS, SKIP, TRAIN, PlainCell, code_cells, plain
from jupyterhub_mesos.training.modules import check_importable, local_modules
from jupyterhub_mesos.wire import slug

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
