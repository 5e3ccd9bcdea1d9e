"""The export of a model, step by step, each with its result in view.

collect -> convert -> check -> test -> bundle -> push. A step is a function
that takes the draft, adds what it found and says it in one line; optimising,
signing and registering will be steps of the same kind between `test` and `push`.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.export.bundle import LOCK, MODEL, NAME_PATTERN, VECTORS, BundleManifest
from jupyterhub_mesos.export.checks import TOLERANCE, check_onnx, check_parity, measure
from jupyterhub_mesos.export.draft import Draft, Order
from jupyterhub_mesos.export.formats import as_rows, format_of, row_inputs
from jupyterhub_mesos.export.git import redacted
from jupyterhub_mesos.export.lineage import SERVING, lock_text, locked, trace
from jupyterhub_mesos.export.publish import author, check_version, next_version, push_bundle
from jupyterhub_mesos.export.recipes import write_rendered
from jupyterhub_mesos.export.runtime import OnnxModel
from jupyterhub_mesos.export.vectors import write_vectors
from jupyterhub_mesos.export.verification import say

REMOTE: Final = "~/lake/team/models.git"


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step did, in a person's words, and how long it took."""

    name: str
    result: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Export:
    """A published model: `ref` and `remote` are what a serving request names."""

    name: str
    version: int
    ref: str
    remote: str
    commit: str
    directory: Path
    manifest: BundleManifest
    steps: tuple[StepResult, ...]

    @property
    def metrics(self) -> Mapping[str, float]:
        """What was measured, with what the owner gave."""
        return self.manifest.metrics


def _collect(draft: Draft) -> str:
    order = draft.order
    draft.framework = format_of(order.model)
    examples = as_rows(order.example_inputs, "example_inputs")
    draft.rows = order.held_out[0] if order.held_out else order.example_inputs
    draft.onnx_rows = as_rows(draft.rows, "held_out rows") if order.held_out else examples
    if draft.onnx_rows.dtype != examples.dtype or draft.onnx_rows.shape[1:] != examples.shape[1:]:
        raise InvalidInput(
            f"held-out rows are {draft.onnx_rows.dtype}{list(draft.onnx_rows.shape[1:])}, example_inputs "
            f"{examples.dtype}{list(examples.shape[1:])}: give both as the model takes them"
        )
    draft.next_version = order.version or next_version(order.name, order.remote)
    return (
        f"{type(order.model).__name__} ({draft.framework.name}), {len(draft.onnx_rows)} rows of "
        f"{list(examples.shape[1:])}; next is {order.name}/v{draft.next_version}"
    )


def _convert(draft: Draft) -> str:
    order = draft.order
    draft.converted = draft.framework.convert(order.model, draft.onnx_rows, order.name)
    draft.onnx = OnnxModel(draft.converted.content)
    return f"ONNX, {len(draft.converted.content)} bytes, {len(draft.onnx.outputs)} outputs"


def _check(draft: Draft) -> str:
    order = draft.order
    check_onnx(draft.converted.content)
    draft.answers = draft.onnx.run(row_inputs(draft.onnx.inputs, draft.onnx_rows))
    expected = draft.framework.predict(order.model, draft.rows, draft.onnx.outputs)
    draft.parity = check_parity(expected, draft.answers, order.tolerance)
    return (
        f"valid; as the original on {draft.parity.rows} rows: {draft.parity.differing_labels} labels differ, "
        f"largest difference {draft.parity.largest_difference:.3g} (at most {order.tolerance:g})"
    )


def _test(draft: Draft) -> str:
    order = draft.order
    draft.metrics = dict(order.metrics)
    if order.held_out is None:
        return "left out: no held_out=(X, y) was given"
    task = draft.framework.task(order.model)
    measured = measure(task, draft.answers[draft.onnx.outputs[0].name], order.held_out[1])
    draft.metrics |= measured
    return ", ".join(f"{name} {value:.4f}" for name, value in measured.items()) or "no measure for this model"


def _bundle(draft: Draft) -> str:
    """Write the whole bundle beside its place and move it there: half a bundle is never seen."""
    target = draft.order.directory
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        folder = Path(scratch) / "bundle"
        (folder / MODEL).parent.mkdir(parents=True)
        (folder / MODEL).write_bytes(draft.converted.content)
        write_vectors(folder / VECTORS, row_inputs(draft.onnx.inputs, draft.onnx_rows), draft.answers)
        (folder / LOCK).write_text(lock_text(locked(SERVING)), encoding="utf-8")
        draft.manifest = write_rendered(folder, _manifest(draft))
        folder.replace(target)  # onto nothing, or onto an empty folder
    return f"{len(draft.manifest.files) + 1} files in {target}"


def _manifest(draft: Draft) -> BundleManifest:
    order = draft.order
    return BundleManifest(
        name=order.name,
        version=draft.next_version,
        description=order.description,
        framework=draft.framework.name,
        model_type=type(order.model).__name__,
        author=author(),
        team=_team(),
        created_at=time.time(),
        inputs=draft.onnx.inputs,
        outputs=draft.onnx.outputs,
        parity=draft.parity,
        metrics=draft.metrics,
        lineage=trace(
            notebook=order.notebook,
            job=order.job,
            lake=order.lake_inputs,
            packages=draft.converted.packages,
        ),
    )


def _team() -> str:
    """Read the team from the environment that every task of a team gets."""
    lake = os.environ.get("LAKE_TEAM_URI", "").rstrip("/")
    return os.environ.get("CAPACITY_TEAM") or lake.rpartition("/")[2]


def _push(draft: Draft) -> str:
    order = draft.order
    draft.published = push_bundle(order.directory, order.remote, version=order.version)
    return f"{draft.published.tag} in {draft.published.remote}, commit {draft.published.commit[:12]}"


STEPS: Final[tuple[tuple[str, Callable[[Draft], str]], ...]] = (
    ("collect", _collect),
    ("convert", _convert),
    ("check", _check),
    ("test", _test),
    ("bundle", _bundle),
    ("push", _push),
)


def export(  # noqa: PLR0913 - what a person types in a notebook, by name; all but three have a default
    model: object,
    *,
    name: str,
    example_inputs: object,
    held_out: tuple[object, object] | None = None,
    remote: str = REMOTE,
    version: int | str | None = None,
    description: str = "",
    tolerance: float = TOLERANCE,
    notebook: str | os.PathLike[str] | None = None,
    job: str | tuple[str, int] | None = None,
    metrics: Mapping[str, float] | None = None,
    lake_inputs: Sequence[str | os.PathLike[str]] = (),
    directory: str | os.PathLike[str] | None = None,
    report: Callable[[str], None] = say,
) -> Export:
    """Turn a model into a checked, versioned bundle in git, printing each step's result.

    `example_inputs` and `held_out=(X, y)` are rows as the model takes them;
    `job` is a request's id, or `(id, generation)`; `lake_inputs` are files or
    folders of the lake that the model was made from. The bundle is kept in
    `directory` (by default a new folder under `~/exports`). Raises
    WorkloadError, InvalidInput or Conflict; nothing is published then.
    """
    order = Order(
        model=model,
        name=_checked_name(name),
        example_inputs=example_inputs,
        held_out=held_out,
        remote=remote,
        version=check_version(version),
        description=description,
        tolerance=tolerance,
        notebook=notebook,
        job=job,
        metrics={key: float(value) for key, value in (metrics or {}).items()},
        lake_inputs=tuple(lake_inputs),
        directory=_place(name, directory),
    )
    draft = Draft(order)
    return _finished(draft, tuple(_taken(draft, number, report) for number in range(len(STEPS))))


def _taken(draft: Draft, number: int, report: Callable[[str], None]) -> StepResult:
    name, step = STEPS[number]
    began = time.perf_counter()
    result = step(draft)
    seconds = time.perf_counter() - began
    report(f"{number + 1}/{len(STEPS)} {name:<8} {result} ({seconds:.2f} s)")
    return StepResult(name, result, seconds)


def _finished(draft: Draft, steps: tuple[StepResult, ...]) -> Export:
    published = draft.published
    manifest = draft.manifest.model_copy(update={"version": published.version})
    return Export(
        name=manifest.name,
        version=published.version,
        ref=published.tag,
        remote=redacted(draft.order.remote),
        commit=published.commit,
        directory=draft.order.directory,
        manifest=manifest,
        steps=steps,
    )


def _checked_name(name: str) -> str:
    if not re.fullmatch(NAME_PATTERN, name):
        raise InvalidInput(
            f"{name!r} cannot name a model: take small letters, digits and dashes, a letter first, "
            "at most 40 characters (digits, price-forecast)"
        )
    return name


def _place(name: str, directory: str | os.PathLike[str] | None) -> Path:
    if directory is None:
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        return Path.home() / "exports" / f"{name}-{stamp}-{os.urandom(3).hex()}"
    place = Path(directory).expanduser().absolute()
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise InvalidInput(f"{place} is not an empty folder: name another `directory`, or leave it out")
    return place
