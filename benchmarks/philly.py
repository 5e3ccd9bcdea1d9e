"""Eight weeks of a cluster shared by eleven teams, replayed under quotas, one queue and silos.

The method is that of the traces' README: GPUs are counted and not placed, gangs are all or nothing, a pool of
G GPUs is split in proportion to what teams own (each at least its largest job), waits are of jobs that came
from 2017-10-09 to before 2017-12-04; those before warm the pool up, those after keep it busy.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.method import Method, Ties
from benchmarks.replays import AT_ONCE, AT_ONCE_AND_FIRST, POLICIES, Seen, replayed
from benchmarks.table import Figure
from benchmarks.traces import GPU, Philly, gpus, philly, philly_day
from jupyterhub_mesos.simulate.setting import Setting
from jupyterhub_mesos.simulate.shares import split
from jupyterhub_mesos.simulate.waits import Spread
from jupyterhub_mesos.simulate.window import Window
from jupyterhub_mesos_quota.model import Node, NodeId, Team, TeamId
from jupyterhub_mesos_quota.policy import Policy, Reclaim
from jupyterhub_mesos_quota.resources import Bounds, accelerator
from jupyterhub_mesos_quota.strategies import LOWEST_USE

WINDOW: Final = Window(philly_day(date(2017, 10, 9)), philly_day(date(2017, 12, 4)))
QUICK_WINDOW: Final = Window(philly_day(date(2017, 10, 9)), philly_day(date(2017, 10, 16)))
QUICK_FROM_S: Final = philly_day(date(2017, 10, 2))
MANNERS: Final = Reclaim(min_runtime_seconds=600.0, grace_seconds=300.0)
"""What the service takes where nobody says otherwise."""
SHOWN: Final = ("lowest-use", "lowest-use, no past", "fair", "fair, no past", "silo")
TOLERANCE: Final = 1.02
MOST_CPU_S: Final = 60.0


class Expected(NamedTuple):
    """The traces' README on `lowest-use`: seconds of wait."""

    mean_s: float
    p95_s: float
    p99_s: float


EXPECTED: Final = {760: Expected(285, 1_933, 5_458), 608: Expected(2_744, 11_634, 29_000)}


def teams_of(trace: Philly, pool: int, *, is_silo: bool = False) -> tuple[Team, ...]:
    """Return the teams with their parts of the pool as guarantees; in silos they are the limits too."""
    parts = split(pool, trace.owned, trace.largest)
    return tuple(
        Team(
            TeamId(name),
            guarantee=gpus(count),
            limit=Bounds.of({accelerator(GPU): count}) if is_silo else Bounds(),
        )
        for name, count in parts.items()
    )


def setting(trace: Philly, pool: int, policy: Policy, *, is_silo: bool = False) -> Setting:
    """Return a pool of so many GPUs in one piece."""
    node = Node(NodeId("pool"), gpus(pool))
    return Setting(teams_of(trace, pool, is_silo=is_silo), (node,), policy)


def main(quick: bool, folder: Path) -> list[Figure]:
    """Replay under each policy; in a hurry two weeks, at one size."""
    trace = philly(folder)
    if not quick:
        return [figure for pool in EXPECTED for figure in _figures(trace, pool, quick=False)]
    jobs = [job for job in trace.jobs if QUICK_FROM_S <= job.submit_s < QUICK_WINDOW.to_s]
    return list(_figures(Philly(jobs, trace.owned, trace.largest), 608, quick=True))


def _figures(trace: Philly, pool: int, *, quick: bool) -> Iterator[Figure]:
    window = QUICK_WINDOW if quick else WINDOW
    seen = {
        name: replayed(trace.jobs, setting(trace, pool, policy), window) for name, policy in POLICIES.items()
    }
    seen["silo"] = replayed(trace.jobs, setting(trace, pool, POLICIES["fifo"], is_silo=True), window)
    expected = None if quick else EXPECTED[pool]
    yield from _waits(seen, pool, expected)
    yield from _method(trace, pool, window, expected)
    yield from _use(seen, pool)
    yield _promise(seen["lowest-use"], pool, AT_ONCE)
    if not quick:
        mannered = Policy(LOWEST_USE, reclaim=MANNERS)
        yield _promise(replayed(trace.jobs, setting(trace, pool, mannered), window), pool, MANNERS)
    yield _cost(seen["lowest-use"], trace, pool)


def _waits(seen: dict[str, Seen], pool: int, expected: Expected | None) -> Iterator[Figure]:
    one_queue = "one queue by age, in which any job that fits may start"
    for name in SHOWN:
        goals = expected if name == "lowest-use" else None
        for what, ours, fifo, goal in zip(
            ("mean wait", "95th percentile", "99th percentile"),
            _spread(seen[name]),
            _spread(seen["fifo"]),
            goals or (None, None, None),
            strict=True,
        ):
            yield Figure(
                f"{pool} GPUs, {name}: {what}",
                "s",
                ours,
                f"Submission to first start of {seen[name].wait.count:,} jobs; {_rule(name)}.",
                baseline=fifo,
                baseline_is=one_queue,
                at_most=None if goal is None else goal * TOLERANCE,
            )


def _method(trace: Philly, pool: int, window: Window, expected: Expected | None) -> Iterator[Figure]:
    """Replay by the README's method alone, to show how far its answer depends on who goes first of equals."""
    shares = split(pool, trace.owned, trace.largest)
    parts = {team: shares[team] for team in trace.owned}
    for ties in Ties:
        waits = Method(pool, parts, window, ties).run(trace.jobs)
        yield Figure(
            f"{pool} GPUs, the README's method by itself, ties {ties}: mean wait",
            "s",
            Spread.of(waits).mean_s,
            "The same jobs by a plain replay without the core; of teams that stand equally one goes first "
            f"(and gives first) {ties}, which the README leaves open.",
            baseline=None if expected is None else expected.mean_s,
            baseline_is="the README's figure",
        )


def _spread(seen: Seen) -> Expected:
    return Expected(seen.wait.mean_s, seen.wait.p95_s, seen.wait.p99_s)


def _rule(name: str) -> str:
    if name == "silo":
        return "each team alone inside its share, any job of it that fits may start"
    policy = POLICIES[name]
    is_first = policy.reclaim == AT_ONCE_AND_FIRST
    again = "the head of its queue, as in the README's method" if is_first else "its old rank"
    past = "does not count" if policy.half_life_seconds is None else "fades by half in a week"
    return (
        f"strategy `{policy.strategy.name}`, past use {past}, guarantees taken back at once; who was taken "
        f"waits at {again}, and loses 60 s of its progress"
    )


def _use(seen: dict[str, Seen], pool: int) -> Iterator[Figure]:
    for name in SHOWN:
        each = seen[name]
        yield Figure(
            f"{pool} GPUs, {name}: busy",
            "%",
            100 * each.use.busy,
            f"GPUs held, in the mean over the window; {each.evictions.count.total():,} evictions cost "
            f"{each.lost_hours:,.0f} GPU-hours.",
            baseline=100 * seen["fifo"].use.busy,
            baseline_is="one queue",
        )


def _promise(seen: Seen, pool: int, reclaim: Reclaim) -> Figure:
    least, grace = reclaim.min_runtime_seconds, reclaim.grace_seconds
    return Figure(
        f"{pool} GPUs: longest wait inside a guarantee, {least:.0f} + {grace:.0f} s",
        "s",
        seen.inside.most_s,
        f"Of {seen.inside.count:,} jobs that came inside their team's guarantee; what is lent is taken back "
        f"after a minimum run time of {least:.0f} s and, from a notebook, a grace of {grace:.0f} s.",
        at_most=least + grace,
    )


def _cost(seen: Seen, trace: Philly, pool: int) -> Figure:
    return Figure(
        f"{pool} GPUs: the replay of {len(trace.jobs):,} jobs",
        "s CPU",
        seen.cpu_s,
        "All of it under `lowest-use`, the core and the virtual clock; reading the trace is not counted.",
        at_most=MOST_CPU_S,
    )
