"""scikit-learn estimators and pipelines, by skl2onnx; the one place that touches both (they are untyped)."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import numpy as np

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.export.bundle import Tensor
from jupyterhub_mesos.export.formats import Converted, Evidence, Task
from jupyterhub_mesos.export.runtime import Array

PACKAGES: Final = ("scikit-learn", "skl2onnx", "onnx")


class SklearnFormat:
    """Classifiers (labels and probabilities), regressors, and whatever else skl2onnx converts."""

    name = "scikit-learn"

    def task(self, model: Any, evidence: Evidence) -> Task:
        """Ask the estimator, whatever it answers."""
        del evidence
        return self._task(model)

    def _task(self, model: Any) -> Task:
        base: Any = import_module("sklearn.base")
        if base.is_classifier(model):
            return Task.CLASSIFICATION
        return Task.REGRESSION if base.is_regressor(model) else Task.OTHER

    def convert(self, model: Any, example: Array, name: str) -> Converted:
        """Convert with zipmap off: probabilities as one tensor, not a list of dictionaries."""
        try:
            return Converted(
                _converted(model, example[:1], name, is_classifier=self._is_classifier(model)), PACKAGES
            )
        except Exception as error:  # the converter's errors share no base class below Exception
            raise WorkloadError(f"skl2onnx cannot convert this {type(model).__name__}: {error}") from error

    def _is_classifier(self, model: Any) -> bool:
        return self._task(model) is Task.CLASSIFICATION

    def predict(self, model: Any, rows: object, outputs: tuple[Tensor, ...]) -> dict[str, Array]:
        """Ask `predict` (or `transform`) for the first output and `predict_proba` for the second."""
        ask = model.predict if hasattr(model, "predict") else model.transform
        answers = {outputs[0].name: _typed(np.asarray(ask(rows)))}
        if len(outputs) > 1 and self._is_classifier(model) and hasattr(model, "predict_proba"):
            answers[outputs[1].name] = np.asarray(model.predict_proba(rows))
        return answers


def _converted(model: Any, example: Array, name: str, *, is_classifier: bool) -> bytes:
    skl2onnx: Any = import_module("skl2onnx")
    try:
        proto: Any = skl2onnx.to_onnx(
            model, example, options={"zipmap": False} if is_classifier else None, name=name
        )
    except NameError as error:
        if "'zipmap'" not in str(error):
            raise
        proto = skl2onnx.to_onnx(model, example, name=name)  # a classifier that has no zipmap to turn off
    content: bytes = proto.SerializeToString()
    return content


def _typed(values: Array) -> Array:
    return values.astype(object) if values.dtype.kind == "U" else values


FORMAT: Final = SklearnFormat()
