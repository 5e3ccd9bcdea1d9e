"""A dump of Slurm's accounting: `sacct --allusers --parsable2 --format=...`, one line per job.

Needed: Submit, Account, Elapsed or ElapsedRaw, and AllocTRES or ReqTRES (or
AllocCPUS, ReqCPUS or NCPUS). Lines of steps (`123.batch`) are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.simulate.traces.cells import is_missing, span
from jupyterhub_mesos.simulate.traces.columns import Columns, Field, Source
from jupyterhub_mesos.simulate.traces.faults import Fault, RowFault
from jupyterhub_mesos.simulate.traces.table import Row, opened

SEPARATOR: Final = "|"
NEEDED: Final = (
    ("JobID",),
    ("Submit",),
    ("Account",),
    ("ElapsedRaw", "Elapsed"),
    ("AllocTRES", "ReqTRES", "AllocCPUS", "ReqCPUS", "NCPUS"),
)
"""Of each group one; the first that a line knows counts."""
ORDER: Final = (
    "JobID,User,Account,Submit,Start,End,ElapsedRaw,State,Timelimit,Partition,QOS,ReqTRES,AllocTRES"
)
"""What to ask sacct for."""
_CPUS: Final = ("AllocCPUS", "ReqCPUS", "NCPUS")
_GPU: Final = "gres/gpu"
_PER_MIB: Final = {"K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2, "": 1.0}
_MEMORY: Final = re.compile(r"(\d+(?:\.\d+)?)([KMGT]?)")
_KNOWN: Final[Columns] = {
    Field.SUBMIT: Source("Submit"),
    Field.DURATION: Source("duration"),
    Field.CPUS: Source("cpus"),
    Field.GPUS: Source("gpus"),
    Field.MEMORY: Source("mem_mib"),
    Field.FLAVOR: Source("gpu_type"),
    Field.TEAM: Source("Account"),
    Field.USER: Source("User"),
}


class SacctTable:
    """A dump of sacct; beside its own columns it has `duration`, `cpus`, `gpus`, `mem_mib` and `gpu_type`."""

    noun = "line"
    known = _KNOWN

    def __init__(self, path: Path) -> None:
        self._path = path
        with opened(path) as file:
            self._heads = tuple(file.readline().rstrip("\r\n").split(SEPARATOR))
        for group in NEEDED:
            if not set(group) & set(self._heads):
                raise InvalidInput(
                    f"no {' or '.join(group)} in its first line: dump it again with "
                    f"sacct --allusers --parsable2 --format={ORDER}",
                    where=str(path),
                )
        own = ("duration", "cpus", "gpus", "mem_mib", "gpu_type")
        self.names = (*self._heads, *own) + (() if "User" in self._heads else ("User",))

    def rows(self) -> Iterator[Row]:
        """Yield every job's line."""
        with opened(self._path) as file:
            next(file, None)
            for number, line in enumerate(file, 2):
                parts = line.rstrip("\r\n").split(SEPARATOR)
                if len(parts) != len(self._heads):
                    yield Row(
                        number,
                        RowFault(
                            Fault.UNREADABLE,
                            f"{len(parts)} cells; the first line names {len(self._heads)} columns",
                        ),
                    )
                    continue
                heads = dict(zip(self._heads, parts, strict=True))
                if "." not in heads["JobID"]:
                    yield Row(number, _cells(heads))


def _cells(heads: Mapping[str, str]) -> dict[str, object] | RowFault:
    try:
        elapsed = span(heads.get("ElapsedRaw") or heads.get("Elapsed"), "Elapsed")
        if elapsed == 0 and is_missing(heads.get("Start", "Unknown")):
            return RowFault(Fault.NEVER_RAN, "it never ran: for how long it would have is not known")
        tres = _tres(heads.get("AllocTRES") or heads.get("ReqTRES") or "")
        cpus = tres.get("cpu") or next((heads[name] for name in _CPUS if heads.get(name)), None)
        return {
            **heads,
            "User": heads.get("User") or heads["Account"],
            "duration": elapsed,
            "cpus": cpus,
            "mem_mib": _mib(tres.get("mem", "0")),
            **_gpus(tres),
        }
    except RowFault as fault:
        return fault


def _tres(text: str) -> Mapping[str, str]:
    """Read `billing=8,cpu=8,gres/gpu:a100=2,gres/gpu=2,mem=64G,node=1`."""
    return {name: count for name, _, count in (part.partition("=") for part in text.split(","))}


def _gpus(tres: Mapping[str, str]) -> Mapping[str, object]:
    """Return the number of GPUs, and their flavor where all are of one."""
    named = {name.partition(":")[2]: count for name, count in tres.items() if name.startswith(f"{_GPU}:")}
    flavor = next(iter(named)) if len(named) == 1 else None
    if _GPU in tres:
        return {"gpus": tres[_GPU], "gpu_type": flavor}
    try:
        return {"gpus": sum(map(int, named.values())), "gpu_type": flavor}
    except ValueError as error:
        raise RowFault(
            Fault.UNREADABLE, f"AllocTRES names {named} GPUs; whole numbers are possible"
        ) from error


def _mib(text: str) -> int:
    found = _MEMORY.fullmatch(text)
    if found is None:
        raise RowFault(Fault.UNREADABLE, f"mem is {text!r}; a number with K, M, G or T is possible")
    return round(float(found[1]) * _PER_MIB[found[2]])
