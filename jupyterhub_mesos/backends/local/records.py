"""What a task's folder says of its task; a damaged file is a finding here, never an error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Final

from jupyterhub_mesos.backends.local.folders import TaskFolder
from jupyterhub_mesos.errors import BackendError

_Fields = Mapping[str, type | UnionType]
_OF_TASK: Final[_Fields] = {"id": str, "allocation_id": str, "mem_mib": int, "orders": dict}
_OF_SHIM: Final[_Fields] = {"pid": int, "start_time": int}
_OF_END: Final[_Fields] = {"exit_code": int | None, "oom_kills": int, "error": str}
_TASK_ID: Final = re.compile(r"(?P<allocation>.+)-g\d+-.+")
"""How `tasks.task_id` names tasks: what is left of one whose `spec.json` is lost is its folder's name."""


@dataclass(frozen=True, slots=True)
class Record:
    """A task's documents, where they are there and whole; `damage` says which are not."""

    document: dict[str, Any]
    shim: dict[str, Any] | None
    last_words: dict[str, Any] | None
    damage: str


def read_record(folder: TaskFolder) -> Record:
    """Read all that a folder says."""
    damages: list[str] = []
    document = _read(folder, "spec.json", _OF_TASK, damages)
    if document is None and not damages:
        damages.append(f"{folder.path / 'spec.json'} is missing")
    shim = _read(folder, "shim.json", _OF_SHIM, damages)
    last_words = _read(folder, "exit.json", _OF_END, damages)
    return Record(document or _made_up(folder), shim, last_words, "; ".join(damages))


def read_shim(folder: TaskFolder) -> dict[str, Any] | None:
    """Return the shim's pid and start time; None where there is nothing that can be read."""
    return _read(folder, "shim.json", _OF_SHIM, [])


def read_last_words(folder: TaskFolder) -> dict[str, Any] | None:
    """Return how the task ended; None where the shim left nothing that can be read."""
    return _read(folder, "exit.json", _OF_END, [])


def _read(folder: TaskFolder, name: str, fields: _Fields, damages: list[str]) -> dict[str, Any] | None:
    try:
        document = folder.read(name)
    except (BackendError, OSError) as error:
        damages.append(str(error))
        return None
    if document is None:
        return None
    wrong = [
        key for key, kind in fields.items() if key not in document or not isinstance(document[key], kind)
    ]
    if wrong:
        damages.append(f"{folder.path / name} is damaged: {', '.join(wrong)}")
    return None if wrong else document


def _made_up(folder: TaskFolder) -> dict[str, Any]:
    named = _TASK_ID.fullmatch(folder.path.name)
    allocation = named["allocation"] if named else ""
    orders = {"is_sandbox": False}
    return {"id": folder.path.name, "allocation_id": allocation, "mem_mib": 0, "orders": orders}
