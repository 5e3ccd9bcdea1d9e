"""Is a bundle whole, and does its model still answer as at the export? Light enough for a model server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.export.bundle import (
    MANIFEST,
    MODEL,
    SIGNATURE,
    VECTORS,
    BundleManifest,
    files_of,
    read_manifest,
    sha256_of,
)
from jupyterhub_mesos.export.runtime import OnnxModel
from jupyterhub_mesos.export.vectors import Comparison, replay


@dataclass(frozen=True, slots=True)
class Loaded:
    """A verified bundle, ready to answer."""

    manifest: BundleManifest
    model: OnnxModel
    replayed: Comparison


def check_files(directory: Path) -> BundleManifest:
    """Check the manifest and every file against it; raises WorkloadError that names each file."""
    manifest = read_manifest(directory)
    problems = _problems(directory, manifest)
    if problems:
        raise WorkloadError(f"the bundle in {directory} is not the one exported: " + "; ".join(problems))
    return manifest


def _problems(directory: Path, manifest: BundleManifest) -> list[str]:
    found = set(files_of(directory)) - {MANIFEST}
    problems = _of_the_signature(directory, manifest, is_there=SIGNATURE in found)
    found.discard(SIGNATURE)
    listed = set(manifest.files)
    problems += [f"{name} is missing" for name in sorted(listed - found)]
    problems += [f"{name} is not in {MANIFEST}" for name in sorted(found - listed)]
    for name in sorted(listed & found):
        path = directory / name
        if path.is_symlink():
            problems.append(f"{name} is a link, not a file")
        elif sha256_of(path) != manifest.files[name]:
            problems.append(f"{name} was changed (its sha256 is another one)")
    problems += [f"{name} is not listed in {MANIFEST}" for name in (MODEL, VECTORS) if name not in listed]
    return problems


def _of_the_signature(directory: Path, manifest: BundleManifest, *, is_there: bool) -> list[str]:
    """Say what is wrong with the file alone; whose signature it is takes a public key to say."""
    if manifest.is_signed and not is_there:
        return [f"{SIGNATURE} is missing"]
    if is_there and not manifest.is_signed:
        return [f"{SIGNATURE} is not in {MANIFEST}"]
    return [f"{SIGNATURE} is a link, not a file"] if (directory / SIGNATURE).is_symlink() else []


def load(directory: Path, *, threads: int = 1) -> Loaded:
    """Check the files, load the model, replay the test vectors; raises WorkloadError that says what broke."""
    manifest = check_files(directory)
    model = OnnxModel((directory / MODEL).read_bytes(), threads=threads)
    _check_signature(manifest, model)
    replayed = replay(directory, model.run, manifest.parity.tolerance)
    if not replayed.is_within:
        raise WorkloadError(
            f"{MODEL} does not answer {VECTORS} as at the export: {replayed.differing} labels differ, "
            f"the largest difference is {replayed.largest:.3g}; at most {manifest.parity.tolerance:g} may be"
        )
    return Loaded(manifest, model, replayed)


def _check_signature(manifest: BundleManifest, model: OnnxModel) -> None:
    if (manifest.inputs, manifest.outputs) != (model.inputs, model.outputs):
        raise WorkloadError(f"{MANIFEST} states another signature than that of {MODEL}")
