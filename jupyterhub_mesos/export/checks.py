"""Is the converted model valid ONNX, does it answer like the original, how good is it on held-out rows?"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

import numpy as np

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.export.bundle import Parity
from jupyterhub_mesos.export.formats import Task, as_output
from jupyterhub_mesos.export.runtime import Array
from jupyterhub_mesos.export.vectors import Comparison, compare

TOLERANCE: Final = 1e-4
"""Largest absolute difference of a probability: float32 against float64 stays two orders below it."""


def check_onnx(content: bytes) -> None:
    """Run ONNX's own checker with shape inference; raises WorkloadError with its words."""
    onnx: Any = import_module("onnx")
    try:
        onnx.checker.check_model(onnx.load_model_from_string(content), full_check=True)
    except Exception as error:  # decode, checker and inference errors share no base class below Exception
        raise WorkloadError(f"the model is not valid ONNX: {error}") from error


def check_parity(expected: Mapping[str, Array], found: Mapping[str, Array], tolerance: float) -> Parity:
    """Compare the converted model with the original; raises WorkloadError with the numbers."""
    parts = _compared(expected, found, tolerance)
    parity = _summed(expected, parts, tolerance)
    if not all(part.is_within for part in parts.values()):
        raise WorkloadError(_disparity(parity, parts))
    return parity


def parity_of(expected: Mapping[str, Array], found: Mapping[str, Array], tolerance: float) -> Parity:
    """Compare a form of the model with the original, whatever comes out."""
    return _summed(expected, _compared(expected, found, tolerance), tolerance)


def _compared(
    expected: Mapping[str, Array], found: Mapping[str, Array], tolerance: float
) -> dict[str, Comparison]:
    return {
        name: compare(as_output(values, found[name]), found[name], tolerance)
        for name, values in expected.items()
    }


def _summed(expected: Mapping[str, Array], parts: Mapping[str, Comparison], tolerance: float) -> Parity:
    return Parity(
        rows=len(next(iter(expected.values()))),
        tolerance=tolerance,
        differing_labels=sum(part.differing for part in parts.values()),
        largest_difference=max(part.largest for part in parts.values()),
    )


def _disparity(parity: Parity, parts: Mapping[str, Comparison]) -> str:
    wrong = ", ".join(name for name, part in parts.items() if not part.is_within)
    return (
        f"the converted model does not answer like the original on {parity.rows} rows ({wrong}): "
        f"{parity.differing_labels} labels differ, the largest difference of a number is "
        f"{parity.largest_difference:.3g}, at most {parity.tolerance:g} is tolerated. Nothing was exported: "
        "look at steps that need double precision, or state a wider `tolerance`"
    )


def measure(task: Task, answers: Array, truth: Array) -> dict[str, float]:
    """Measure the model's answers against the truth of the held-out rows; empty where we know no measure."""
    labels = _labels(task, answers, truth)
    if labels is not None:
        return {"held_out_accuracy": int(np.count_nonzero(labels == truth)) / truth.size}
    if task is not Task.REGRESSION or answers.size != truth.size:
        return {}
    expected = truth.astype(np.float64)
    errors: Array = answers.reshape(truth.shape).astype(np.float64) - expected
    measured = {"held_out_mean_absolute_error": float(np.abs(errors).mean())}
    spread = float(np.square(expected - expected.mean()).sum())
    if spread:
        measured["held_out_r2"] = 1.0 - float(np.square(errors).sum()) / spread
    return measured


def _labels(task: Task, answers: Array, truth: Array) -> Array | None:
    """Read the labels out of a classifier's answers, in the shape of the truth."""
    if task is Task.CLASSIFICATION:
        labels: Array = answers if answers.size == truth.size else answers.argmax(axis=1)
        return labels.reshape(truth.shape)
    if task in {Task.SCORE, Task.PROBABILITY}:
        edge = 0.5 if task is Task.PROBABILITY else 0.0
        return (answers.reshape(truth.shape) > edge).astype(truth.dtype)
    return None
