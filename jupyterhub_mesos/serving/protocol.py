"""The messages of the Open Inference Protocol v2 (REST): JSON to arrays and back, by the signature."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn, cast

import numpy as np

from jupyterhub_mesos.errors import InvalidInput, TooLarge, WorkloadError
from jupyterhub_mesos.export.bundle import Datatype, Tensor
from jupyterhub_mesos.export.runtime import NUMPY_TYPES, Array

MAX_ROWS: Final = 4096
"""Rows of one request; a larger batch is sent in parts, so that others get their turn."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Inference:
    """A request that fits the model: arrays by input, and the names of the outputs that were asked for."""

    id: str | None
    inputs: Mapping[str, Array]
    outputs: tuple[str, ...]


def read_inference(
    body: bytes, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], *, max_rows: int = MAX_ROWS
) -> Inference:
    """Read `POST …/infer`; raises InvalidInput with the sentence, TooLarge for too many rows."""
    message = _object(_loaded(body), "the body")
    _known_keys(message, {"id", "parameters", "inputs", "outputs"}, "the body")
    identifier = message.get("id")
    if identifier is not None and not isinstance(identifier, str):
        raise InvalidInput("id is a text", where="id")
    return Inference(
        identifier, _arrays(message, inputs, max_rows), _chosen(message, tuple(one.name for one in outputs))
    )


def _loaded(body: bytes) -> object:
    try:
        return cast(object, _DECODER.decode(body.decode()))
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the body is not JSON: {error}") from error


def _not_a_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_not_a_number)
"""Made once: json.loads with `parse_constant` makes one at each call, which costs more than to read a row."""


def _object(value: object, what: str) -> Json:
    if not isinstance(value, dict):
        raise InvalidInput(f"{what} has to be a JSON object")
    return cast(Json, value)


def _known_keys(message: Json, known: set[str], what: str) -> None:
    unknown = sorted(set(message) - known)
    if unknown:
        raise InvalidInput(f"{what} has the unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")


def _list(message: Json, key: str) -> list[object]:
    value = message.get(key)
    if not isinstance(value, list):
        raise InvalidInput(f"{key} has to be a list of tensors", where=key)
    return cast(list[object], value)


def _arrays(message: Json, inputs: tuple[Tensor, ...], max_rows: int) -> dict[str, Array]:
    by_name = {tensor.name: tensor for tensor in inputs}
    arrays: dict[str, Array] = {}
    for number, item in enumerate(_list(message, "inputs")):
        where = f"inputs[{number}]"
        given = _object(item, where)
        _known_keys(given, {"name", "shape", "datatype", "parameters", "data"}, where)
        name = given.get("name")
        if not isinstance(name, str) or name not in by_name:
            raise InvalidInput(
                f"the model has no input {name!r}; it has {', '.join(by_name)}", where=f"{where}.name"
            )
        if name in arrays:
            raise InvalidInput(f"the input {name!r} is given twice", where=where)
        arrays[name] = _array(given, by_name[name], max_rows, where)
    missing = [name for name in by_name if name not in arrays]
    if missing:
        raise InvalidInput(f"the input {missing[0]!r} is missing", where="inputs")
    return arrays


def _array(given: Json, tensor: Tensor, max_rows: int, where: str) -> Array:
    if given.get("datatype") != tensor.datatype:
        raise InvalidInput(
            f"{tensor.name!r} takes {tensor.datatype}, not {given.get('datatype')!r}",
            where=f"{where}.datatype",
        )
    shape = _shape(given.get("shape"), tensor, where)
    if shape and shape[0] > max_rows:
        raise TooLarge(f"{shape[0]} rows in one request; at most {max_rows} are taken: send them in parts")
    if "data" not in given:
        raise InvalidInput("data is missing", where=where)
    values = _values(given["data"], tensor, where)
    wanted = math.prod(shape)
    if values.size != wanted:
        raise InvalidInput(
            f"the shape {list(shape)} takes {wanted} values, {values.size} are given", where=f"{where}.data"
        )
    return values.reshape(shape)


def _shape(given: object, tensor: Tensor, where: str) -> tuple[int, ...]:
    wanted = list(tensor.shape)
    lengths = cast(list[object], given) if isinstance(given, list) else []
    fits = len(lengths) == len(wanted) and all(
        type(length) is int and length >= 1 and axis in (-1, length)
        for length, axis in zip(lengths, wanted, strict=True)
    )
    if not fits:
        raise InvalidInput(
            f"{tensor.name!r} takes the shape {wanted} (-1: any), not {given!r}", where=f"{where}.shape"
        )
    return tuple(cast(list[int], lengths))


def _values(data: object, tensor: Tensor, where: str) -> Array:
    """Read flat or nested values; each must be of the datatype as it stands, nothing is rounded."""
    place = f"{where}.data"
    if not isinstance(data, list):
        raise InvalidInput("data has to be a list, flat or nested by rows", where=place)
    try:
        values: Array = np.asarray(cast(object, data))
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            "the nested rows of data differ in length or hold mixed values", where=place
        ) from error
    wanted = NUMPY_TYPES[tensor.datatype]
    if values.dtype.kind not in _KINDS[tensor.datatype]:
        raise InvalidInput(f"data holds values that are no {tensor.datatype}", where=place)
    if wanted.kind in "iu" and values.size and not _in_range(values, wanted):
        raise InvalidInput(f"data holds a number that {tensor.datatype} cannot hold", where=place)
    with np.errstate(over="ignore"):  # what overflows is refused in the next line
        cast_values = values.astype(wanted)
    if wanted.kind == "f" and not np.isfinite(cast_values).all():
        raise InvalidInput(f"data holds a number that {tensor.datatype} cannot hold", where=place)
    return cast_values


def _in_range(values: Array, wanted: np.dtype[Any]) -> bool:
    bounds = np.iinfo(wanted)
    return bounds.min <= int(values.min()) and int(values.max()) <= bounds.max


_KINDS: Final[Mapping[Datatype, str]] = {
    "BOOL": "b",
    **dict.fromkeys(("UINT8", "INT8", "INT16", "INT32", "INT64"), "iu"),
    **dict.fromkeys(("FP16", "FP32", "FP64"), "iuf"),
    "BYTES": "U",
}
"""Which kinds of numpy's a datatype takes from JSON: a whole number is a number too, a text never is."""


def _chosen(message: Json, known: tuple[str, ...]) -> tuple[str, ...]:
    if "outputs" not in message:
        return known
    chosen: list[str] = []
    for number, item in enumerate(_list(message, "outputs")):
        where = f"outputs[{number}]"
        given = _object(item, where)
        _known_keys(given, {"name", "parameters"}, where)
        name = given.get("name")
        if not isinstance(name, str) or name not in known:
            raise InvalidInput(f"the model has no output {name!r}; it has {', '.join(known)}", where=where)
        if name not in chosen:
            chosen.append(name)
    return tuple(chosen) or known


def write_answer(
    name: str, version: str, inference: Inference, answers: Mapping[str, Array], signature: Iterable[Tensor]
) -> bytes:
    """Write the response; raises WorkloadError where a number cannot stand in JSON (not finite)."""
    datatypes = {tensor.name: tensor.datatype for tensor in signature}
    message: Json = {"model_name": name, "model_version": version}
    if inference.id is not None:
        message["id"] = inference.id
    message["outputs"] = [
        {
            "name": output,
            "datatype": datatypes[output],
            "shape": list(values.shape),
            "data": values.ravel().tolist(),
        }
        for output, values in answers.items()
    ]
    try:
        return json.dumps(message, allow_nan=False, separators=(",", ":")).encode()
    except ValueError as error:
        raise WorkloadError(
            "the model answered a number that is not finite, which JSON cannot say"
        ) from error


def described(name: str, version: str, inputs: Iterable[Tensor], outputs: Iterable[Tensor]) -> Json:
    """Write a model's metadata."""
    return {
        "name": name,
        "versions": [version],
        "platform": "onnxruntime_onnx",
        "inputs": [_tensor(tensor) for tensor in inputs],
        "outputs": [_tensor(tensor) for tensor in outputs],
    }


def _tensor(tensor: Tensor) -> Json:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
