"""An ONNX model that runs: the one place that touches onnxruntime, which has no types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.export.bundle import Datatype, Tensor

Array = NDArray[Any]

_onnxruntime: Any = import_module("onnxruntime")

_DATATYPES: Final[Mapping[str, Datatype]] = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}
"""onnxruntime's words for tensors, in the protocol's; sequences and maps have none and are refused."""

NUMPY_TYPES: Final[Mapping[Datatype, np.dtype[Any]]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    "BYTES": np.dtype(object),
}

_ONLY_ERRORS: Final = 3
"""onnxruntime's log severity: warnings of its graph optimiser say nothing to the owner of a model."""


class OnnxModel:
    """A loaded model; `inputs` and `outputs` are its signature."""

    def __init__(self, content: bytes, *, threads: int = 1) -> None:
        try:
            self._session = _onnxruntime.InferenceSession(
                content, _options(threads), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors share no base class below Exception
            raise WorkloadError(f"onnxruntime cannot load the model: {error}") from error
        self.inputs = tuple(_tensor(node) for node in self._session.get_inputs())
        self.outputs = tuple(_tensor(node) for node in self._session.get_outputs())

    def run(self, inputs: Mapping[str, Array], outputs: Sequence[str] | None = None) -> dict[str, Array]:
        """Run the model; raises WorkloadError when it fails on these inputs."""
        names = list(outputs or (tensor.name for tensor in self.outputs))
        try:
            results: list[Any] = self._session.run(names, dict(inputs))
        except Exception as error:  # as above
            raise WorkloadError(f"the model fails on these inputs: {error}") from error
        return {name: np.asarray(result) for name, result in zip(names, results, strict=True)}


def _options(threads: int) -> Any:
    options: Any = _onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ONLY_ERRORS
    # Between requests the pool must sleep: spinning burns the team's CPU for nothing.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _tensor(node: Any) -> Tensor:
    datatype = _DATATYPES.get(node.type)
    if datatype is None:
        raise WorkloadError(
            f"{node.name!r} is a {node.type}; a model is served with tensors only: convert it so that "
            "its inputs and outputs are tensors (for scikit-learn: zipmap off)"
        )
    return Tensor(name=node.name, datatype=datatype, shape=tuple(_length(axis) for axis in node.shape))


def _length(axis: object) -> int:
    return axis if isinstance(axis, int) else -1
