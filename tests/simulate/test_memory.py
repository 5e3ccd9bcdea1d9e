"""A trace may be long: what a replay holds does not grow with it."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator

from jupyterhub_mesos.simulate.engine import FORGET_AFTER, Simulation
from jupyterhub_mesos.simulate.evictions import Evictions
from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos.simulate.observers import Observer
from jupyterhub_mesos.simulate.use import Use
from jupyterhub_mesos.simulate.waits import Waits
from simulate_cases import job, owner, pool

WARM_UP, ONCE, LATER = 3_000, 500, 4_500
"""Jobs: what the machine keeps of the last some thousand changes is full by then; then two looks."""
MOST_BYTES_PER_JOB = 24
"""Eight for a wait, eight for one inside a guarantee, and what growing arrays and caches lay by."""


def trace(jobs: int) -> Iterator[Job]:
    """Every second job is evicted by the one after it, and runs to its end before the next of those."""
    for number in range(0, jobs, 2):
        yield job(f"lent-{number}", number * 10.0, 14.0, 1, of="a")
        yield job(f"owner-{number}", number * 10.0 + 10.0, 5.0, 4, of="b")


def held_bytes(simulation: Simulation, until_s: float) -> int:
    """What the replay holds of all that was made since the counting began."""
    simulation.run(until_s)
    assert len(simulation.machine.requests) < FORGET_AFTER + 10
    simulation.machine.forget_ended()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def test_a_longer_trace_takes_the_bytes_of_its_waits_and_no_more() -> None:
    evictions = Evictions()
    looking: list[Observer] = [Waits(), Use(step_s=86400), evictions]
    simulation = Simulation(trace(WARM_UP + LATER + 10), pool(4, owner("a", 0), owner("b", 4)), looking)
    simulation.run(WARM_UP * 10.0)
    tracemalloc.start()
    once = held_bytes(simulation, (WARM_UP + ONCE) * 10.0)
    later = held_bytes(simulation, (WARM_UP + LATER) * 10.0)
    tracemalloc.stop()
    assert later - once < (LATER - ONCE) * MOST_BYTES_PER_JOB
    assert evictions.count.total() == (WARM_UP + LATER) // 2
