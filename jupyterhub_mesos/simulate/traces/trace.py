"""A trace to be replayed: which format it is, what a first look finds, and its jobs in order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos.simulate.traces.faults import Fault, Faults, RowFault
from jupyterhub_mesos.simulate.traces.ordering import in_order
from jupyterhub_mesos.simulate.traces.parquet import ParquetTable
from jupyterhub_mesos.simulate.traces.reading import JobSource
from jupyterhub_mesos.simulate.traces.slurm import SacctTable
from jupyterhub_mesos.simulate.traces.swf import COMMENT, SwfTable
from jupyterhub_mesos.simulate.traces.table import Table, opened
from jupyterhub_mesos.simulate.traces.text import JsonLines, Separated
from jupyterhub_mesos_quota.resources import AmountName


class Format(StrEnum):
    """How a trace is written."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"
    SWF = "swf"
    SACCT = "sacct"


TABLES: Final[dict[Format, Callable[[Path], Table]]] = {
    Format.PARQUET: ParquetTable,
    Format.CSV: Separated,
    Format.JSONL: JsonLines,
    Format.SWF: SwfTable,
    Format.SACCT: SacctTable,
}
_ENDINGS: Final = {
    ".parquet": Format.PARQUET,
    ".pq": Format.PARQUET,
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".swf": Format.SWF,
    ".sacct": Format.SACCT,
}
_PARQUET_MAGIC: Final = b"PAR1"
_READ_AT_ONCE: Final = 1 << 20


def open_table(path: Path, format_: Format | None = None) -> Table:
    """Open a trace: as the format that was named, else its ending's, else what its first line looks like."""
    if not path.is_file():
        raise InvalidInput("there is no such file: name the trace's file", where=str(path))
    endings = [ending for ending in path.suffixes if ending != ".gz"]
    return TABLES[format_ or _ENDINGS.get(endings[-1] if endings else "") or _looks_like(path)](path)


def _looks_like(path: Path) -> Format:
    with path.open("rb") as file:
        if file.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC:
            return Format.PARQUET
    with opened(path) as text:
        line = text.readline()
    if line.startswith("{"):
        return Format.JSONL
    if line.startswith("JobID|") or "|JobID|" in line:
        return Format.SACCT
    is_numbers = all(part.lstrip("-").replace(".", "", 1).isdigit() for part in line.split())
    return Format.SWF if line.startswith(COMMENT) or (line.strip() and is_numbers) else Format.CSV


def fingerprint(path: Path) -> str:
    """Name the file's content, so that a run goes on with the same trace only."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_AT_ONCE):
            digest.update(block)
    return digest.hexdigest()


@dataclass(slots=True)
class Demand:
    """What one team's jobs asked for of the amount that is looked at."""

    jobs: int = 0
    largest: int = 0
    amount_seconds: float = 0.0


@dataclass(slots=True)
class Survey:
    """What a first look through the whole trace found."""

    rows: int = 0
    jobs: int = 0
    faults: Faults = field(default_factory=Faults)
    is_in_order: bool = True
    first_s: float = 0.0
    last_s: float = 0.0
    teams: dict[str, Demand] = field(default_factory=dict[str, Demand])

    def count(self, job: Job, amount: int) -> None:
        """Take a job in, which asks for so much."""
        self.is_in_order &= not self.jobs or job.submit_s >= self.last_s
        self.first_s = job.submit_s if not self.jobs else min(self.first_s, job.submit_s)
        self.last_s = job.submit_s if not self.jobs else max(self.last_s, job.submit_s)
        self.jobs += 1
        demand = self.teams.setdefault(job.team, Demand())
        demand.jobs += 1
        demand.largest = max(demand.largest, amount)
        demand.amount_seconds += amount * job.duration_s


@dataclass(frozen=True, slots=True)
class Trace:
    """The jobs of a source that the pool could run and whose team there is.

    `admitted` returns a job as the pool counts it or raises `RowFault`;
    `teams` are those that may be named, None for all.
    """

    source: JobSource
    admitted: Callable[[Job], Job]
    teams: Collection[str] | None = None

    def survey(self, amount: AmountName) -> Survey:
        """Look through all of it once, and note what is no job."""
        survey = Survey()
        for number, found in self.source.jobs():
            survey.rows += 1
            try:
                job = self._checked(found)
            except RowFault as fault:
                survey.faults.note(f"{self.source.noun} {number}", fault)
            else:
                survey.count(job, job.replicas * job.resources.get(amount))
        return survey

    def jobs(self, *, is_in_order: bool) -> Iterator[Job]:
        """Yield the jobs in order of their submission; rows that are none are left out."""
        jobs = self._sound()
        return jobs if is_in_order else in_order(jobs)

    def _sound(self) -> Iterator[Job]:
        for _, found in self.source.jobs():
            try:
                job = self._checked(found)
            except RowFault:
                continue  # `survey` told of it
            yield job

    def _checked(self, found: Job | RowFault) -> Job:
        if isinstance(found, RowFault):
            raise found
        if self.teams is not None and found.team not in self.teams:
            raise RowFault(Fault.UNKNOWN_TEAM, f"there is no team {found.team!r}")
        return self.admitted(found)
