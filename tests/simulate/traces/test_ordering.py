from __future__ import annotations

import random
from dataclasses import replace

from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos.simulate.traces.ordering import in_order
from jupyterhub_mesos_quota.model import WorkloadKind
from jupyterhub_mesos_quota.resources import Flavor, Resources

ONE = Job(
    "0",
    "a",
    "ann",
    WorkloadKind.NOTEBOOK,
    0.0,
    60.0,
    2,
    Resources.of(500, 1024, {Flavor("gpu"): 1}),
    priority=3,
    max_seconds=90.0,
    session="s",
)


def shuffled(count: int) -> list[Job]:
    rng = random.Random(7)
    return [
        replace(ONE, id=str(number), submit_s=float(rng.randrange(count // 3))) for number in range(count)
    ]


def test_a_trace_larger_than_what_is_sorted_at_once_comes_in_order_whole() -> None:
    jobs = shuffled(1000)
    assert list(in_order(jobs, chunk=64)) == sorted(jobs, key=lambda job: job.submit_s)


def test_a_trace_of_just_the_size_that_is_sorted_at_once_comes_whole() -> None:
    jobs = shuffled(64)
    assert list(in_order(jobs, chunk=64)) == list(in_order(jobs, chunk=1000))


def test_nothing_comes_of_nothing() -> None:
    assert list(in_order([])) == []
