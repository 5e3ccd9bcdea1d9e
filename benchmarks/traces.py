"""The public traces that the replays take: how they are read, and who owns what of the pool.

Their origin and licences stand in the README beside them; none is part of this project.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq  # type: ignore[import-untyped]  # it ships no types

from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos_quota.model import WorkloadKind
from jupyterhub_mesos_quota.resources import Flavor, Resources

FOLDER: Final = Path("../shared/traces")
PHILLY, OWNED = "philly_jobs.parquet", "philly_vc_capacity.csv"
CELLS: Final = "adobe_notebook_june_15s.parquet"
GPU: Final = Flavor("gpu")
DAY_S: Final = 86_400.0
MINUTE_S: Final = 60.0
LONGEST_CELL_MIN: Final = 60.0  # what runs for longer is no cell but a job in a notebook
PHILLY_BEGINS: Final = date(2017, 9, 4)


class NoTrace(Exception):
    """The trace is not on this machine: the area is left out, and says so."""


@dataclass(frozen=True, slots=True)
class Philly:
    """Jobs of the teams of which it is known what they own; the few others are left out."""

    jobs: Sequence[Job]
    owned: dict[str, int]
    largest: dict[str, int]  # the GPUs of each team's largest job


def gpus(count: int) -> Resources:
    """Return so many GPUs, and nothing else: they alone are counted."""
    return Resources.of(accelerators={GPU: count})


def philly_day(day: date) -> float:
    """Return a day's midnight in the trace's seconds."""
    return (day - PHILLY_BEGINS).days * DAY_S


def philly(folder: Path) -> Philly:
    """Read the jobs of Philly, in order of submission."""
    with _found(folder, OWNED).open(encoding="utf-8", newline="") as file:
        owned = {row["vc"]: int(row["gpus"]) for row in csv.DictReader(file)}
    jobs = [job for job in _philly_jobs(_found(folder, PHILLY)) if job.team in owned]
    largest: dict[str, int] = {}
    for job in jobs:
        largest[job.team] = max(largest.get(job.team, 0), _count(job))
    return Philly(sorted(jobs, key=lambda job: job.submit_s), owned, largest)


def _philly_jobs(path: Path) -> Iterator[Job]:
    columns = pq.read_table(path).to_pydict()
    sizes = {count: gpus(count) for count in set(columns["gpus"])}
    rows = zip(*(columns[name] for name in ("vc", "submit_s", "duration_s", "gpus")), strict=True)
    for number, (team, submit_s, duration_s, count) in enumerate(rows):
        yield Job(
            f"job-{number}",
            team,
            team,
            WorkloadKind.TRAINING,
            float(submit_s),
            float(duration_s),
            1,
            sizes[count],
        )


def cells(folder: Path, team: str, longest_min: float = LONGEST_CELL_MIN) -> list[Job]:
    """Read the cells of notebooks that used GPUs for less than `longest_min`, in order of their starts."""
    columns = pq.read_table(_found(folder, CELLS)).to_pydict()
    sizes = {count: gpus(count) for count in set(columns["gpus"])}
    names = ("event", "session", "start_min", "dur_min", "gpus")
    rows = zip(*(columns[name] for name in names), strict=True)
    made = [
        Job(
            f"cell-{event}",
            team,
            f"user-{session}",
            WorkloadKind.NOTEBOOK,
            start * MINUTE_S,
            lasts * MINUTE_S,
            1,
            sizes[count],
            session=f"session-{session}",
        )
        for event, session, start, lasts, count in rows
        if lasts < longest_min
    ]
    return sorted(made, key=lambda job: job.submit_s)


def _count(job: Job) -> int:
    return sum(count for _, count in job.resources.accelerators)


def _found(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise NoTrace(f"{path} is not there: name its folder with --trace DIR")
    return path
