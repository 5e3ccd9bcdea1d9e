"""Smaller forms of an ONNX model: int8 by onnxruntime's quantiser, float16 by onnxruntime's converter.

The one place that touches both (they are untyped). Inputs and outputs keep
their types, so that callers need not know which form they talk to.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.export.checks import check_onnx
from jupyterhub_mesos.export.runtime import Array, OnnxModel

ORIGINAL: Final = "original"
DENSE: Final = ("MatMul", "Gemm")
"""The operators that dynamic int8 is held to: on all of them it was smaller, and twice as slow."""
WEIGHTY: Final = (*DENSE, "Conv")
"""Where nearly all weights and time of a network are; a model with none of them has nothing to win."""

REPLAY_TOLERANCES: Final = {"int8-dynamic": 0.05, "int8-static": 0.05, "float16": 0.005}
"""By how much answers may differ on another processor: a value beside a rounding edge takes the next step."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form of the model that runs."""

    name: str
    content: bytes
    model: OnnxModel


def weighty_operators(content: bytes) -> set[str]:
    """Name those of `WEIGHTY` that the model has."""
    onnx: Any = import_module("onnx")
    graph: Any = onnx.load_model_from_string(content).graph
    return {str(node.op_type) for node in graph.node} & set(WEIGHTY)


def smaller_forms(content: bytes, calibration: Array) -> tuple[list[Form], dict[str, str]]:
    """Make every form; what could not be made is named with the reason.

    `calibration` are the rows that static int8 takes its ranges from.
    """
    original = OnnxModel(content)
    makers: dict[str, Callable[[Path], bytes]] = {
        "int8-dynamic": lambda folder: _dynamic(content, folder),
        "int8-static": lambda folder: _static(content, original.inputs[0].name, calibration, folder),
        "float16": lambda _: _half(content),
    }
    made: list[Form] = []
    failed: dict[str, str] = {}
    for name, make in makers.items():
        try:
            made.append(_made(name, make, original))
        except Exception as error:  # noqa: BLE001 - the converters raise anything, and the original remains
            failed[name] = f"{type(error).__name__}: {error}".splitlines()[0]
    return made, failed


def _made(name: str, make: Callable[[Path], bytes], original: OnnxModel) -> Form:
    with tempfile.TemporaryDirectory(prefix="jupyterhub-mesos-forms-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on numbers that are rounded, which is what is asked for
        content = make(Path(folder))
    check_onnx(content)
    model = OnnxModel(content)
    if (model.inputs, model.outputs) != (original.inputs, original.outputs):
        raise WorkloadError("it has another signature than the original")
    return Form(name, content, model)


def _dynamic(content: bytes, folder: Path) -> bytes:
    quantization: Any = import_module("onnxruntime.quantization")
    quantization.quantize_dynamic(
        _tidied(content, folder),
        folder / "quantised.onnx",
        op_types_to_quantize=list(DENSE),
        weight_type=quantization.QuantType.QInt8,
        per_channel=True,
        reduce_range=True,  # 7 bits: no overflow on processors without VNNI, so the same answer on each
    )
    return (folder / "quantised.onnx").read_bytes()


def _static(content: bytes, name: str, rows: Array, folder: Path) -> bytes:
    quantization: Any = import_module("onnxruntime.quantization")

    quantization.quantize_static(
        _tidied(content, folder),
        folder / "quantised.onnx",
        _Batches(iter([{name: rows}])),
        quant_format=quantization.QuantFormat.QDQ,
        op_types_to_quantize=list(WEIGHTY),
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        per_channel=True,
        reduce_range=True,  # as above
        # Its adjustment of weights to their bias takes one scale per tensor for granted, and raises for more.
        extra_options={"QDQDisableWeightAdjustForInt32Bias": True},
    )
    return (folder / "quantised.onnx").read_bytes()


class _Batches:
    """What the quantiser asks of its `CalibrationDataReader`: a batch at a time, then None."""

    def __init__(self, batches: Iterator[dict[str, Array]]) -> None:
        self._batches = batches

    def get_next(self) -> dict[str, Array] | None:
        """Give the next batch."""
        return next(self._batches, None)


def _tidied(content: bytes, folder: Path) -> Path:
    """Fold constants and infer shapes first, as the quantiser asks for."""
    preprocess: Any = import_module("onnxruntime.quantization.shape_inference")
    (folder / "original.onnx").write_bytes(content)
    preprocess.quant_pre_process(
        folder / "original.onnx",
        folder / "tidied.onnx",
        skip_symbolic_shape=True,  # it needs sympy, and finds nothing in models with a free batch alone
    )
    return folder / "tidied.onnx"


def _half(content: bytes) -> bytes:
    onnx: Any = import_module("onnx")
    float16: Any = import_module("onnxruntime.transformers.float16")
    proto: Any = float16.convert_float_to_float16(onnx.load_model_from_string(content), keep_io_types=True)
    # The casts at the inputs and outputs that it adds stand last, where ONNX wants them in their order.
    import_module("onnxruntime.transformers.onnx_model").OnnxModel(proto).topological_sort()
    half: bytes = proto.SerializeToString()
    return half
