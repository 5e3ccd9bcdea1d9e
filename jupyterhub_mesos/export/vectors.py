"""Test vectors: inputs with the outputs that the model gave for them, kept in the bundle and replayed.

`test-vectors.npz` holds an array per tensor, `input.NAME` and `output.NAME`; strings are kept as
fixed-width text, because numpy would pickle objects.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.export.bundle import VECTORS
from jupyterhub_mesos.export.runtime import Array, OnnxModel

MAX_ROWS: Final = 32
"""Enough to see a broken model, few enough to replay at each start of a server."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far two sets of outputs lie apart: `differing` discrete values, `largest` difference of numbers."""

    differing: int
    largest: float
    is_within: bool


def write_vectors(path: Path, inputs: Mapping[str, Array], model: OnnxModel) -> None:
    """Keep the first rows of inputs, with what the model answers to these rows alone."""
    rows = {name: values[:MAX_ROWS] for name, values in inputs.items()}
    kept = {f"input.{name}": storable(values) for name, values in rows.items()}
    kept |= {f"output.{name}": storable(values) for name, values in model.run(rows).items()}
    np.savez(path, allow_pickle=False, **kept)


def storable(values: Array) -> Array:
    """Give text a fixed width, as it is kept in files: numpy would pickle objects."""
    return values.astype(np.str_) if values.dtype == object else values


def restored(values: Array) -> Array:
    """Undo `storable`: text as onnxruntime takes it."""
    return values.astype(object) if values.dtype.kind == "U" else values


Answerer = Callable[[Mapping[str, Array], tuple[str, ...]], Mapping[str, Array]]
"""Takes inputs by name and which outputs are wanted; returns these."""


def replay(directory: Path, run: Answerer, tolerance: float) -> Comparison:
    """Send the bundle's test vectors through `run`; raises WorkloadError where they cannot be read."""
    inputs, expected = _read_vectors(directory / VECTORS)
    found = run(inputs, tuple(expected))
    parts = [compare(expected[name], found[name], tolerance) for name in expected]
    return Comparison(
        differing=sum(part.differing for part in parts),
        largest=max((part.largest for part in parts), default=0.0),
        is_within=all(part.is_within for part in parts),
    )


def _read_vectors(path: Path) -> tuple[dict[str, Array], dict[str, Array]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays: dict[str, Array] = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise WorkloadError(f"{VECTORS} cannot be read: {error}") from error
    parts: dict[str, dict[str, Array]] = {"input": {}, "output": {}}
    for key, values in arrays.items():
        side, _, name = key.partition(".")
        if side not in parts or not name:
            raise WorkloadError(f"{VECTORS} holds {key!r}, which is neither an input nor an output")
        parts[side][name] = restored(values)
    if not parts["input"] or not parts["output"]:
        raise WorkloadError(f"{VECTORS} holds no vectors: nothing could be replayed")
    return parts["input"], parts["output"]


def compare(expected: Array, found: Array, tolerance: float) -> Comparison:
    """Compare outputs: labels must be equal, numbers at most `tolerance * max(1, |expected|)` apart.

    Not-a-number is within no tolerance.
    """
    if expected.shape != found.shape:
        raise WorkloadError(f"an output has the shape {found.shape} where {expected.shape} was expected")
    if expected.dtype.kind not in "fc":
        differing = int(np.count_nonzero(expected != found))
        return Comparison(differing, 0.0, is_within=differing == 0)
    reference = expected.astype(np.float64)
    apart = np.abs(found.astype(np.float64) - reference)
    within = apart <= tolerance * np.maximum(1.0, np.abs(reference))
    return Comparison(0, float(apart.max(initial=0.0)), is_within=bool(within.all()))


def difference(expected: Array, found: Array) -> float:
    """Say how far two outputs lie apart, as one number.

    For numbers the largest difference in units of `max(1, |expected|)`, for
    labels the part of them that differ.
    """
    if expected.dtype.kind not in "fc":
        return float(np.count_nonzero(expected != found)) / max(1, expected.size)
    reference = expected.astype(np.float64)
    apart = np.abs(found.astype(np.float64) - reference) / np.maximum(1.0, np.abs(reference))
    return float(apart.max(initial=0.0))
