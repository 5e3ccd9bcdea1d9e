"""Nobody is starved: with a patience a large borrower starts within a bound, whoever else comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random

from jupyterhub_mesos_quota.events import AllocationGone, GoneReason, Grant, RequestSubmitted, TimePassed
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import AllocationId, RequestId
from jupyterhub_mesos_quota.policy import Policy
from quota_cases import node, request, team

PATIENCE = 1_800.0
LONGEST_RUN = 1_200.0
STEP = 100.0  # between two who ask: as much comes as the cluster holds
STEPS = 150
SEEDS = range(8)
LARGE_EVERY = 30


@dataclass
class Stream:
    """Small ones who ask all the time, now and then a large one; whoever starts ends after a while."""

    machine: QuotaMachine
    random: Random
    ends: dict[AllocationId, float] = field(default_factory=dict)
    asked_at: dict[RequestId, float] = field(default_factory=dict)
    bounds: dict[RequestId, float] = field(default_factory=dict)
    waits: dict[RequestId, float] = field(default_factory=dict)

    def flow(self) -> None:
        for number in range(STEPS):
            at = number * STEP
            self.end_until(at)
            is_large = number % LARGE_EVERY == LARGE_EVERY - 1
            asked = request(f"r{number}", "c" if is_large else self.random.choice("ab"), 4 if is_large else 1)
            older = len(self.machine.queue())
            self.note(at, RequestSubmitted(at, replace(asked, submitted_at=at)))
            if is_large:
                self.asked_at[asked.id] = at
                self.bounds[asked.id] = PATIENCE + (older + 1) * LONGEST_RUN + STEP
            self.note(at, TimePassed(at))

    def end_until(self, at: float) -> None:
        for id_ in [id_ for id_, when in self.ends.items() if when <= at]:
            del self.ends[id_]
            self.note(at, AllocationGone(at, id_, GoneReason.FINISHED))

    def note(self, at: float, event: RequestSubmitted | AllocationGone | TimePassed) -> None:
        for action in self.machine.handle(event):
            if isinstance(action, Grant):
                given = action.allocation
                self.ends[given.id] = at + self.random.uniform(LONGEST_RUN / 4, LONGEST_RUN)
                self.waits[given.request_id] = at - self.asked_at.get(given.request_id, at)

    def over_the_bound(self) -> list[RequestId]:
        """The large ones that waited, or wait still, for longer than they may."""
        now = STEPS * STEP
        return [id_ for id_, at in self.asked_at.items() if self.waits.get(id_, now - at) > self.bounds[id_]]


def streams(patience: float | None) -> Iterator[Stream]:
    for seed in SEEDS:
        machine = QuotaMachine(
            [team("a"), team("b"), team("c")],
            [node("m", 4), node("n", 4)],
            Policy(patience_seconds=patience),
        )
        stream = Stream(machine, Random(seed))
        stream.flow()
        yield stream


def test_with_a_patience_nobody_waits_for_longer_than_it_and_one_run_for_each_before() -> None:
    assert [stream.over_the_bound() for stream in streams(PATIENCE)] == [[] for _ in SEEDS]


def test_without_a_patience_the_same_streams_starve_somebody() -> None:
    """So the bound above is one that can be broken."""
    assert any(stream.over_the_bound() for stream in streams(None))
