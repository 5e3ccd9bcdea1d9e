"""Verify a bundle before anything is deployed: the first step of every pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.export.bundle import MODEL, BundleManifest
from jupyterhub_mesos.export.checks import check_onnx
from jupyterhub_mesos.export.integrity import check_files, load
from jupyterhub_mesos.export.progress import Report, say


@dataclass(frozen=True, slots=True)
class Verification:
    """A bundle that passed, and what was checked, in a person's words."""

    manifest: BundleManifest
    checks: tuple[str, ...]


def verify(directory: Path | str, *, report: Report = say) -> Verification:
    """Check a bundle's manifest, files, model and test vectors, reporting each.

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
