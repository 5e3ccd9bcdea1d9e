"""The replays that are measured: generators make what they say, and a slice of a trace keeps its promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import cells, kueue, philly, traces
from benchmarks.kueue_generators import BASELINE, LARGE_SCALE, Generator
from benchmarks.replays import POLICIES, replayed
from jupyterhub_mesos_quota.policy import Policy
from jupyterhub_mesos_quota.strategies import FIFO
from simulate_cases import job

FOLDER = Path(__file__).parents[2] / traces.FOLDER
SLICE_FROM_S, SLICE_TO_S = 40 * traces.DAY_S, 43 * traces.DAY_S


@pytest.mark.parametrize(
    ("generator", "workloads", "queues", "work_s"),
    [(BASELINE, 15_000, 30, 66.0), (LARGE_SCALE, 50_000, 1_000, 4.025)],
)
def test_a_generator_makes_the_workloads_of_kueue(
    generator: Generator, workloads: int, queues: int, work_s: float
) -> None:
    assert generator.workloads == sum(1 for _ in generator.jobs()) == workloads
    assert sum(team.parent is not None for team in generator.teams()) == queues
    assert generator.work_s == pytest.approx(work_s)


def test_no_replay_of_a_generator_ends_before_its_bound() -> None:
    small = BASELINE.of_cohorts(1)
    for is_early in (True, False):
        seen = kueue.play(small, Policy(FIFO), is_early=is_early)
        assert small.bound_s(is_early=is_early) <= seen.end_s < 1.05 * small.bound_s(is_early=is_early)
        assert seen.wait.count == small.workloads


def test_sessions_hold_the_most_of_their_cells_from_the_first_to_the_last() -> None:
    of_two = [
        job("1", 0, 5, 1, session="s"),
        job("2", 20, 5, 4, session="s"),
        job("3", 21, 2, 2, session="t"),
    ]
    assert cells.held_at_most(of_two) == 6


@pytest.fixture(scope="module")
def a_few_days() -> traces.Philly:
    try:
        whole = traces.philly(FOLDER)
    except traces.NoTrace as missing:
        pytest.skip(str(missing))
    jobs = [each for each in whole.jobs if SLICE_FROM_S <= each.submit_s < SLICE_TO_S]
    return traces.Philly(jobs, whole.owned, whole.largest)


@pytest.mark.parametrize("name", ["lowest-use", "lowest-use, no past", "fair"])
def test_a_job_inside_its_guarantee_starts_at_once_where_nothing_holds_a_reclaim_back(
    a_few_days: traces.Philly, name: str
) -> None:
    setting = philly.setting(a_few_days, 300, POLICIES[name])
    seen = replayed(a_few_days.jobs, setting)
    assert seen.evictions.count.total() > 0
    assert seen.inside.count > 0
    assert seen.inside.most_s == 0
    assert seen.wait.most_s > 0


def test_without_the_traces_an_area_says_where_it_looked(tmp_path: Path) -> None:
    areas: tuple[Any, ...] = (philly, cells)
    for area in areas:
        with pytest.raises(traces.NoTrace, match="--trace DIR"):
            area.main(True, tmp_path)
