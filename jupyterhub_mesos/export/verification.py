"""Verify a bundle before anything is deployed: the first step of every pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.export.bundle import MODEL, SIGNATURE, BundleManifest
from jupyterhub_mesos.export.checks import check_onnx
from jupyterhub_mesos.export.integrity import check_files, load
from jupyterhub_mesos.export.progress import Report, say
from jupyterhub_mesos.export.signature import check_signature


@dataclass(frozen=True, slots=True)
class Verification:
    """A bundle that passed, and what was checked, in a person's words."""

    manifest: BundleManifest
    checks: tuple[str, ...]


def verify(
    directory: Path | str, *, public_key: Path | str | None = None, report: Report = say
) -> Verification:
    """Check a bundle's manifest, files, signature, model and test vectors, reporting each.

    The signature is checked with a `public_key` alone; a bundle without one is then refused.

    Raises WorkloadError that names the file and what is wrong with it; InvalidInput where no folder is.
    """
    folder = Path(directory).expanduser()
    if not folder.is_dir():
        raise InvalidInput(f"there is no folder {folder}: name the folder that holds bundle.json")
    checks: list[str] = []

    def passed(line: str) -> None:
        checks.append(line)
        report(f"ok  {line}")

    manifest = check_files(folder)
    passed(f"bundle.json: {manifest.name} v{manifest.version}, {len(manifest.files)} files as exported")
    if public_key is not None:
        check_signature(folder, Path(public_key).expanduser())
        passed(f"{SIGNATURE}: signed by the key of {public_key}")
    elif manifest.is_signed:
        report(f"--  {SIGNATURE}: not checked, no public key was given")
    if find_spec("onnx") is None:
        report(f"--  {MODEL}: onnx is not installed here, its checker is left out")
    else:
        check_onnx((folder / MODEL).read_bytes())
        passed(f"{MODEL}: valid ONNX")
    replayed = load(folder).replayed
    passed(
        f"test-vectors.npz: answered as at the export, largest difference {replayed.largest:.3g} "
        f"(at most {manifest.parity.tolerance:g})"
    )
    return Verification(manifest, tuple(checks))
