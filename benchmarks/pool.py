"""Notebooks' cells and batch jobs on one pool: a month of the two traces laid over each other.

The notebooks' team is guaranteed 500 GPUs and the batch teams share the rest in proportion to what they own;
the cells come within their guarantee, so that batch jobs, which borrow it, step back for them at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from heapq import merge
from pathlib import Path
from typing import Final

from benchmarks.cells import TEAM, count_of, held_at_most
from benchmarks.replays import HOUR_S, POLICIES, Seen, replayed
from benchmarks.table import Figure
from benchmarks.traces import DAY_S, Philly, cells, gpus, philly, philly_day
from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos.simulate.observers import Json, Onlooker
from jupyterhub_mesos.simulate.runs import Run
from jupyterhub_mesos.simulate.setting import Setting
from jupyterhub_mesos.simulate.shares import split
from jupyterhub_mesos.simulate.waits import Spread
from jupyterhub_mesos.simulate.window import Window
from jupyterhub_mesos_quota.model import Node, NodeId, Team, TeamId

POOL: Final = 768
NOTEBOOKS: Final = 500
BEGIN_S: Final = philly_day(date(2017, 10, 9))
MONTH_S: Final = 30 * DAY_S
QUICK_S: Final = 3 * DAY_S
LEAST_BUSY_PERCENT: Final = 96.0
LEAST_AT_ONCE_PERCENT: Final = 99.9


class StepsBack(Onlooker):
    """Counts the jobs of one team that started at once because others were evicted in that moment."""

    def __init__(self, team: str) -> None:
        self._team = team
        self._came: Run | None = None
        self._evicted = 0
        self.count = 0

    def submitted(self, at: float, run: Run) -> None:
        """Note who came last."""
        self._came, self._evicted = run, 0

    def evicted(self, at: float, run: Run) -> None:
        """Note that somebody stepped back since."""
        self._evicted += 1

    def started(self, at: float, run: Run) -> None:
        """Count it, where it was for this one."""
        if run is self._came and at == run.submitted_at and run.job.team == self._team and self._evicted:
            self.count += 1

    def saved(self) -> Json:
        """Return the count."""
        return self.count

    def recall(self, saved: Json) -> None:
        """Go on from a count."""
        self.count = int(str(saved))


def main(quick: bool, folder: Path) -> list[Figure]:
    """Replay thirty days; in a hurry the first three."""
    seconds = QUICK_S if quick else MONTH_S
    trace = philly(folder)
    batch = [_moved(job) for job in trace.jobs if BEGIN_S <= job.submit_s < BEGIN_S + seconds]
    cell_jobs = [job for job in cells(folder, TEAM) if job.submit_s < seconds]
    both = list(merge(batch, cell_jobs, key=lambda job: job.submit_s))
    steps, window = StepsBack(TEAM), Window(0.0, seconds)
    seen = replayed(both, _setting(trace), window, steps)
    return list(_figures(seen, steps, batch, cell_jobs, quick=quick))


def _moved(job: Job) -> Job:
    return replace(job, submit_s=job.submit_s - BEGIN_S)


def _setting(trace: Philly) -> Setting:
    parts = {TEAM: NOTEBOOKS} | split(POOL - NOTEBOOKS, trace.owned, {})
    teams = tuple(Team(TeamId(name), guarantee=gpus(count)) for name, count in parts.items())
    return Setting(teams, (Node(NodeId("pool"), gpus(POOL)),), POLICIES["lowest-use"])


def _figures(
    seen: Seen, steps: StepsBack, batch: list[Job], cell_jobs: list[Job], *, quick: bool
) -> Iterator[Figure]:
    of_cells = Spread.of(seen.waits.of(TEAM))
    apart = held_at_most(cell_jobs) + held_at_most(batch)
    yield Figure(
        f"{POOL} GPUs: busy",
        "%",
        100 * seen.use.busy,
        f"GPUs held, in the mean from the begin, when all stand idle, on; {len(batch):,} batch jobs and "
        f"{len(cell_jobs):,} cells.",
        baseline=100 * seen.use.busy * POOL / apart,
        baseline_is=f"the same work on {apart:,} GPUs: what sessions hold at their peak, and batch jobs at "
        "theirs where none waits",
        at_least=None if quick else LEAST_BUSY_PERCENT,
    )
    yield Figure(
        f"{POOL} GPUs: cells that start at once",
        "%",
        100 * of_cells.at_once / of_cells.count,
        f"Of {of_cells.count:,} cells; the longest waited {of_cells.most_s:,.0f} s.",
        at_least=LEAST_AT_ONCE_PERCENT,
    )
    yield Figure(
        f"{POOL} GPUs: cells for which batch work stepped back",
        "%",
        100 * steps.count / of_cells.count,
        f"{steps.count:,} cells started in the moment in which at least one batch job was evicted.",
    )
    yield from _price(seen, batch)


def _price(seen: Seen, batch: list[Job]) -> Iterator[Figure]:
    waits = seen.waits.of()
    of_batch = Spread.of(
        type(waits)("d", (w for team in seen.waits.teams() if team != TEAM for w in seen.waits.of(team)))
    )
    done = sum(count_of(job) * job.duration_s for job in batch) / HOUR_S
    yield Figure(
        f"{POOL} GPUs: mean wait of a batch job",
        "s",
        of_batch.mean_s,
        f"Submission to first start of {of_batch.count:,}; median {of_batch.p50_s:,.0f} s, 95th percentile "
        f"{of_batch.p95_s:,.0f} s.",
    )
    yield Figure(
        f"{POOL} GPUs: batch work lost to restarts",
        "GPU-hours",
        seen.lost_hours,
        f"{seen.evictions.count.total():,} evictions, each of at most 60 s of progress; the batch jobs' own "
        f"work is {done:,.0f} GPU-hours.",
    )
    yield Figure(
        f"{POOL} GPUs: the replay",
        "s CPU",
        seen.cpu_s,
        "The core and the virtual clock, to the end of the last job.",
    )
