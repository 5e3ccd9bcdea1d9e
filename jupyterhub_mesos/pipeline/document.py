"""`pipeline.yaml`: what a pipeline's steps do; docs/reference/pipeline.md explains each key."""

from __future__ import annotations

import keyword
import math
import os
import re
import tempfile
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from jupyterhub_mesos.configuration.document import Document, read
from jupyterhub_mesos.configuration.problems import validated
from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.export.bundle import NAME_PATTERN
from jupyterhub_mesos.giturls import REFUSAL as SECRET_REFUSAL
from jupyterhub_mesos.giturls import holds_secret
from jupyterhub_mesos.wire import Positive, ResourcesModel, Text

FILE: Final = "pipeline.yaml"
MODELS: Final = "~/lake/team/models.git"
"""Where models go unless told otherwise: the team's own repository of them."""
WORKER: Final = ResourcesModel(cpu_millis=1000, mem_mib=1024)
SERVER: Final = ResourcesModel(cpu_millis=500, mem_mib=512)
DAY_SECONDS: Final = 86_400
HOUR_SECONDS: Final = 3_600


def _model_name(name: str) -> str:
    if not re.fullmatch(NAME_PATTERN, name):
        raise ValueError(
            "take small letters, digits and dashes, a letter first, at most 40 characters (price-forecast)"
        )
    return name


def _variable(name: str) -> str:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError("name a variable of the notebook")
    return name


def _not_negative(value: float) -> float:
    if not math.isfinite(value) or value < 0:
        raise ValueError("a number from 0 is due")
    return value


def _without_secret(address: str) -> str:
    if holds_secret(address):
        raise ValueError(SECRET_REFUSAL)
    return address


ModelName = Annotated[str, AfterValidator(_model_name)]
Variable = Annotated[str, AfterValidator(_variable)]
Tolerance = Annotated[float, AfterValidator(_not_negative)]
Repository = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_without_secret)]


class Part(BaseModel):
    """What every part of the file shares: strict, frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class TrainPart(Part):
    """The training job: `workers` processes with `resources` each."""

    workers: Positive = 2
    resources: ResourcesModel = WORKER
    framework: Literal["torch", "tensorflow", "jax", "generic"] = "generic"
    restarts: Annotated[int, Field(ge=0, le=100)] = 3
    time_limit_seconds: Positive = DAY_SECONDS


class ModelPart(Part):
    """Which variables of `test.py` hold the model and the rows that it is tested with."""

    variable: Variable = "model"
    example_inputs: Variable | None = None
    held_out_rows: Variable | None = None
    held_out_labels: Variable | None = None


class TestPart(Part):
    """What the model has to reach: the least value of each metric, and how close ONNX is to the original."""

    __test__ = False  # no test of pytest's

    minimum: dict[str, float] = Field(default_factory=dict)
    parity_tolerance: Tolerance | None = None
    time_limit_seconds: Positive = HOUR_SECONDS


class OptimisePart(Part):
    """Whether smaller and faster forms of the model are tried, and what accuracy one may lose."""

    enabled: bool = True
    tolerance: Tolerance = 0.01


class StorePart(Part):
    """Which repository the model's bundle is pushed to."""

    repository: Repository = MODELS


class ServePart(Part):
    """Whether the stored model is served, with what, and for how long the step waits for room."""

    enabled: bool = True
    resources: ResourcesModel = SERVER
    wait_seconds: Positive = 600


class EnvironmentPart(Part):
    """The Python that the notebook was written in; its packages stand in `requirements.lock`."""

    python: str = ""
    interpreter: Text = ""


class PipelineFile(Part):
    """The whole file."""

    version: Literal[1] = 1
    name: ModelName
    description: Text = ""
    notebook: Text = ""
    train: TrainPart = Field(default_factory=TrainPart)
    model: ModelPart = Field(default_factory=ModelPart)
    test: TestPart = Field(default_factory=TestPart)
    optimise: OptimisePart = Field(default_factory=OptimisePart)
    store: StorePart = Field(default_factory=StorePart)
    serve: ServePart = Field(default_factory=ServePart)
    files: tuple[Text, ...] = ()
    data: tuple[Text, ...] = ()
    environment: EnvironmentPart = Field(default_factory=EnvironmentPart)


def load_pipeline(folder: Path) -> PipelineFile:
    """Read the `pipeline.yaml` of a project; raise `InvalidFile` with every problem and its line."""
    path = folder / FILE
    if not path.is_file():
        raise InvalidInput(
            f"there is no {FILE} in {folder}: name the folder of a pipeline's project, as `jupyterhub-mesos "
            "pipeline export NOTEBOOK` makes one"
        )
    document = read(path)
    model = validated(document, PipelineFile)
    if model is not None:
        _note_half_held_out(document, model.model)
        _note_rows_are_missing(document, model)
        _note_unmeasured(document, model)
    document.check()
    if model is None:  # pragma: no cover  (a model that does not hold noted its problems)
        raise AssertionError(f"{path} does not hold, and nothing says why")
    return model


def read_pipeline(content: bytes) -> PipelineFile:
    """Read the bytes of a `pipeline.yaml`, as `load_pipeline` does."""
    with tempfile.TemporaryDirectory(prefix="jupyterhub-mesos-pipeline-") as folder:
        (Path(folder) / FILE).write_bytes(content)
        try:
            return load_pipeline(Path(folder))
        except InvalidInput as error:  # without the folder, which nobody knows
            raise InvalidInput(str(error).replace(f"{folder}{os.sep}", "")) from error


def _note_half_held_out(document: Document, model: ModelPart) -> None:
    if (model.held_out_rows is None) != (model.held_out_labels is None):
        missing = "held_out_labels" if model.held_out_labels is None else "held_out_rows"
        document.blame(
            ("model",), f"{missing} is missing: name the held-out rows and their labels, or neither"
        )


def _note_rows_are_missing(document: Document, pipeline: PipelineFile) -> None:
    model = pipeline.model
    if model.example_inputs is None and model.held_out_rows is None:
        document.blame(
            ("model",),
            "neither example_inputs nor held_out_rows is named, so there is no row to try the model with: "
            "name a variable that holds some",
        )


def _note_unmeasured(document: Document, pipeline: PipelineFile) -> None:
    if pipeline.test.minimum and pipeline.model.held_out_rows is None:
        document.blame(
            ("test", "minimum"),
            f"{', '.join(sorted(pipeline.test.minimum))} cannot be measured without held-out rows: name "
            "model.held_out_rows and model.held_out_labels, or leave minimum out",
        )
