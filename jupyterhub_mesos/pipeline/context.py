"""What every step of a run is given, and what a step is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from jupyterhub_mesos.client import Client
from jupyterhub_mesos.pipeline.checkout import Project
from jupyterhub_mesos.pipeline.document import Part
from jupyterhub_mesos.pipeline.reporting import Outcome, Reporter
from jupyterhub_mesos.pipeline.signals import Signals
from jupyterhub_mesos.pipeline.state import StateFile
from jupyterhub_mesos.wire import PipelineStep


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a project's steps in the folder `work`.

    `client` reaches the capacity service when a step needs it; `is_again` says that nothing of
    an earlier run is to be taken up.
    """

    project: Project
    work: Path
    state: StateFile
    reporter: Reporter
    signals: Signals
    client: Callable[[], Client]
    team: str | None = None
    is_again: bool = False


class Step(Protocol):
    """One step: what it depends on besides the step before, and what it does."""

    @property
    def name(self) -> PipelineStep:
        """Its name in `pipeline.yaml`, on the command line and in events."""
        ...

    def left_out(self, run: Run) -> str:
        """Say why the project leaves it out; empty where it does not."""
        ...

    def depends_on(self, run: Run) -> tuple[object, ...]:
        """Return all that it reads of the project, as JSON has it."""
        ...

    def is_intact(self, run: Run) -> bool:
        """Whether what it left in the work folder is still there."""
        ...

    def take(self, run: Run, inputs: str) -> Outcome:
        """Do it; raises `CapacityError` with the sentence where it fails."""
        ...


def digest(*parts: object) -> str:
    """Return a short name of values that differs where any of them does."""
    texts = [part.model_dump(mode="json") if isinstance(part, Part) else part for part in parts]
    return hashlib.sha256(json.dumps(texts, sort_keys=True).encode()).hexdigest()[:16]


def digests_of(folder: Path, paths: tuple[str, ...]) -> dict[str, str]:
    """Return the sha256 of files of a project; one that is missing has none."""
    return {
        path: hashlib.sha256((folder / path).read_bytes()).hexdigest()
        for path in sorted(paths)
        if (folder / path).is_file()
    }
