"""A checkpoint in the lake: named arrays and the step they belong to, replaced as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from jupyterhub_mesos.training.arrays import Array, refuse_objects

FILE_NAME: Final = "checkpoint.npz"
_STEP: Final = "step"
_ARRAY: Final = "array."
"""Before each name, so that no name of a script's meets one of ours or numpy's."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What a checkpoint holds: `arrays` as they were after `step`."""

    step: int
    arrays: dict[str, Array]


class Checkpoint:
    """The checkpoint in a folder; one process writes it (the worker with index 0), everybody may read."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser()
        self.path = self.folder / FILE_NAME

    @classmethod
    def from_environment(cls) -> Checkpoint:
        """Return the job's own checkpoint, `JOB_CHECKPOINT`."""
        return cls(os.environ["JOB_CHECKPOINT"])

    def save(self, step: int, arrays: Mapping[str, Array]) -> None:
        """Replace the checkpoint; durable on return, and never seen half written."""
        refuse_objects(arrays.values())
        self.folder.mkdir(parents=True, exist_ok=True)
        content: dict[str, Any] = {_ARRAY + name: array for name, array in arrays.items()}
        content[_STEP] = np.asarray(step, dtype=np.int64)
        partial = self.folder / f".{FILE_NAME}.{os.getpid()}.partial"
        with partial.open("wb") as file:
            np.savez(file, **content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path)
        _sync_folder(self.folder)

    def load(self) -> Saved | None:
        """Return what was saved last, or nothing; pickled objects are refused."""
        if not self.path.is_file():
            return None
        with np.load(self.path, allow_pickle=False) as data:
            arrays = {name.removeprefix(_ARRAY): data[name] for name in data.files if name != _STEP}
            return Saved(int(data[_STEP]), arrays)


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
