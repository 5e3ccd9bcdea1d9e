"""A model on its way into a bundle: what the owner gave, and what each step found."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jupyterhub_mesos.export.bundle import BundleManifest, Parity
from jupyterhub_mesos.export.formats import Converted, Format
from jupyterhub_mesos.export.publish import Published
from jupyterhub_mesos.export.runtime import Array, OnnxModel


@dataclass(frozen=True, slots=True)
class Order:
    """What the owner asked for."""

    model: object
    name: str
    example_inputs: object
    held_out: tuple[object, object] | None
    remote: str
    version: int | None
    description: str
    tolerance: float
    notebook: str | os.PathLike[str] | None
    job: str | tuple[str, int] | None
    metrics: Mapping[str, float]
    lake_inputs: Sequence[str | os.PathLike[str]]
    directory: Path


@dataclass(slots=True)
class Draft:
    """What the steps found so far, in their order; a step reads only what earlier ones set."""

    order: Order
    framework: Format = field(init=False)  # collect
    rows: object = field(init=False)  # collect: held-out rows, or the examples
    onnx_rows: Array = field(init=False)  # collect: the same as the converted model takes them
    next_version: int = field(init=False)  # collect
    converted: Converted = field(init=False)  # convert
    onnx: OnnxModel = field(init=False)  # convert
    answers: dict[str, Array] = field(init=False)  # check: the converted model's, by output
    parity: Parity = field(init=False)  # check
    metrics: dict[str, float] = field(init=False)  # test
    manifest: BundleManifest = field(init=False)  # bundle
    published: Published = field(init=False)  # push
