"""Notebooks' cells and batch jobs on one pool: a month of the two traces laid over each other.

All cells of the notebooks, those that run for days included, begin on 2017-10-09 of the batch trace, whose
jobs of the weeks before warm the pool up. The notebooks' team is guaranteed 500 GPUs, and the batch teams
share the rest in proportion to what they own; cells come within their guarantee, so that batch jobs, which
borrow it, step back for them at once.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from heapq import merge
from math import inf
from pathlib import Path
from typing import Final

from benchmarks.cells import TEAM, held_at_most
from benchmarks.replays import HOUR_S, POLICIES, Seen, replayed
from benchmarks.table import Figure
from benchmarks.traces import DAY_S, Philly, cells, gpus, philly, philly_day
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
QUICK_S: Final = 2 * DAY_S
QUICK_WARM_UP_S: Final = 7 * DAY_S
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
    """Replay thirty days; in a hurry the first two, after a week of warming up."""
    window = Window(BEGIN_S, BEGIN_S + (QUICK_S if quick else MONTH_S))
    warm_up_from = BEGIN_S - QUICK_WARM_UP_S if quick else 0.0
    trace = philly(folder)
    batch = [job for job in trace.jobs if warm_up_from <= job.submit_s < window.to_s]
    moved = (replace(job, submit_s=job.submit_s + BEGIN_S) for job in cells(folder, TEAM, inf))
    cell_jobs = [job for job in moved if job.submit_s in window]
    both = list(merge(batch, cell_jobs, key=lambda job: job.submit_s))
    steps = StepsBack(TEAM)
    seen = replayed(both, _setting(trace), window, steps)
    apart = held_at_most(cell_jobs) + sum(trace.owned.values())
    return list(_figures(seen, steps, apart, quick=quick))


def _setting(trace: Philly) -> Setting:
    parts = {TEAM: NOTEBOOKS} | split(POOL - NOTEBOOKS, trace.owned, {})
    teams = tuple(Team(TeamId(name), guarantee=gpus(count)) for name, count in parts.items())
    return Setting(teams, (Node(NodeId("pool"), gpus(POOL)),), POLICIES["lowest-use"])


def _figures(seen: Seen, steps: StepsBack, apart: int, *, quick: bool) -> Iterator[Figure]:
    of_cells = Spread.of(seen.waits.of(TEAM))
    yield Figure(
        f"{POOL} GPUs: busy",
        "%",
        100 * seen.use.busy,
        f"GPUs held, in the mean over {seen.use.seconds / DAY_S:.0f} days.",
        baseline=100 * seen.use.busy * POOL / apart,
        baseline_is=f"the same work on {apart:,} GPUs: what the sessions hold at their peak, and what the "
        "batch teams own",
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
    yield from _price(seen)


def _price(seen: Seen) -> Iterator[Figure]:
    batch = array("d")
    for team in seen.waits.teams():
        if team != TEAM:
            batch.extend(seen.waits.of(team))
    of_batch = Spread.of(batch)
    held = seen.use.busy * seen.use.seconds * POOL / HOUR_S
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
        f"{seen.evictions.count.total():,} evictions of {seen.evictions.jobs.total():,} jobs, each at the "
        f"cost of at most 60 s of progress; {held:,.0f} GPU-hours were held in all.",
    )
    yield Figure(
        f"{POOL} GPUs: the replay",
        "s CPU",
        seen.cpu_s,
        "The core and the virtual clock, to the end of the last job.",
    )
