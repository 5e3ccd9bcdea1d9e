"""The asking side of the Open Inference Protocol v2: arrays to a request's body, an answer to arrays."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.export.bundle import Datatype, Tensor
from jupyterhub_mesos.export.runtime import NUMPY_TYPES, Array


class _Output(BaseModel):
    """What we read of an output; a server may say more of it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    data: list[Any]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    outputs: tuple[_Output, ...]


def write_request(inputs: Mapping[str, Array], signature: Iterable[Tensor], wanted: Iterable[str]) -> bytes:
    """Write the body of `POST …/infer`."""
    datatypes = {tensor.name: tensor.datatype for tensor in signature}
    tensors = [
        {
            "name": name,
            "shape": list(values.shape),
            "datatype": datatypes[name],
            "data": values.ravel().tolist(),
        }
        for name, values in inputs.items()
    ]
    return json.dumps({"inputs": tensors, "outputs": [{"name": name} for name in wanted]}).encode()


def read_answer(body: bytes, wanted: Iterable[str]) -> dict[str, Array]:
    """Read the wanted outputs of an answer; raises WorkloadError where one is not there as it should be."""
    try:
        answer = _Answer.model_validate_json(body)
        found = {
            one.name: np.asarray(one.data, dtype=NUMPY_TYPES[one.datatype]).reshape(one.shape)
            for one in answer.outputs
        }
        return {name: found[name] for name in wanted}
    except (ValidationError, ValueError, KeyError) as error:
        raise WorkloadError(
            f"the model server's answer is not that of the Open Inference Protocol: {error}"
        ) from error
