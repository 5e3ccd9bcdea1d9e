"""The model card: a bundle's manifest in a person's words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from jupyterhub_mesos.export.bundle import BundleManifest, Lineage, Optimisation, Tensor


def card(manifest: BundleManifest) -> str:
    """Write MODEL_CARD.md."""
    return (
        "\n".join([*_head(manifest), *_quality(manifest), *_origin(manifest.lineage), *_use(manifest)]) + "\n"
    )


def _head(manifest: BundleManifest) -> Iterator[str]:
    made = datetime.fromtimestamp(manifest.created_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    yield f"# {manifest.name} v{manifest.version}"
    yield ""
    if manifest.description:
        yield manifest.description
        yield ""
    yield f"A {manifest.model_type} ({manifest.framework}) as ONNX,"
    yield f"exported {made} by {_code(manifest.author)}"
    yield f"of team {_code(manifest.team)}." if manifest.team else "of no team."
    yield ""
    yield "| tensor | name | datatype | shape (-1: any) |"
    yield "| --- | --- | --- | --- |"
    yield from _tensors("input", manifest.inputs)
    yield from _tensors("output", manifest.outputs)
    yield ""


def _tensors(side: str, tensors: Iterable[Tensor]) -> Iterator[str]:
    for tensor in tensors:
        yield f"| {side} | {_code(tensor.name)} | {tensor.datatype} | {list(tensor.shape)} |"


def _quality(manifest: BundleManifest) -> Iterator[str]:
    parity, optimisation = manifest.parity, manifest.optimisation
    is_changed = optimisation is not None and optimisation.chosen != "original"
    yield "## Quality"
    yield ""
    yield f"- Against the original on {parity.rows} rows: {parity.differing_labels} labels differ,"
    limit = "" if is_changed else f" (at most {parity.tolerance:g})"
    yield f"  the largest difference is {parity.largest_difference:.3g}{limit}."
    for name, value in manifest.metrics.items():
        yield f"- {_code(name)}: {value:.6g}"
    yield ""
    if optimisation is not None:
        yield from _optimisation(optimisation)


def _optimisation(found: Optimisation) -> Iterator[str]:
    yield "## Optimisation"
    yield ""
    yield f"Published is {_code(found.chosen)}: {found.reason}."
    yield f"Measured on {found.rows} held-out rows, timed one by one on one thread; {found.calibration_rows}"
    yield f"others calibrated static int8. At most {found.tolerance:g} of {_code(found.measure)} may be lost."
    yield ""
    yield f"| form | bytes | {found.measure} | lost | µs a row | |"
    yield "| --- | --: | --: | --: | --: | --- |"
    for one in found.candidates:
        numbers = f"{one.size_bytes} | {one.value:.4f} | {one.drop:.4f} | {one.latency_us:.0f}"
        yield f"| {_code(one.name)} | {numbers} | {one.verdict} |"
    for name, reason in found.failed.items():
        yield f"| {_code(name)} | | | | | could not be made: {_code(reason)} |"
    yield ""


def _origin(lineage: Lineage) -> Iterator[str]:
    yield "## Where it came from"
    yield ""
    if notebook := lineage.notebook:
        at = f"commit {notebook.commit[:12]}" if notebook.commit else "no git repository"
        changed = ", with changes that are not committed" if notebook.is_dirty else ""
        yield f"- Notebook {_code(notebook.path)} ({at}{changed}; sha256 {notebook.sha256[:12]}…)."
    if job := lineage.job:
        yield f"- Training job {_code(job.request_id)}, generation {job.generation}."
    if project := lineage.pipeline:
        yield f"- Pipeline {_code(project.repository)} at commit {project.commit[:12]}."
    for data in lineage.lake:
        yield f"- Data {_code(data.uri)}, {data.size_bytes} bytes (sha256 {data.sha256[:12]}…)."
    main = ("scikit-learn", "skl2onnx", "torch", "onnxscript", "onnx", "numpy")
    versions = (f"{name} {lineage.environment[name]}" for name in main if name in lineage.environment)
    yield f"- Python {lineage.python}, {', '.join(versions)}; all versions are in `bundle.json`."
    yield ""


def _use(manifest: BundleManifest) -> Iterator[str]:
    yield "## Use"
    yield ""
    yield "```"
    yield f"python -m jupyterhub_mesos.export {manifest.path}                      # is it whole?"
    yield f"python -m jupyterhub_mesos.serving --bundle {manifest.path} --name {manifest.name} --port 8080"
    yield "```"


def _code(text: str) -> str:
    return "`" + text.replace("`", "'").replace("|", "/").replace("\n", " ") + "`"
