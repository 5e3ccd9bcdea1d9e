"""A model that was converted, checked and tested, and all that is needed to go on without the original.

`Prepared` is a value: `optimise` and `publish` take one, in the process that
made it or in another that loads it from its folder. The folder holds plain
files and no pickle: `prepared.json`, `model.onnx` (the chosen one),
`original.onnx` (before it was optimised) and `arrays.npz`.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import Field, ValidationError

from jupyterhub_mesos.errors import InvalidInput, WorkloadError
from jupyterhub_mesos.export.bundle import Candidate, Optimisation, Parity, Plain, Sha256, sha256_of
from jupyterhub_mesos.export.formats import Task
from jupyterhub_mesos.export.runtime import Array
from jupyterhub_mesos.export.vectors import restored, storable

FACTS: Final = "prepared.json"
CHOSEN: Final = "model.onnx"
ORIGINAL: Final = "original.onnx"
ARRAYS: Final = "arrays.npz"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model on its way into a bundle.

    `rows` are held-out rows, or the examples where none were given; `truth` is
    what the held-out rows should give, `expected` what the original model gave
    for them, by output. `content` is the ONNX file that would be published,
    `original` the one that the converter made. `environment` has the version of
    each package that made it.
    """

    name: str
    framework: str
    model_type: str
    task: Task
    tolerance: float
    content: bytes
    original: bytes
    rows: Array
    truth: Array | None
    expected: Mapping[str, Array]
    parity: Parity
    metrics: Mapping[str, float]
    environment: Mapping[str, str]
    python: str
    optimisation: Optimisation | None = None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """What was measured to find the best model; empty before `optimise` and where it was left out."""
        return self.optimisation.candidates if self.optimisation else ()

    @property
    def chosen(self) -> str:
        """The name of the candidate that would be published."""
        return self.optimisation.chosen if self.optimisation else "original"

    def save(self, folder: Path | str) -> Path:
        """Write the whole folder beside its place and move it there; what stood there before is replaced.

        A folder that holds something else is refused with InvalidInput.
        """
        place = Path(folder).expanduser().absolute()
        if place.exists() and (not place.is_dir() or (any(place.iterdir()) and not _is_ours(place))):
            raise InvalidInput(f"{place} holds something else than a prepared model: name another folder")
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{place.name}-", dir=place.parent) as scratch:
            new = Path(scratch) / "new"
            new.mkdir()
            _write(self, new)
            if place.exists():
                place.replace(Path(scratch) / "old")
            new.replace(place)
        return place

    @staticmethod
    def load(folder: Path | str) -> Prepared:
        """Read what `save` wrote; raises WorkloadError that names the file that does not hold."""
        place = Path(folder).expanduser()
        if not _is_ours(place):
            raise WorkloadError(
                f"there is no prepared model in {place}: {FACTS} is missing; prepare it first"
            )
        return _read(place)


class _Facts(Plain):
    """`prepared.json`; it names the other files with their sha256, so that half a folder is never used."""

    schema_version: Literal[1] = 1
    name: str
    framework: str
    model_type: str
    task: Annotated[Task, Field(strict=False)]
    tolerance: float
    parity: Parity
    metrics: dict[str, float]
    environment: dict[str, str]
    python: str
    optimisation: Optimisation | None
    files: dict[str, Sha256]


def _is_ours(place: Path) -> bool:
    return (place / FACTS).is_file()


def _write(prepared: Prepared, folder: Path) -> None:
    (folder / CHOSEN).write_bytes(prepared.content)
    (folder / ORIGINAL).write_bytes(prepared.original)
    arrays = {"rows": prepared.rows}
    arrays |= {} if prepared.truth is None else {"truth": prepared.truth}
    arrays |= {f"expected.{name}": values for name, values in prepared.expected.items()}
    kept = {name: storable(values) for name, values in arrays.items()}
    np.savez(folder / ARRAYS, allow_pickle=False, **kept)
    facts = _Facts(
        name=prepared.name,
        framework=prepared.framework,
        model_type=prepared.model_type,
        task=prepared.task,
        tolerance=prepared.tolerance,
        parity=prepared.parity,
        metrics=dict(prepared.metrics),
        environment=dict(prepared.environment),
        python=prepared.python,
        optimisation=prepared.optimisation,
        files={name: sha256_of(folder / name) for name in (CHOSEN, ORIGINAL, ARRAYS)},
    )
    (folder / FACTS).write_text(facts.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _read(folder: Path) -> Prepared:
    try:
        facts = _Facts.model_validate_json((folder / FACTS).read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise WorkloadError(f"{folder / FACTS} does not hold: {first['msg']}; prepare it again") from error
    for name in (CHOSEN, ORIGINAL, ARRAYS):
        path = folder / name
        if not path.is_file() or sha256_of(path) != facts.files.get(name):
            raise WorkloadError(f"{path} is missing or was changed; prepare the model again")
    arrays = _arrays(folder / ARRAYS)
    head = "expected."
    return Prepared(
        name=facts.name,
        framework=facts.framework,
        model_type=facts.model_type,
        task=facts.task,
        tolerance=facts.tolerance,
        content=(folder / CHOSEN).read_bytes(),
        original=(folder / ORIGINAL).read_bytes(),
        rows=arrays["rows"],
        truth=arrays.get("truth"),
        expected={key.removeprefix(head): arrays[key] for key in arrays if key.startswith(head)},
        parity=facts.parity,
        metrics=facts.metrics,
        environment=facts.environment,
        python=facts.python,
        optimisation=facts.optimisation,
    )


def _arrays(path: Path) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: restored(archive[name]) for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise WorkloadError(f"{path} cannot be read: {error}; prepare the model again") from error
