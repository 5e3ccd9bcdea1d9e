"""Kueue's own performance tests on a virtual clock: how full the pool is, and what the decisions cost.

Kueue's figures are what its CI accepts on real time (`test/performance/scheduler/configs/*/rangespec.yaml`):
they hold the cost of its API server and controllers too. They stand here to compare the ends, not machines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from benchmarks.kueue_generators import BASELINE, LARGE_SCALE, Generator
from benchmarks.replays import Seen, replayed
from benchmarks.table import Figure
from jupyterhub_mesos.simulate.setting import Setting
from jupyterhub_mesos_quota.policy import Policy
from jupyterhub_mesos_quota.strategies import FAIR, FIFO

POLICIES: Final = {"fifo": Policy(FIFO), "fair": Policy(FAIR)}
LEAST_BUSY_PERCENT: Final = 99.0
TOLERANCE: Final = 1.01
MOST_CPU_S: Final = 10.0
KUEUE_END_S: Final = {BASELINE: 351.0, LARGE_SCALE: 1_179.0}
KUEUE_BUSY_PERCENT: Final = 55.9
QUICK_COHORTS: Final = 2


def main(quick: bool) -> list[Figure]:
    """Replay both; in a hurry one cohort of five, which are all alike, and two of the large one's ten."""
    baseline = BASELINE.of_cohorts(1) if quick else BASELINE
    large = LARGE_SCALE.of_cohorts(QUICK_COHORTS) if quick else LARGE_SCALE
    return [*_baseline(baseline), _large(large)]


def play(generator: Generator, policy: Policy, *, is_early: bool = False) -> Seen:
    """Replay all workloads; with `is_early` the first of each set comes at the start, not later."""
    setting = Setting(generator.teams(), (generator.node(),), policy)
    return replayed(generator.jobs(is_early=is_early), setting, step_s=1.0)


def _baseline(generator: Generator) -> Iterator[Figure]:
    for is_early in (True, False):
        for name, policy in POLICIES.items():
            seen = play(generator, policy, is_early=is_early)
            yield from _fill(name, generator, seen, is_early=is_early)


def _fill(name: str, generator: Generator, seen: Seen, *, is_early: bool) -> Iterator[Figure]:
    has_goal = is_early and name == "fifo"
    bound = generator.bound_s(is_early=is_early)
    how = "at the start" if is_early else "after one interval, as generator.go creates it"
    what = f"baseline, {name}, first workload {'at once' if is_early else 'late'}"
    yield Figure(
        f"{what}: end",
        "s",
        seen.end_s,
        f"Virtual time until {generator.workloads:,} workloads of {generator.cohorts * generator.queues} "
        f"queues are done; the first of each set comes {how}. Work / capacity is {generator.work_s:.1f} s; "
        f"as work has to come first, nothing ends before {bound:.2f} s. "
        f"Kueue's CI: {KUEUE_END_S[BASELINE]:.0f} s.",
        baseline=bound,
        baseline_is="that bound",
        at_most=generator.work_s * TOLERANCE if has_goal else None,
    )
    yield Figure(
        f"{what}: used",
        "%",
        100 * seen.use.busy,
        "Of the pool's cores, in the mean from the first workload to the end of the last; Kueue's CI accepts "
        f"{KUEUE_BUSY_PERCENT} %.",
        at_least=LEAST_BUSY_PERCENT if has_goal else None,
    )


def _large(generator: Generator) -> Figure:
    seen = play(generator, POLICIES["fifo"])
    return Figure(
        f"large-scale: {generator.workloads:,} workloads decided",
        "s CPU",
        seen.cpu_s,
        f"Every event of {generator.cohorts * generator.queues:,} queues, the virtual clock included; "
        f"the end is at {seen.end_s:.2f} s, the bound {generator.bound_s():.2f} s. Kueue's CI: "
        f"{KUEUE_END_S[LARGE_SCALE]:,.0f} s of wall time.",
        at_most=MOST_CPU_S,
    )
