"""The frameworks whose models can be exported: each is a `Format`, found by the model's own type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import Any, Final, Protocol, cast

import numpy as np

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.export.bundle import Tensor
from jupyterhub_mesos.export.runtime import Array


class Task(StrEnum):
    """What a model is for, as far as its test goes."""

    CLASSIFICATION = "classification"  # labels, or a score per class; tested by its accuracy
    SCORE = "score"  # one score, whose sign says yes or no; tested by its accuracy
    PROBABILITY = "probability"  # one probability of yes; tested by its accuracy
    REGRESSION = "regression"  # tested by R² and the mean absolute error
    OTHER = "other"  # no measure that we know of


@dataclass(frozen=True, slots=True)
class Converted:
    """A model as ONNX; `packages` are the distributions that made it.

    `is_probability` says that the first output is between 0 and 1 by its making.
    """

    content: bytes
    packages: tuple[str, ...]
    is_probability: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """What tells what a model is for: its conversion, its answers to the rows, the truth if it is known."""

    converted: Converted
    answers: Array
    truth: Array | None


class Format(Protocol):
    """How models of one framework become ONNX, and what the original answers to the same rows."""

    @property
    def name(self) -> str:
        """The framework's name in the manifest."""
        ...

    def task(self, model: object, evidence: Evidence) -> Task:
        """Say what the model is for."""
        ...

    def convert(self, model: object, example: Array, name: str) -> Converted:
        """Convert; `example` is one row of the batch. Raises WorkloadError with the converter's words."""
        ...

    def predict(self, model: object, rows: object, outputs: tuple[Tensor, ...]) -> dict[str, Array]:
        """Ask the original; answers by output name, without those that it has no counterpart of."""
        ...


FORMATS: Final[dict[str, str]] = {
    "sklearn": "jupyterhub_mesos.export.sklearn:FORMAT",
    "torch": "jupyterhub_mesos.export.torch:FORMAT",
}
"""Where the format of each framework is: the top-level package of a model's class -> module:attribute.

Looked up on use, so that no framework is imported for another's model.
"""


def format_of(model: object) -> Format:
    """Find the format of `model`; raises WorkloadError that names what can be exported."""
    for kind in type(model).__mro__:
        place = FORMATS.get(kind.__module__.partition(".")[0])
        if place is not None:
            module, _, attribute = place.partition(":")
            return cast(Format, getattr(import_module(module), attribute))
    raise WorkloadError(
        f"a {type(model).__module__}.{type(model).__qualname__} cannot be exported; what can: models of "
        f"{', '.join(sorted(FORMATS))} (estimators and pipelines, modules)"
    )


def as_array(values: object) -> Array:
    """Read an array, a table, a list, or a tensor wherever it lies."""
    found = cast(Any, values)
    return np.asarray(found.detach().cpu() if hasattr(found, "detach") else found)


def as_rows(rows: object, what: str) -> Array:
    """Read a table of rows for ONNX: floats as float32, whole numbers as int64, text as text.

    Raises WorkloadError for mixed columns, for a single row without its batch and for no rows.
    """
    values = as_array(rows)
    if values.ndim < 2 or not len(values):
        raise WorkloadError(
            f"{what} has the shape {values.shape}; a batch of rows is needed, (rows, features): "
            "for one row pass X[:1], not X[0]"
        )
    kind = values.dtype.kind
    if kind == "f":
        return values.astype(np.float32)
    if kind in "iu":
        return values.astype(np.int64)
    if kind == "U":
        return values.astype(object)
    raise WorkloadError(
        f"{what} holds {values.dtype} values; numbers or text of one type are needed: "
        "convert the columns before the pipeline, or inside it"
    )


def as_output(values: Array, like: Array) -> Array:
    """Shape the original's answer as the converted model's: a column where that has one."""
    if like.ndim == values.ndim + 1 and like.shape[-1] == 1:
        return values.reshape(like.shape)
    return values


def row_inputs(tensors: tuple[Tensor, ...], rows: Array) -> Mapping[str, Array]:
    """Feed the model's only input; raises WorkloadError for a model with several."""
    if len(tensors) != 1:
        names = ", ".join(tensor.name for tensor in tensors)
        raise WorkloadError(f"the converted model has the inputs {names}; models with one input are exported")
    return {tensors[0].name: rows}
