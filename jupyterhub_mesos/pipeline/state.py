"""`state.json` in a run's work folder: what is done, with what, so that the next run goes on from there."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError

from jupyterhub_mesos.errors import Conflict, InvalidInput
from jupyterhub_mesos.pipeline.document import Part
from jupyterhub_mesos.wire import PipelineStep, StepState

FILE: Final = "state.json"
_LOCK: Final = ".lock"


class StepRecord(Part):
    """How a step ended last: `inputs` is a digest of all that it read, `output` names what it made."""

    state: StepState
    inputs: str
    output: str = ""
    result: str = ""
    seconds: float = 0.0
    request: str | None = None
    rows: tuple[tuple[str, ...], ...] = ()


class JobRecord(Part):
    """The training job, noted before it is followed."""

    inputs: str
    request: str
    name: str
    checkpoint: str
    generation: int = 1
    metrics: dict[str, float] = Field(default_factory=dict)


class ServerRecord(Part):
    """The model server, noted before it is waited for."""

    inputs: str
    request: str


class StoredRecord(Part):
    """The model's version in git."""

    repository: str
    tag: str
    commit: str
    version: int


class State(Part):
    """The whole file."""

    version: Literal[1] = 1
    name: str
    commit: str
    steps: dict[PipelineStep, StepRecord] = Field(default_factory=dict[PipelineStep, StepRecord])
    job: JobRecord | None = None
    bundle_inputs: str = ""
    stored: StoredRecord | None = None
    server: ServerRecord | None = None


class StateFile:
    """The state in `work`, written as a whole at each change."""

    def __init__(self, work: Path, name: str, commit: str) -> None:
        self._path = work / FILE
        self.state = self._read() or State(name=name, commit=commit)
        if (self.state.name, self.state.commit) != (name, commit):
            raise Conflict(
                f"{work} holds a run of {self.state.name} at {self.state.commit[:12]}, not of {name} at "
                f"{commit[:12]}: name another --work"
            )

    def change(self, **fields: Any) -> None:
        """Replace fields of the state; durable on return."""
        self.state = self.state.model_copy(update=fields)
        partial = self._path.with_name(f".{FILE}.partial")
        with partial.open("w", encoding="utf-8") as file:
            file.write(self.state.model_dump_json(indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._path)

    def record(self, step: PipelineStep, record: StepRecord) -> None:
        """Note how a step ended."""
        self.change(steps={**self.state.steps, step: record})

    def _read(self) -> State | None:
        try:
            return State.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise InvalidInput(
                f"{'.'.join(map(str, first['loc']))}: {first['msg']}; another version may have written it: "
                "remove it to run every step anew",
                where=str(self._path),
            ) from error


@contextmanager
def sole_run(work: Path) -> Generator[None]:
    """Keep other runs out of a work folder, which is made where it is missing; raises `Conflict`."""
    try:
        work.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(work / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InvalidInput(f"{work} cannot be written ({error.strerror}): name another --work") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise Conflict(f"another run is under way in {work}: wait for its end, or cancel it") from error
    try:
        yield
    finally:
        os.close(descriptor)
