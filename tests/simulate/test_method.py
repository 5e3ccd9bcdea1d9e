"""The plain replay that the benchmark of a cluster's trace is held to, on cases worked out by hand."""

from __future__ import annotations

import pytest

from benchmarks.method import RESTART_S, Method, Ties
from benchmarks.traces import gpus
from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos.simulate.window import EVERYTHING, Window
from jupyterhub_mesos_quota.model import WorkloadKind

ALL_TIES = pytest.mark.parametrize("ties", Ties)


def job(number: int, team: str, at: float, duration_s: float, count: int = 1) -> Job:
    return Job(f"j{number}", team, team, WorkloadKind.TRAINING, at, duration_s, 1, gpus(count))


def waits(jobs: list[Job], ties: Ties, window: Window = EVERYTHING, **parts: int) -> list[float]:
    return Method(sum(parts.values()), parts, window, ties).run(jobs)


@ALL_TIES
def test_what_is_idle_is_borrowed_and_taken_back_at_once(ties: Ties) -> None:
    lent = [job(1, "a", 0, 1000), job(2, "a", 0, 1000)]
    assert waits([*lent, job(3, "b", 100, 50)], ties, a=1, b=1) == [0, 0, 0]


@ALL_TIES
def test_who_was_taken_goes_on_less_what_the_restart_costs(ties: Ties) -> None:
    lent = [job(1, "a", 0, 1000), job(2, "a", 0, 1000)]
    taken = 100  # the youngest, job 2, has run so long; it goes on at 150, and is over after 960 s more
    last = job(4, "a", 200, 1, count=2)
    over = 150 + 1000 - (taken - RESTART_S)
    assert waits([*lent, job(3, "b", taken, 50), last], ties, a=1, b=1) == [0, 0, 0, over - 200]


@ALL_TIES
def test_nothing_is_taken_for_who_would_borrow(ties: Ties) -> None:
    lent = [job(1, "a", 0, 1000), job(2, "a", 0, 1000)]
    assert waits([*lent, job(3, "b", 100, 50, count=2)], ties, a=1, b=1) == [0, 0, 900]


@ALL_TIES
def test_nobody_is_stopped_where_the_room_could_not_be_made(ties: Ties) -> None:
    inside = [job(1, "a", 0, 500), job(2, "b", 0, 300)]
    assert waits([*inside, job(3, "b", 10, 50, count=2)], ties, a=1, b=2) == [0, 0, 290]


def test_of_equal_teams_the_ties_say_who_goes_first() -> None:
    jobs = [job(1, "c", 0, 100, count=3), job(2, "b", 1, 10, count=3), job(3, "a", 2, 10, count=3)]
    found = {ties: waits(jobs, ties, Window(1, 3), a=1, b=1, c=1) for ties in Ties}
    assert found == {
        Ties.NAMED: [98, 109],  # a, then b
        Ties.LAST_NAMED: [99, 108],
        Ties.BY_AGE: [99, 108],
    }


def test_the_jobs_of_the_window_alone_are_counted() -> None:
    jobs = [job(1, "a", 0, 10), job(2, "a", 5, 10), job(3, "a", 6, 10)]
    assert waits(jobs, Ties.NAMED, Window(5, 6), a=1) == [5]
