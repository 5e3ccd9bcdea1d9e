"""The Standard Workload Format of the Parallel Workloads Archive: 18 numbers in each line, -1 for unknown.

https://www.cs.huji.ac.il/labs/parallel/workload/swf.html (D. Feitelson). Its
processors are read as CPU cores; `--columns gpus=procs` reads them as GPUs.
The group is read as the team; queue and partition may be named instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jupyterhub_mesos.simulate.traces.columns import Columns, Field, Source
from jupyterhub_mesos.simulate.traces.faults import Fault, RowFault
from jupyterhub_mesos.simulate.traces.table import Row, opened

NAMES: Final = (
    "job",
    "submit",
    "wait",
    "run",
    "procs_allocated",
    "cpu_time",
    "memory_used",
    "procs_requested",
    "time_requested",
    "memory_requested",
    "status",
    "user",
    "group",
    "program",
    "queue",
    "partition",
    "preceding",
    "think",
)
COMMENT: Final = ";"
UNKNOWN: Final = "-1"
CANCELLED: Final = "5"
_KNOWN: Final[Columns] = {
    Field.SUBMIT: Source("submit"),
    Field.DURATION: Source("run"),
    Field.CPUS: Source("procs"),
    Field.TEAM: Source("group"),
    Field.USER: Source("user"),
}


class SwfTable:
    """A file in the Standard Workload Format; `procs` are those allocated, else those asked for."""

    noun = "line"
    known = _KNOWN
    names = (*NAMES, "procs")

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self) -> Iterator[Row]:
        """Yield every line that is no comment."""
        with opened(self._path) as file:
            for number, line in enumerate(file, 1):
                if line.strip() and not line.lstrip().startswith(COMMENT):
                    yield Row(number, _cells(line.split()))


def _cells(parts: list[str]) -> dict[str, object] | RowFault:
    if len(parts) != len(NAMES):
        return RowFault(Fault.UNREADABLE, f"{len(parts)} numbers; the format has {len(NAMES)} in each line")
    cells: dict[str, object] = {
        name: None if part == UNKNOWN else part for name, part in zip(NAMES, parts, strict=True)
    }
    has_run = cells["run"] is not None and (cells["run"] != "0" or cells["status"] != CANCELLED)
    if not has_run:
        return RowFault(Fault.NEVER_RAN, "it never ran: for how long it would have is not known")
    cells["procs"] = cells["procs_allocated"] or cells["procs_requested"]
    return cells
