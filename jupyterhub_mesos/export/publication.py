"""Publish a prepared model: bundle -> sign -> push -> register.

The register is a mirror, so it comes last: its entry names a tag, and before the push there is none.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.export.bundle import LOCK, MODEL, SIGNATURE, VECTORS, BundleManifest, read_manifest
from jupyterhub_mesos.export.formats import row_inputs
from jupyterhub_mesos.export.git import redacted
from jupyterhub_mesos.export.lineage import SERVING, Origin, lock_text, locked, trace
from jupyterhub_mesos.export.prepared import Prepared
from jupyterhub_mesos.export.progress import Progress, Report, StepResult, say
from jupyterhub_mesos.export.pushing import Published, author, check_version, next_version, push_bundle
from jupyterhub_mesos.export.recipes import write_rendered
from jupyterhub_mesos.export.registry import mirrored
from jupyterhub_mesos.export.runtime import OnnxModel
from jupyterhub_mesos.export.signature import KEY_VARIABLE, find_key, sign
from jupyterhub_mesos.export.vectors import write_vectors

STEPS: Final = ("bundle", "sign", "push", "register")


@dataclass(frozen=True, slots=True)
class Order:
    """How and where a prepared model is to be published; `metrics` are numbers of the owner's own."""

    remote: str
    version: int | None
    description: str
    origin: Origin
    directory: Path
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])
    key: Path | None = None


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


def publish(  # noqa: PLR0913 - what a person types, by name; all but two have a default
    prepared: Prepared,
    *,
    remote: str,
    version: int | str | None = None,
    description: str = "",
    notebook: str | os.PathLike[str] | None = None,
    job: str | tuple[str, int] | None = None,
    pipeline: tuple[str, str] | None = None,
    metrics: Mapping[str, float] | None = None,
    lake_inputs: Sequence[str | os.PathLike[str]] = (),
    directory: str | os.PathLike[str] | None = None,
    sign_key: str | os.PathLike[str] | None = None,
    report: Report = say,
) -> Export:
    """Publish a prepared model as a version in git, printing each step's result.

    `job` is a request's id, or `(id, generation)`; `pipeline` the `(repository,
    commit)` whose run this is; `lake_inputs` are files or folders of the lake that
    the model was made from. The bundle is kept in `directory` (by default a new
    folder under `~/exports`), and signed where `sign_key` or `CAPACITY_SIGN_KEY`
    names a private key. An MLflow server that `MLFLOW_TRACKING_URI` names gets an
    entry; that it cannot be reached is said and undoes nothing. Raises
    WorkloadError, InvalidInput or Conflict; nothing is published then.
    """
    order = Order(
        remote=remote,
        version=check_version(version),
        description=description,
        origin=Origin(notebook, job, pipeline, tuple(lake_inputs)),
        directory=place_of(prepared.name, directory),
        metrics=as_numbers(metrics),
        key=find_key(sign_key),
    )
    return published(prepared, order, Progress(len(STEPS), report))


def published(prepared: Prepared, order: Order, progress: Progress) -> Export:
    """Take the steps of the publication."""
    progress.take("bundle", lambda: _bundle(prepared, order))
    _sign(order, progress)
    pushed = progress.take("push", lambda: _push(order))
    manifest = read_manifest(order.directory)  # its number may be another one now
    progress.take("register", lambda: (None, mirrored(order.directory, order.remote)))
    return Export(
        name=prepared.name,
        version=pushed.version,
        ref=pushed.tag,
        remote=redacted(order.remote),
        commit=pushed.commit,
        directory=order.directory,
        manifest=manifest,
        steps=tuple(progress.done),
    )


def as_numbers(metrics: Mapping[str, float] | None) -> dict[str, float]:
    """Read the owner's own metrics: numpy's numbers as plain ones."""
    return {key: float(value) for key, value in (metrics or {}).items()}


def place_of(name: str, directory: str | os.PathLike[str] | None) -> Path:
    """Say where the bundle is kept; raises InvalidInput for a folder that holds something."""
    if directory is None:
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        return Path.home() / "exports" / f"{name}-{stamp}-{os.urandom(3).hex()}"
    place = Path(directory).expanduser().absolute()
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise InvalidInput(f"{place} is not an empty folder: name another `directory`, or leave it out")
    return place


def _bundle(prepared: Prepared, order: Order) -> tuple[BundleManifest, str]:
    """Write the whole bundle beside its place and move it there: half a bundle is never seen."""
    target = order.directory
    onnx = OnnxModel(prepared.content)
    inputs = row_inputs(onnx.inputs, prepared.rows)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        folder = Path(scratch) / "bundle"
        (folder / MODEL).parent.mkdir(parents=True)
        (folder / MODEL).write_bytes(prepared.content)
        write_vectors(folder / VECTORS, inputs, onnx)
        (folder / LOCK).write_text(lock_text(locked(SERVING)), encoding="utf-8")
        manifest = write_rendered(folder, _manifest(prepared, order, onnx))
        folder.replace(target)  # onto nothing, or onto an empty folder
    return manifest, f"{len(manifest.files) + 1} files in {target}"


def _manifest(prepared: Prepared, order: Order, onnx: OnnxModel) -> BundleManifest:
    return BundleManifest(
        name=prepared.name,
        version=order.version or next_version(prepared.name, order.remote),
        description=order.description,
        framework=prepared.framework,
        model_type=prepared.model_type,
        author=author(),
        team=_team(),
        created_at=time.time(),
        inputs=onnx.inputs,
        outputs=onnx.outputs,
        parity=prepared.parity,
        metrics={**order.metrics, **prepared.metrics},
        optimisation=prepared.optimisation,
        is_signed=order.key is not None,
        lineage=trace(order.origin, environment=prepared.environment, python=prepared.python),
    )


def _team() -> str:
    """Read the team from the environment that every task of a team gets; empty elsewhere."""
    return os.environ.get("CAPACITY_TEAM", "")


def _sign(order: Order, progress: Progress) -> None:
    key = order.key
    if key is None:
        progress.leave_out("sign", f"no sign_key was given, and {KEY_VARIABLE} is not set")
        return

    def step() -> tuple[None, str]:
        sign(order.directory, key)
        return None, f"{SIGNATURE}, by the key {key}"

    progress.take("sign", step)


def _push(order: Order) -> tuple[Published, str]:
    done = push_bundle(order.directory, order.remote, version=order.version, sign_key=order.key)
    return done, f"{done.tag} in {done.remote}, commit {done.commit[:12]}"
