"""Which column of a trace holds what: the common names are recognised, others are told by `--columns`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from jupyterhub_mesos.errors import InvalidInput


class Field(StrEnum):
    """What a job's row can say; docs/reference/simulate.md lists them."""

    SUBMIT = "submit"  # when it was asked for
    START = "start"  # when it ran; the submission where there is no other
    END = "end"
    DURATION = "duration"  # how long it ran
    GPUS = "gpus"  # of each replica, as all amounts
    CPUS = "cpus"  # cores
    MEMORY = "memory"  # MiB
    REPLICAS = "replicas"
    FLAVOR = "flavor"  # of its GPUs
    TEAM = "team"
    USER = "user"
    KIND = "kind"  # notebook, training, serving, pipeline
    PRIORITY = "priority"
    LIMIT = "limit"  # how long it was allowed to run
    SESSION = "session"  # jobs of one session come one after the other


@dataclass(frozen=True, slots=True)
class Source:
    """Where a field stands, and by what its numbers are multiplied for our unit (s, cores, MiB)."""

    column: str
    factor: float = 1.0


Columns = Mapping[Field, Source]

_TIME: Final = {
    "ms": 0.001,
    "s": 1.0,
    "sec": 1.0,
    "seconds": 1.0,
    "min": 60.0,
    "minutes": 60.0,
    "h": 3600.0,
    "hours": 3600.0,
    "days": 86400.0,
}
_CORES: Final = {"millis": 0.001, "cores": 1.0}
_MEMORY: Final = {
    "mib": 1.0,
    "gib": 1024.0,
    "kib": 1 / 1024,
    "kb": 1 / 1024,
    "mb": 1.0,
    "gb": 1024.0,
    "bytes": 1 / 1024**2,
}
UNITS: Final[Mapping[Field, Mapping[str, float]]] = {
    **dict.fromkeys((Field.SUBMIT, Field.START, Field.END, Field.DURATION, Field.LIMIT), _TIME),
    Field.CPUS: _CORES,
    Field.MEMORY: _MEMORY,
}
"""By field: the endings of a column's name that say its unit (`dur_min`), as after `:` in `--columns`."""
NAMES: Final[Mapping[Field, frozenset[str]]] = {
    Field.SUBMIT: frozenset({"submit", "submitted", "submitted_at", "submit_time", "submission", "arrival"}),
    Field.START: frozenset({"start", "started", "started_at", "start_time", "begin"}),
    Field.END: frozenset({"end", "ended", "ended_at", "end_time", "finish", "finished_at"}),
    Field.DURATION: frozenset({"duration", "dur", "runtime", "run_time", "elapsed", "run"}),
    Field.GPUS: frozenset({"gpus", "gpu", "num_gpus", "num_gpu", "gpu_num", "n_gpus", "accelerators"}),
    Field.CPUS: frozenset({"cpus", "cpu", "num_cpus", "n_cpus", "cores", "procs", "processors"}),
    Field.MEMORY: frozenset({"memory", "mem", "ram"}),
    Field.REPLICAS: frozenset({"replicas", "workers", "instances"}),
    Field.FLAVOR: frozenset({"flavor", "gpu_type", "gpu_model"}),
    Field.TEAM: frozenset({"team", "vc", "account", "group", "project", "tenant"}),
    Field.USER: frozenset({"user", "username", "owner"}),
    Field.KIND: frozenset({"kind", "workload"}),
    Field.PRIORITY: frozenset({"priority"}),
    Field.LIMIT: frozenset(),  # told only: a job that was cut off at its limit would be cut off again
    Field.SESSION: frozenset({"session"}),
}
"""The names that are recognised by themselves, in small letters and without the ending for the unit."""
_ENDING: Final = re.compile(r"(.+)_([a-z]+)")


def asked(text: str) -> Mapping[Field, Source]:
    """Read `--columns`: `FIELD=COLUMN` or `FIELD=COLUMN:UNIT`, several with commas between."""
    found: dict[Field, Source] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, column = part.partition("=")
        if not equals or not column or name not in set(Field):
            raise InvalidInput(
                f"{part!r} is no FIELD=COLUMN; the fields are {', '.join(Field)}", where="--columns"
            )
        found[Field(name)] = _source(Field(name), column)
    return found


def _source(field: Field, column: str) -> Source:
    name, colon, unit = column.rpartition(":")
    if not colon:
        return Source(column, _ended(field, column.lower())[1])
    units = UNITS.get(field, {})
    if unit not in units:
        raise InvalidInput(
            f"{unit!r} is no unit of {field}; possible: {', '.join(units) or 'none, it is counted'}",
            where="--columns",
        )
    return Source(name, units[unit])


def _ended(field: Field, name: str) -> tuple[str, float]:
    """Take the unit off a column's name; without one it is seconds, cores or MiB."""
    ending = _ENDING.fullmatch(name)
    factor = UNITS.get(field, {}).get(ending[2]) if ending else None
    return (name, 1.0) if ending is None or factor is None else (ending[1], factor)


def recognise(names: Sequence[str], told: Columns, *, has_team: bool) -> Columns:
    """Find every field's column, first among what was told.

    Raises `InvalidInput` for a told column that is not there, two columns for
    one field, and a trace that does not say when, for how long or for whom.
    """
    for field, source in told.items():
        if source.column not in names:
            raise InvalidInput(
                f"there is no column {source.column!r} for {field}; the trace has {', '.join(names)}",
                where="--columns",
            )
    taken = {source.column for source in told.values()}
    found = dict(told)
    for field in Field:
        if field not in told:
            found |= _found(field, (name for name in names if name not in taken))
    _check(found, names, has_team=has_team)
    return found


def _found(field: Field, names: Iterable[str]) -> Columns:
    fits: list[Source] = []
    for name in names:
        plain, factor = _ended(field, name.lower())
        if name.lower() in NAMES[field]:
            fits.append(Source(name))
        elif plain in NAMES[field]:
            fits.append(Source(name, factor))
    if len(fits) > 1:
        both = " and ".join(source.column for source in fits)
        raise InvalidInput(f"{field} may stand in {both}: say which with --columns {field}={fits[0].column}")
    return {field: fits[0]} if fits else {}


def _check(found: Columns, names: Sequence[str], *, has_team: bool) -> None:
    have = f"the trace has {', '.join(names)}"
    if Field.SUBMIT not in found and Field.START not in found:
        raise InvalidInput(f"no column says when a job was submitted; {have}: name it, --columns submit=NAME")
    if Field.DURATION not in found and not {Field.START, Field.END} <= set(found):
        raise InvalidInput(f"no column says how long a job ran; {have}: name it, --columns duration=NAME")
    if Field.TEAM not in found and not has_team:
        raise InvalidInput(
            f"no column says whose a job is; {have}: name it, --columns team=NAME, or give all jobs to one, "
            "--team NAME"
        )
    if not {Field.GPUS, Field.CPUS, Field.MEMORY} & set(found):
        raise InvalidInput(f"no column says how much a job holds; {have}: name it, --columns gpus=NAME")
