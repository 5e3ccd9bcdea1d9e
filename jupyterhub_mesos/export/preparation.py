"""Prepare a model for publication: collect -> convert -> check -> test."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass, replace
from typing import Final

from jupyterhub_mesos.errors import InvalidInput, WorkloadError
from jupyterhub_mesos.export.bundle import NAME_PATTERN
from jupyterhub_mesos.export.checks import TOLERANCE, check_onnx, check_parity, measure
from jupyterhub_mesos.export.formats import (
    Converted,
    Evidence,
    Format,
    as_array,
    as_rows,
    format_of,
    row_inputs,
)
from jupyterhub_mesos.export.lineage import locked
from jupyterhub_mesos.export.prepared import Prepared
from jupyterhub_mesos.export.progress import Progress, Report, say
from jupyterhub_mesos.export.pushing import next_version
from jupyterhub_mesos.export.runtime import Array, OnnxModel

STEPS: Final = ("collect", "convert", "check", "test")


@dataclass(frozen=True, slots=True)
class Order:
    """What the owner gave: a model, rows as it takes them, and where its version numbers are kept."""

    model: object
    name: str
    example_inputs: object
    held_out: tuple[object, object] | None
    tolerance: float
    remote: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class _Collected:
    framework: Format
    rows: object  # as the original model takes them
    onnx_rows: Array  # as the converted model takes them
    truth: Array | None


@dataclass(frozen=True, slots=True)
class _Checked:
    prepared: Prepared
    answers: Array  # the converted model's first output


def prepare(  # noqa: PLR0913 - what a person types, by name; all but three have a default
    model: object,
    *,
    name: str,
    example_inputs: object,
    held_out: tuple[object, object] | None = None,
    tolerance: float = TOLERANCE,
    remote: str | None = None,
    report: Report = say,
) -> Prepared:
    """Convert a model to ONNX, check it against the original and test it, printing each step's result.

    `example_inputs` and `held_out=(X, y)` are rows as the model takes them; without
    labels, `held_out=(X, None)`, the comparison with the original still uses the rows.
    A `remote` is only asked for the next version, so that one that is missing
    is told before the work. Raises WorkloadError or InvalidInput.
    """
    order = Order(model, checked_name(name), example_inputs, held_out, tolerance, remote)
    return prepared_of(order, Progress(len(STEPS), report))


def prepared_of(order: Order, progress: Progress) -> Prepared:
    """Take the four steps."""
    collected = progress.take("collect", lambda: _collect(order))
    converted = progress.take("convert", lambda: _convert(order, collected))
    checked = progress.take("check", lambda: _check(order, collected, converted))
    return progress.take("test", lambda: _test(checked))


def checked_name(name: str) -> str:
    """Return a model's name, or raise InvalidInput that says what one is."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise InvalidInput(
            f"{name!r} cannot name a model: take small letters, digits and dashes, a letter first, "
            "at most 40 characters (digits, price-forecast)"
        )
    return name


def _collect(order: Order) -> tuple[_Collected, str]:
    framework = format_of(order.model)
    examples = as_rows(order.example_inputs, "example_inputs")
    rows = order.held_out[0] if order.held_out else order.example_inputs
    onnx_rows = as_rows(rows, "held_out rows") if order.held_out else examples
    if onnx_rows.dtype != examples.dtype or onnx_rows.shape[1:] != examples.shape[1:]:
        raise InvalidInput(
            f"held-out rows are {onnx_rows.dtype}{list(onnx_rows.shape[1:])}, example_inputs "
            f"{examples.dtype}{list(examples.shape[1:])}: give both as the model takes them"
        )
    labels = order.held_out[1] if order.held_out else None
    truth = None if labels is None else _truth(labels, len(onnx_rows))
    said = (
        f"{type(order.model).__name__} ({framework.name}), {len(onnx_rows)} rows of "
        f"{list(examples.shape[1:])}{_next(order)}"
    )
    return _Collected(framework, rows, onnx_rows, truth), said


def _truth(labels: object, rows: int) -> Array:
    """Read what the held-out rows should give; raises WorkloadError unless there is one for each row."""
    values = as_array(labels)
    if values.ndim == 0 or len(values) != rows:
        raise WorkloadError(
            f"held_out has {rows} rows and labels of the shape {values.shape}: give a label for each row"
        )
    return values.astype(object) if values.dtype.kind == "U" else values


def _next(order: Order) -> str:
    if order.remote is None:
        return ""
    number = order.version or next_version(order.name, order.remote)
    return f"; next is {order.name}/v{number}"


def _convert(order: Order, collected: _Collected) -> tuple[Converted, str]:
    converted = collected.framework.convert(order.model, collected.onnx_rows, order.name)
    outputs = len(OnnxModel(converted.content).outputs)
    return converted, f"ONNX, {len(converted.content)} bytes, {outputs} outputs"


def _check(order: Order, collected: _Collected, converted: Converted) -> tuple[_Checked, str]:
    check_onnx(converted.content)
    onnx = OnnxModel(converted.content)
    answers = onnx.run(row_inputs(onnx.inputs, collected.onnx_rows))
    evidence = Evidence(converted, answers[onnx.outputs[0].name], collected.truth)
    expected = collected.framework.predict(order.model, collected.rows, onnx.outputs)
    parity = check_parity(expected, answers, order.tolerance)
    prepared = Prepared(
        name=order.name,
        framework=collected.framework.name,
        model_type=type(order.model).__name__,
        task=collected.framework.task(order.model, evidence),
        tolerance=order.tolerance,
        content=converted.content,
        original=converted.content,
        rows=collected.onnx_rows,
        truth=collected.truth,
        expected=expected,
        parity=parity,
        metrics={},
        environment=locked(converted.packages),
        python=platform.python_version(),
    )
    said = (
        f"valid; as the original on {parity.rows} rows: {parity.differing_labels} labels differ, "
        f"largest difference {parity.largest_difference:.3g} (at most {order.tolerance:g})"
    )
    return _Checked(prepared, evidence.answers), said


def _test(checked: _Checked) -> tuple[Prepared, str]:
    prepared = checked.prepared
    if prepared.truth is None:
        return prepared, "left out: no held_out=(X, y) was given, or no y in it"
    measured = measure(prepared.task, checked.answers, prepared.truth)
    said = ", ".join(f"{name} {value:.4f}" for name, value in measured.items())
    return replace(prepared, metrics=measured), said or "no measure for this model"
