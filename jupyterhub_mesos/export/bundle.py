"""What a bundle is on disk: its files, and `bundle.json`, which says what they are and where they came from.

Reading a bundle needs pydantic and the standard library alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from jupyterhub_mesos.errors import WorkloadError

MANIFEST: Final = "bundle.json"
MODEL: Final = "model/model.onnx"
VECTORS: Final = "test-vectors.npz"
CARD: Final = "MODEL_CARD.md"
LOCK: Final = "requirements.lock"
SIGNATURE: Final = "bundle.sig"

NAME_PATTERN: Final = r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"
"""A model's name is a folder, part of a git tag, a URL segment and a Kubernetes name (40: suffixes fit)."""
_CHUNK_BYTES: Final = 1 << 20

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Datatype = Literal["BOOL", "UINT8", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"]
"""The Open Inference Protocol's words."""


class Plain(BaseModel):
    """What every part of the manifest shares: strict, frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Tensor(Plain):
    """An input or output of the model; -1 in `shape` stands for any length (the batch)."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]


class Notebook(Plain):
    """The notebook that exported the model; `commit` is empty outside a git repository."""

    path: str
    sha256: Sha256
    commit: str = ""
    is_dirty: bool = False


class JobRun(Plain):
    """The training job, by its request's id, and the generation that finished it."""

    request_id: str
    generation: int = 1


class Project(Plain):
    """The pipeline project whose run published the model."""

    repository: str
    commit: str


class LakeInput(Plain):
    """Data that the model was made from, as it was at the export."""

    uri: str
    sha256: Sha256
    size_bytes: int


class Lineage(Plain):
    """Where the model came from; `environment` is the exact version of each package that made it."""

    notebook: Notebook | None = None
    job: JobRun | None = None
    pipeline: Project | None = None
    lake: tuple[LakeInput, ...] = ()
    environment: dict[str, str] = Field(default_factory=dict)
    python: str


class Parity(Plain):
    """How the published model compares with the original on `rows` rows.

    `largest_difference` is the largest absolute difference of a number (scores,
    probabilities). `tolerance` is by how much a replay of the test vectors may
    differ; unless the model was optimised, the comparison kept it as well.
    """

    rows: int
    tolerance: float
    differing_labels: int
    largest_difference: float


class Candidate(Plain):
    """A form of the model that was measured: `drop` is what it loses of the measure against the original.

    `latency_us` is the median time for one row, in microseconds; `verdict` says why it was taken or not.
    """

    name: str
    size_bytes: int
    latency_us: float
    value: float
    drop: float
    verdict: str


class Optimisation(Plain):
    """What was measured to find the best form of the model, and why it was chosen.

    `measure` is what `value` is: a metric's name, or `difference` (from the original) without labels.
    `noise` is by which part the original's own time varied; `failed` names forms that could not be made.
    """

    chosen: str
    reason: str
    measure: str
    rows: int
    calibration_rows: int
    tolerance: float
    noise: float
    candidates: Annotated[tuple[Candidate, ...], Field(min_length=1)]
    failed: dict[str, str] = Field(default_factory=dict)


class BundleManifest(Plain):
    """`bundle.json`: everything that is said of a bundle; docs/reference/bundle.md explains each key.

    `files` has the sha256 of every other file; `digest` that of this manifest
    itself, so that an edit by hand shows. Neither is a signature: that is
    `bundle.sig`, which is over this manifest too and so in none of its lists.
    """

    schema_version: Literal[1] = 1
    name: Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
    version: Annotated[int, Field(ge=1)]
    description: str = ""
    framework: str
    model_type: str
    author: str
    team: str
    created_at: float
    inputs: Annotated[tuple[Tensor, ...], Field(min_length=1)]
    outputs: Annotated[tuple[Tensor, ...], Field(min_length=1)]
    parity: Parity
    metrics: dict[str, float] = Field(default_factory=dict)
    optimisation: Optimisation | None = None
    lineage: Lineage
    is_signed: bool = False
    files: dict[str, Sha256] = Field(default_factory=dict)
    digest: str = ""

    @property
    def tag(self) -> str:
        """The git tag of this version, `NAME/vN`."""
        return f"{self.name}/v{self.version}"

    @property
    def path(self) -> str:
        """Where the bundle stands in a repository of models."""
        return f"models/{self.name}"

    def own_digest(self) -> str:
        """Compute what `digest` has to be: the sha256 of the manifest without it, as compact sorted JSON."""
        content = self.model_dump(mode="json", exclude={"digest"})
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """Hash a file's content without holding it in memory."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def files_of(directory: Path) -> Iterator[str]:
    """Yield the path of all under `directory` that is not a folder, links and hidden files included."""
    for path in sorted(directory.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(directory).as_posix()


def read_manifest(directory: Path) -> BundleManifest:
    """Read `bundle.json`; raises WorkloadError that names the key that does not hold."""
    path = directory / MANIFEST
    if not path.is_file() or path.is_symlink():
        raise WorkloadError(f"{MANIFEST} is missing in {directory}: this is not a bundle, or not all of it")
    try:
        manifest = BundleManifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise WorkloadError(f"{MANIFEST} does not hold: {_first_of(error)}") from error
    if manifest.digest != manifest.own_digest():
        raise WorkloadError(f"{MANIFEST} was changed after the export: its digest is not that of its content")
    return manifest


def _first_of(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])


def write_manifest(directory: Path, manifest: BundleManifest) -> BundleManifest:
    """Write `bundle.json` over the files as they are now, and return it as written."""
    listed = (name for name in files_of(directory) if name not in {MANIFEST, SIGNATURE})
    files = {name: sha256_of(directory / name) for name in listed}
    counted = manifest.model_copy(update={"files": files})
    written = counted.model_copy(update={"digest": counted.own_digest()})
    (directory / MANIFEST).write_text(written.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return written
