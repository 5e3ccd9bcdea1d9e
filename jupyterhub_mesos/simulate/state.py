"""A replay that was stopped, as JSON: the machine's rows, what is due, and what the observers saw."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from pydantic import TypeAdapter, ValidationError

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.simulate.agenda import Entry
from jupyterhub_mesos.simulate.observers import Json
from jupyterhub_mesos.simulate.runs import Run
from jupyterhub_mesos.simulate.sessions import Behind
from jupyterhub_mesos_quota.kept import Kept
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import Allocation, Request


@dataclass(frozen=True, slots=True)
class Rows:
    """What the machine is restored from, beside teams, nodes and policy."""

    requests: list[Request]
    allocations: list[Allocation]
    kept: Kept

    @classmethod
    def of(cls, machine: QuotaMachine) -> Rows:
        """Take down what is not over."""
        machine.forget_ended()
        return cls(list(machine.requests.values()), list(machine.allocations.values()), machine.kept())


@dataclass(frozen=True, slots=True)
class State:
    """All of a replay but what it is replayed under; `read` jobs of the trace have come."""

    now: float
    read: int
    over: int
    runs: list[Run]
    running: list[str]  # the jobs that hold something, in the order of their grants
    due: list[Entry]
    sessions: Behind
    rows: Rows
    seen: list[Json]  # by the observers, in their order


_STATE: Final = TypeAdapter(State)


def to_json(state: State) -> Json:
    """Write a state down."""
    written: Json = _STATE.dump_python(state, mode="json")
    return written


def from_json(saved: Json) -> State:
    """Read a state; raises `InvalidInput` for what is none of this version."""
    try:
        return _STATE.validate_python(saved)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][:4])
        known = ", ".join(field.name for field in fields(State))
        raise InvalidInput(
            f"this is no state of a stopped replay ({where}: {first['msg']}): a state of this version holds "
            f"{known}; begin the replay anew"
        ) from error
