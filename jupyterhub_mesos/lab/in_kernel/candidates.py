"""Say which variables of a notebook may be a model, and which may be rows or labels for it."""

from __future__ import annotations

import importlib.util
import inspect
import json
import pickle
import sys
import time
from typing import Any, cast

HOMES = ("sklearn", "torch", "keras", "tensorflow", "xgboost", "lightgbm", "catboost", "flax")
METHODS = ("predict", "forward", "transform")
"""What a model is asked by, the most telling first."""
NEEDED = ("jupyterhub_mesos", "pydantic", "numpy", "onnx", "onnxruntime", "packaging")
NEEDED_FOR = {"sklearn": ("skl2onnx",), "torch": ("onnxscript",)}
EXTRA_FOR = {"torch": "torch"}
MAX_BYTES = 1 << 30
"""Counting stops here: a person only wants to see that it is large."""
MAX_SECONDS = 0.3
MAX_TEXT = 160


def answer(namespace: dict[str, Any], order: dict[str, Any]) -> None:
    """Print the candidates; the newest model that is fitted comes first."""
    named = [(name, value) for name, value in list(namespace.items()) if not name.startswith("_")]
    models = [model_of(name, value) for name, value in named if is_model(value)]
    models.reverse()
    models.sort(key=lambda model: (not model["is_fitted"], model["framework"] not in order["frameworks"]))
    tables = [table_of(name, value) for name, value in named if is_table(value)]
    say(say="candidates", models=models, tables=tables, lacking=lacking(models[:1]))


def say(**fields: Any) -> None:
    """Print one saying so that it can be told from what anybody else prints."""
    sys.stdout.write("\x1e" + json.dumps(fields) + "\n")
    sys.stdout.flush()


# ---- models ----------------------------------------------------------------------------------------


def is_model(value: Any) -> bool:
    """Look at the class only: an instance's `__getattr__` may do anything."""
    if inspect.isclass(value) or inspect.ismodule(value) or inspect.isroutine(value):
        return False
    return any(has(value, method) for method in METHODS)


def has(value: object, method: str) -> bool:
    """Say whether the class has the method."""
    return callable(getattr(value.__class__, method, None))


def model_of(name: str, value: Any) -> dict[str, Any]:
    """Describe a model."""
    return {
        "name": name,
        "type": type(value).__name__,
        "framework": framework_of(value),
        "signature": signature_of(value),
        "size_bytes": size_of(value),
        "is_fitted": is_fitted(value),
        "features": features_of(value),
    }


def framework_of(value: Any) -> str:
    """Name the package that a model's class, or one it is made from, comes from."""
    tops = [kind.__module__.partition(".")[0] for kind in type(value).__mro__]
    return next((top for top in tops if top in HOMES), tops[0])


def is_fitted(value: Any) -> bool:
    """Say whether a scikit-learn estimator was fitted, by its own convention; others count as fitted.

    A torch module without parameters is no model of anybody's: a loss, an activation.
    """
    if framework_of(value) == "torch":
        return bool(parameters_of(value))
    if framework_of(value) != "sklearn":
        return True
    steps = asked(value, "steps")
    if isinstance(steps, list) and steps:
        return is_fitted(steps[-1][1])
    return any(key.endswith("_") and not key.startswith("_") for key in getattr(value, "__dict__", {}))


def parameters_of(value: Any) -> int | None:
    """Count the numbers that a torch module learns; None for anything else."""
    if framework_of(value) != "torch" or not has(value, "parameters"):
        return None
    try:
        return sum(int(one.numel()) for one in value.parameters())
    except Exception:  # noqa: BLE001 - a lazy module's parameters have no number yet, and somebody's may raise
        return None


def features_of(value: Any) -> int | None:
    """Return how many columns a row has, where the model says it."""
    count = asked(value, "n_features_in_")
    return int(count) if count is not None else None


def signature_of(value: Any) -> str:
    """Say what goes in and what comes out, in a few words."""
    features = features_of(value)
    if features is None:
        count = parameters_of(value)
        return call_of(value) + (f", {count:,} parameters" if count else "")
    classes = asked(value, "classes_")
    if classes is not None:
        return f"{features} features → {len(classes)} classes"
    return f"{features} features → {'a number' if has(value, 'predict') else 'columns'}"


def call_of(value: Any) -> str:
    """Spell the signature of the method that the model is asked by."""
    for method in METHODS:
        if has(value, method):
            try:
                return (method + str(inspect.signature(getattr(value, method))))[:MAX_TEXT]
            except (TypeError, ValueError):
                return f"{method}(...)"
    return ""


def asked(value: Any, attribute: str) -> Any:
    """Return an attribute, or None where there is none or reading it raises."""
    try:
        return getattr(value, attribute, None)
    except Exception:  # noqa: BLE001 - anybody's property may raise anything
        return None


# ---- rows and labels -------------------------------------------------------------------------------


def is_table(value: Any) -> bool:
    """Say whether it has rows: an array, a tensor, a table, a column."""
    if inspect.isclass(value) or not hasattr(value.__class__, "shape"):
        return False
    shape = asked(value, "shape")
    if not isinstance(shape, tuple):
        return False
    numbers = cast("tuple[object, ...]", shape)
    return bool(numbers) and all(isinstance(number, int) for number in numbers)


def table_of(name: str, value: Any) -> dict[str, Any]:
    """Describe rows or labels."""
    dtype = asked(value, "dtype")
    nbytes = asked(value, "nbytes")
    return {
        "name": name,
        "type": type(value).__name__,
        "shape": list(value.shape),
        "dtype": "mixed" if dtype is None else str(dtype),
        "size_bytes": nbytes if isinstance(nbytes, int) else None,
    }


# ---- size ------------------------------------------------------------------------------------------


class TooMuch(Exception):
    """The object is larger, or takes longer, than is worth counting."""


class Counter:
    """A file that only counts; large arrays are handed to `buffer` and never copied."""

    def __init__(self) -> None:
        self.count = 0
        self.end = time.monotonic() + MAX_SECONDS

    def write(self, piece: Any) -> int:
        """Count what a file would be given."""
        self.add(len(piece))
        return len(piece)

    def buffer(self, buffer: pickle.PickleBuffer) -> None:
        """Count an array where it lies."""
        self.add(buffer.raw().nbytes)

    def add(self, count: int) -> None:
        """Add bytes; raises `TooMuch` when it is not worth to go on."""
        self.count += count
        if self.count > MAX_BYTES or time.monotonic() > self.end:
            raise TooMuch


def size_of(value: Any) -> int | None:
    """Return the size of the object with all that belongs to it, as it would be saved."""
    counter = Counter()
    try:
        pickle.Pickler(counter, protocol=5, buffer_callback=counter.buffer).dump(value)
    except Exception:  # noqa: BLE001 - anybody's object: one that cannot be saved raises anything
        return None
    return counter.count


# ---- the package -----------------------------------------------------------------------------------


def lacking(models: list[dict[str, Any]]) -> str:
    """Say what this kernel has to have before it can export; empty when it has all."""
    needed = NEEDED + tuple(more for model in models for more in NEEDED_FOR.get(model["framework"], ()))
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if not missing:
        return ""
    extra = next((EXTRA_FOR[m["framework"]] for m in models if m["framework"] in EXTRA_FOR), "export")
    return (
        f"this kernel's Python ({sys.executable}) lacks {', '.join(missing)}: run "
        f"%pip install 'jupyterhub-mesos[{extra}]' in a cell, or choose another kernel"
    )
