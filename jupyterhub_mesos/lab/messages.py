"""What the buttons and the notebook server say to each other, beside the service's own messages.

TypeScript's types are made of these and of `jupyterhub_mesos.wire` by `npm run types` in `ui/labextension`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from jupyterhub_mesos.wire import Count, Environment, Name, Positive, Problem, Text, Wire

Framework = Literal["torch", "tensorflow", "jax", "generic"]


class ParameterField(Wire):
    """A name that a `parameters` cell sets to a plain value; `value` is spelled as people type it."""

    name: str
    kind: Literal["truth", "whole", "number", "text"]
    value: str


class TrainForm(Wire):
    """`GET capacity/notebook?path=`: what the Train dialog shows of a notebook, with its defaults."""

    path: str
    job_name: str
    workers: int
    cpu_millis: int
    mem_mib: int
    framework: Framework
    checkpoint: str
    restarts: int
    parameters: tuple[ParameterField, ...]
    train_cells: tuple[int, ...]
    files: tuple[str, ...]
    """The local modules and named files that travel."""
    dropped: tuple[str, ...]
    """Lines that only IPython understands, each with its cell and line."""
    data: tuple[str, ...]
    """What the cells name of the lake: the workers read it there."""
    notes: tuple[str, ...]
    """What is worth a second look, such as a file of the lake that is not there."""


class Choices(Wire):
    """`GET capacity/choices`: what the service lets this person choose from."""

    teams: tuple[str, ...]
    flavors: tuple[str, ...]


class TrainOrder(Wire):
    """`POST capacity/trainings`: the filled-in Train dialog. `parameters` holds only what was changed.

    `environment` and `missing` are what the kernel said (`KernelEnvironment`); without them the workers
    run in the node's own Python. `files` travel besides what the notebook itself takes along.
    """

    path: Text
    name: Name
    team: Name | None = None
    workers: Positive
    cpu_millis: Count
    mem_mib: Count
    accelerators: dict[Name, Positive] = Field(default_factory=dict)
    framework: Framework
    checkpoint: Text
    restarts: Count
    parameters: dict[str, Text] = Field(default_factory=dict)
    files: tuple[Text, ...] = ()
    environment: Environment | None = None
    missing: tuple[Text, ...] = ()


Identifier = Annotated[str, Field(min_length=1, max_length=255)]


class ExportOrder(Wire):
    """`POST capacity/exports/code`: the filled-in Export dialog; four names are variables of the kernel."""

    path: Text
    model: Identifier
    name: Text
    example_inputs: Identifier
    held_out_rows: Identifier | None = None
    held_out_labels: Identifier | None = None
    remote: Text
    description: Text = ""
    optimise: bool = True


class ServeOrder(Wire):
    """`POST capacity/servings`: serve a version that an export has pushed."""

    name: Name
    remote: Text
    ref: Text
    team: Name | None = None


class Variable(Wire):
    """A name that the cells of a pipeline set; `cell` is the last that does."""

    name: str
    cell: int


class Roles(Wire):
    """Which of a pipeline's variables is what; empty where none is."""

    model: str
    example_inputs: str
    held_out_rows: str
    held_out_labels: str


class PipelineForm(Wire):
    """`GET capacity/pipeline?path=`: a notebook as a pipeline, with the dialog's defaults."""

    job: TrainForm
    """What trains; its name and checkpoint place are the pipeline's own at each run."""
    name: str
    remote: str
    models_remote: str
    model_cells: tuple[int, ...]
    test_cells: tuple[int, ...]
    files: tuple[str, ...]
    """The local modules that any of its cells imports."""
    dropped: tuple[str, ...]
    variables: tuple[Variable, ...]
    """What the model may be made of, in the order of the cells."""
    roles: Roles
    """A guess by the names."""
    minimum_accuracy: float


class PipelineOrder(Wire):
    """`POST capacity/pipelines`: the filled-in dialog; the notebook is pushed as a project that CI/CD runs.

    Without `held_out_rows` and their labels nothing is measured, so there is no `minimum_accuracy` either.
    """

    path: Text
    name: Name
    remote: Text
    models_remote: Text
    description: Text = ""
    workers: Positive
    cpu_millis: Count
    mem_mib: Count
    accelerators: dict[Name, Positive] = Field(default_factory=dict)
    framework: Framework
    restarts: Count
    parameters: dict[str, Text] = Field(default_factory=dict)
    model: Identifier
    example_inputs: Identifier
    held_out_rows: Identifier | None = None
    held_out_labels: Identifier | None = None
    minimum_accuracy: Annotated[float, Field(ge=0, le=1)] | None = None
    optimise: bool = True
    serve: bool = True
    environment: Environment | None = None
    missing: tuple[Text, ...] = ()


class PipelinePushed(Wire):
    """The project is in `remote` as `commit`; `request_id` is the run that the push started.

    It is None where the remote's own CI runs it, and where the same stood there already (`is_new` is false).
    """

    name: str
    remote: str
    commit: str
    is_new: bool
    request_id: str | None
    lines: tuple[str, ...]
    """What was done, as `jupyterhub-mesos pipeline export` prints it."""


class RunOrder(Wire):
    """`POST capacity/runs`: run a pushed project here, under the team's quota."""

    name: Name
    remote: Text
    commit: Text


class LabProblem(Problem):
    """An error; `cell` and `line` are its place in the notebook, `field` in the dialog, where it has one."""

    cell: int | None = None
    line: int | None = None
    field: str | None = None


class KernelCode(Wire):
    """Python that the browser runs in the notebook's kernel; what it says is a `KernelSaying`."""

    code: str


# ---- what the code says in the kernel ------------------------------------------------------------


class ModelObject(Wire):
    """A variable that may be a model. `size_bytes` is None where it cannot be known quickly."""

    name: str
    type: str
    framework: str
    signature: str
    size_bytes: int | None
    is_fitted: bool
    features: int | None


class TableObject(Wire):
    """A variable that may be rows or labels."""

    name: str
    type: str
    shape: tuple[int, ...]
    dtype: str
    size_bytes: int | None


class Candidates(Wire):
    """What there is to choose from; `lacking` says what has to be installed first, or is empty."""

    say: Literal["candidates"] = "candidates"
    models: tuple[ModelObject, ...]
    tables: tuple[TableObject, ...]
    lacking: str


class KernelEnvironment(Wire):
    """Which Python the kernel runs; `missing` are modules that the notebook's cells import and it lacks."""

    say: Literal["environment"] = "environment"
    environment: Environment
    missing: tuple[str, ...]


class ExportBegan(Wire):
    """The kernel has come to it: what it ran before is done."""

    say: Literal["began"] = "began"


class ExportStep(Wire):
    """A step is done, in the words that `export` prints."""

    say: Literal["step"] = "step"
    line: str


class ExportDone(Wire):
    """The version is pushed."""

    say: Literal["done"] = "done"
    name: str
    version: int
    ref: str
    remote: str
    commit: str
    directory: str
    metrics: dict[str, float]


class ExportFailed(Wire):
    """Nothing was published; `detail` is a traceback where the error was not foreseen."""

    say: Literal["failed"] = "failed"
    sentence: str
    detail: str = ""


KernelSaying = Candidates | ExportBegan | ExportStep | ExportDone | ExportFailed
