"""torch modules, by `torch.onnx.export(dynamo=True)`; the one place that touches torch (it is untyped here).

A module takes one tensor of rows and answers with a tensor, several, or a
dictionary of them. It is exported in evaluation mode with a free batch, from a
float32 copy in main memory where it lies elsewhere; the module itself is left
as it was. No pickle is written.
"""

from __future__ import annotations

import copy
import inspect
import io
import logging
import re
import warnings
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, cast

import numpy as np

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.export.bundle import Tensor
from jupyterhub_mesos.export.formats import Converted, Evidence, Task, as_array
from jupyterhub_mesos.export.runtime import Array

PACKAGES: Final = ("torch", "onnxscript", "onnx")
INPUT: Final = "input"
OUTPUT: Final = "output"
BATCH_ROWS: Final = 256
"""Rows that the original is asked for at a time, so that a large held-out set needs no large memory."""
_RESHAPING: Final = {"Reshape", "Squeeze", "Flatten", "Identity"}
_UNTRANSLATED: Final = re.compile(r"No ONNX function found for <OpOverload\(op='([^']+)'")
_USER_CODE: Final = re.compile(r'File "([^"]+)", line (\d+), in forward\s*\n\s*(.+)')


class TorchFormat:
    """Any `torch.nn.Module` that takes one tensor."""

    name = "torch"

    def task(self, model: object, evidence: Evidence) -> Task:
        """Tell from the labels: whole numbers that fit the scores are classes, other numbers are values."""
        del model
        answers, truth = evidence.answers, evidence.truth
        if truth is None or truth.dtype.kind not in "biuf":
            return Task.OTHER
        if truth.dtype.kind != "f" and _are_classes(answers, truth):
            return Task.CLASSIFICATION
        if answers.size != truth.size:
            return Task.OTHER
        if truth.dtype.kind != "f" and set(np.unique(truth).tolist()) <= {0, 1}:
            return Task.PROBABILITY if evidence.converted.is_probability else Task.SCORE
        return Task.REGRESSION

    def convert(self, model: Any, example: Array, name: str) -> Converted:
        """Convert; the batch is free, all other axes are as in the example."""
        _check(model)
        rows = np.repeat(example[:1], 2, axis=0) if len(example) < 2 else example[:2]
        with _on_cpu(_unwrapped(model)) as module:
            names = list(_answered(module, rows))
            with _quiet():
                content = _exported(module, rows, names, name)
        return Converted(content, PACKAGES, is_probability=_ends_in_sigmoid(content))

    def predict(self, model: Any, rows: object, outputs: tuple[Tensor, ...]) -> dict[str, Array]:
        """Ask the module where it lies, in evaluation mode, some rows at a time."""
        values = as_array(rows)
        module = _unwrapped(model)
        with _in_evaluation(module):
            parts = [
                _answered(module, values[start : start + BATCH_ROWS])
                for start in range(0, len(values), BATCH_ROWS)
            ]
        return {one.name: np.concatenate([part[one.name] for part in parts]) for one in outputs}


def _are_classes(answers: Array, truth: Array) -> bool:
    """Say whether there is a score for each label, along the second axis."""
    has_scores = answers.ndim > 1 and answers.shape[1] > 1
    fits = answers.shape[:1] + answers.shape[2:] == truth.shape
    return has_scores and fits and int(truth.min()) >= 0 and int(truth.max()) < answers.shape[1]


# ---- before: what can be exported ------------------------------------------------------------------


def _check(model: Any) -> None:
    torch: Any = import_module("torch")
    if find_spec("onnxscript") is None:
        raise WorkloadError(
            "torch needs the package onnxscript to write ONNX, and it is not installed here: "
            "run %pip install 'jupyterhub-mesos[torch]' and export again"
        )
    if isinstance(model, torch.jit.ScriptModule):
        raise WorkloadError(
            "a TorchScript module cannot be exported: export the module that it was scripted from"
        )
    _check_inputs(_unwrapped(model))
    _check_parameters(_unwrapped(model))


def _check_inputs(module: Any) -> None:
    parameters = inspect.signature(module.forward).parameters.values()
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    needed = [one.name for one in positional if one.default is one.empty]
    if len(needed) > 1:
        raise WorkloadError(
            f"{type(module).__name__}.forward takes {', '.join(needed)}; modules of one tensor are exported: "
            "wrap it in a module that takes one tensor and splits it"
        )


def _check_parameters(module: Any) -> None:
    torch: Any = import_module("torch")
    lazy: Any = torch.nn.parameter.UninitializedTensorMixin
    for name, values in (*module.named_parameters(), *module.named_buffers()):
        if isinstance(values, lazy):
            raise WorkloadError(f"{name} has no shape yet: train the model, or call it once, then export")
        if values.is_floating_point() and not bool(torch.isfinite(values).all()):
            raise WorkloadError(
                f"{name} holds numbers that are not finite: the training went astray; nothing was exported"
            )


def _unwrapped(model: Any) -> Any:
    """Take the module out of what wraps it for training: compile, data parallel."""
    torch: Any = import_module("torch")
    wrappers: Any = (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and isinstance(model, wrappers):
            inner = model.module
        if inner is None:
            return model
        model = inner


# ---- asking the module -------------------------------------------------------------------------------


@contextmanager
def _in_evaluation(module: Any) -> Generator[None]:
    """Evaluate without gradients; each part is in its own mode again afterwards."""
    torch: Any = import_module("torch")
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, is_training in modes:
            part.training = is_training


@contextmanager
def _on_cpu(module: Any) -> Generator[Any]:
    """Lend the module in evaluation, as float32 in main memory: a copy unless it is that already."""
    torch: Any = import_module("torch")
    values = [*module.parameters(), *module.buffers()]
    is_plain = all(one.device.type == "cpu" for one in values) and all(
        one.dtype == torch.float32 for one in values if one.is_floating_point()
    )
    lent = module if is_plain else copy.deepcopy(module).to(device="cpu").float()
    with _in_evaluation(lent):
        yield lent


def _answered(module: Any, rows: Array) -> dict[str, Array]:
    """Ask for rows, as the module's own device and precision are; raises WorkloadError with its words."""
    torch: Any = import_module("torch")
    own = next((one for one in module.parameters() if one.is_floating_point()), None)
    given: Any = torch.from_numpy(np.ascontiguousarray(rows))
    if own is not None:
        given = given.to(device=own.device, dtype=own.dtype if given.is_floating_point() else given.dtype)
    try:
        answer = module(given)
    except Exception as error:  # anybody's forward may raise anything
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WorkloadError(
            f"{type(module).__name__} fails on rows of {given.dtype} {list(given.shape)}: {words}. "
            "Give rows as the module takes them (numbers with a point for a float model)"
        ) from error
    return {name: values.detach().float().cpu().numpy() for name, values in _named(answer)}


def _named(answer: Any) -> Iterator[tuple[str, Any]]:
    """Name what a module answers with: `output`, `output_0` and so on, or a dictionary's keys."""
    torch: Any = import_module("torch")
    if isinstance(answer, Mapping):
        pairs = [(str(name), value) for name, value in cast("Mapping[object, object]", answer).items()]
    elif isinstance(answer, tuple | list):
        pairs = [(f"{OUTPUT}_{number}", value) for number, value in enumerate(cast("list[Any]", answer))]
    else:
        pairs = [(OUTPUT, answer)]
    for name, value in pairs:
        if not torch.is_tensor(value):
            raise WorkloadError(
                f"the module answers with a {type(value).__name__} ({name}); what is served are tensors: "
                "return a tensor, several, or a dictionary of them"
            )
        yield name, value


# ---- the conversion ------------------------------------------------------------------------------------


@contextmanager
def _quiet() -> Generator[None]:
    """Keep the exporter's notes for its own developers out of the notebook."""
    log = logging.getLogger("torch")
    level = log.level
    log.setLevel(logging.CRITICAL)
    nowhere = io.StringIO()
    try:
        with warnings.catch_warnings(), redirect_stdout(nowhere), redirect_stderr(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _exported(module: Any, rows: Array, names: list[str], name: str) -> bytes:
    torch: Any = import_module("torch")
    try:
        program: Any = torch.onnx.export(
            module,
            (torch.from_numpy(np.ascontiguousarray(rows)),),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            input_names=[INPUT],
            output_names=names,
            verbose=False,
        )
        content: bytes = _stripped(program.model_proto, name).SerializeToString()
    except Exception as error:  # the exporter's errors share no base class below Exception
        raise WorkloadError(_explained(error, type(module).__name__)) from error
    return content


def _stripped(proto: Any, name: str) -> Any:
    """Drop what the exporter notes for its developers: stack traces with the paths of this machine."""
    proto.graph.name = name
    parts = (proto.graph.node, proto.graph.input, proto.graph.output, proto.graph.value_info)
    initializers = (proto.graph.initializer,)
    for part in (*parts, *initializers):
        for one in part:
            one.ClearField("metadata_props")
            one.ClearField("doc_string")
    proto.graph.ClearField("metadata_props")
    proto.ClearField("metadata_props")
    return proto


def _ends_in_sigmoid(content: bytes) -> bool:
    onnx: Any = import_module("onnx")
    graph: Any = onnx.load_model_from_string(content).graph
    makers = {output: node for node in graph.node for output in node.output}
    node = makers.get(graph.output[0].name)
    while node is not None and node.op_type in _RESHAPING:
        node = makers.get(node.input[0])
    return node is not None and node.op_type == "Sigmoid"


def _explained(error: BaseException, name: str) -> str:
    words = _words_of(error)
    if found := _UNTRANSLATED.search(words):
        return (
            f"{name} uses torch's operator {found[1]}, which ONNX does not have: write that part of forward "
            "with other operators, or leave it out of the module and do it after the model's answer"
        )
    if "data-dependent" in words and (place := _USER_CODE.search(words)):
        return (
            f"{name} decides by the values of its input (line {place[2]} of {place[1]}: {place[3].strip()}), "
            "which a fixed graph cannot: use torch.where, or torch.cond"
        )
    return f"torch cannot export this {name}: {words.strip().splitlines()[0]}"


def _words_of(error: BaseException) -> str:
    """Join the words of an error and of what caused it, the deepest first: that is the one that says it."""
    words: list[str] = []
    inner: BaseException | None = error
    while inner is not None:
        words.append(str(inner) or type(inner).__name__)
        inner = inner.__cause__
    return "\n".join(reversed(words))


FORMAT: Final = TorchFormat()
