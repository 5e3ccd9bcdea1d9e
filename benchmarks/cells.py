"""The cells of a month's notebooks: a GPU held per cell, beside one held for as long as the notebook is open.

Cells that ran for under an hour, of one team whose guarantee is the pool. The loop is closed: a cell that is
late makes those after it in its session as late, so that the time between two, in which a person thinks, is
kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from benchmarks.replays import POLICIES, replayed
from benchmarks.table import Figure
from benchmarks.traces import DAY_S, cells, gpus
from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos.simulate.setting import Setting
from jupyterhub_mesos_quota.model import Node, NodeId, Team, TeamId

POOL: Final = 160
TEAM: Final = "notebooks"
QUICK_S: Final = 7 * DAY_S
LEAST_AT_ONCE_PERCENT: Final = 98.0
MOST_P99_S: Final = 15.0


def main(quick: bool, folder: Path) -> list[Figure]:
    """Replay a month; in a hurry its first week."""
    jobs = [job for job in cells(folder, TEAM) if not quick or job.submit_s < QUICK_S]
    team = Team(TeamId(TEAM), guarantee=gpus(POOL))
    seen = replayed(jobs, Setting((team,), (Node(NodeId("pool"), gpus(POOL)),), POLICIES["fair"]))
    held = held_at_most(jobs)
    wait = seen.wait
    return [
        Figure(
            f"{POOL} GPUs: cells that start at once",
            "%",
            100 * wait.at_once / wait.count,
            f"Of {wait.count:,} cells, those granted in the moment in which they came.",
            at_least=LEAST_AT_ONCE_PERCENT,
        ),
        Figure(
            f"{POOL} GPUs: 99th percentile of a cell's wait",
            "s",
            wait.p99_s,
            f"The longest waited {wait.most_s:,.0f} s.",
            at_most=MOST_P99_S,
        ),
        Figure(
            f"{POOL} GPUs: busy",
            "%",
            100 * seen.use.busy,
            "GPUs that run a cell, in the mean over the month.",
            baseline=100 * seen.use.busy * POOL / held,
            baseline_is=f"the same work on the {held:,} GPUs that sessions hold at the peak",
        ),
    ]


def held_at_most(jobs: Iterable[Job]) -> int:
    """Return the most GPUs held at a time, where each session holds its most from its first cell on."""
    sessions: dict[str, list[Job]] = {}
    for job in jobs:
        sessions.setdefault(job.session or job.id, []).append(job)
    moves: list[tuple[float, int]] = []
    for each in sessions.values():
        most = max(count_of(job) for job in each)
        begin, end = min(job.submit_s for job in each), max(job.submit_s + job.duration_s for job in each)
        moves += [(begin, most), (end, -most)]
    return _peak(sorted(moves))


def _peak(moves: Sequence[tuple[float, int]]) -> int:
    held = most = 0
    for _, change in moves:
        held += change
        most = max(most, held)
    return most


def count_of(job: Job) -> int:
    """Return how many GPUs a job holds."""
    return job.replicas * sum(count for _, count in job.resources.accelerators)
