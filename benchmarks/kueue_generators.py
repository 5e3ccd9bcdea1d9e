"""Kueue's two generators of workloads, on a virtual clock.

The numbers are those of kubernetes-sigs/kueue,
`test/performance/scheduler/configs/{baseline,large-scale}/generator.yaml` (the latter as of f6517b0, with
50,000 workloads). Each set of a queue creates its first workload one interval after the start, as
`generator.go` does, or at the start (`is_early`). A cohort is a team that may not hold more than its queues
are guaranteed together: cohorts do not lend to another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from heapq import merge
from itertools import chain

from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos_quota.model import Node, NodeId, Team, TeamId, WorkloadKind
from jupyterhub_mesos_quota.resources import CPU_MILLIS, Bounds, Resources

CORE = 1000


@dataclass(frozen=True, slots=True)
class WorkloadSet:
    """`count` workloads of one class in each queue, one every `every_ms`."""

    name: str
    count: int
    every_ms: int
    runtime_ms: int
    priority: int
    cores: int

    def at_ms(self, number: int, *, is_early: bool) -> int:
        """Return when the `number`-th (from 1) is created; with `is_early` the first at the start."""
        return self.every_ms * (number - is_early)


@dataclass(frozen=True, slots=True)
class Generator:
    """Cohorts of queues that are all alike."""

    cohorts: int
    queues: int  # of each cohort
    sets: tuple[WorkloadSet, ...]
    quota: int = 20  # cores of each queue
    borrowing_limit: int = 100

    @property
    def cores(self) -> int:
        """What all queues have together."""
        return self.cohorts * self.queues * self.quota

    @property
    def workloads(self) -> int:
        """How many there are."""
        return self.cohorts * self.queues * sum(each.count for each in self.sets)

    @property
    def work_s(self) -> float:
        """The work of a queue over what it has: how long all of it takes at full use."""
        return sum(each.count * each.cores * each.runtime_ms for each in self.sets) / self.quota / 1000

    def bound_s(self, *, is_early: bool = False) -> float:
        """Return when all is done at the earliest: for each moment, what comes from then on at full use."""
        moments = {each.every_ms * number for each in self.sets for number in range(each.count + 1)}
        last = max(each.at_ms(each.count, is_early=is_early) + each.runtime_ms for each in self.sets)
        return max(last, *(moment + self._work_ms_from(moment, is_early) for moment in moments)) / 1000

    def _work_ms_from(self, moment: int, is_early: bool) -> float:
        come = 0
        for each in self.sets:
            late = sum(each.at_ms(number, is_early=is_early) >= moment for number in range(1, each.count + 1))
            come += late * each.cores * each.runtime_ms
        return come / self.quota

    def of_cohorts(self, cohorts: int) -> Generator:
        """Return the same with another number of cohorts."""
        return replace(self, cohorts=cohorts)

    def teams(self) -> tuple[Team, ...]:
        """Return a cohort as a team with its queues under it."""
        return tuple(chain.from_iterable(map(self._cohort, range(self.cohorts))))

    def _cohort(self, number: int) -> Iterator[Team]:
        whole = Resources.of(self.quota * self.queues * CORE)
        cohort = TeamId(f"cohort-{number}")
        yield Team(cohort, guarantee=whole, limit=Bounds.of({CPU_MILLIS: whole.cpu_millis}))
        for queue in range(self.queues):
            yield Team(
                TeamId(f"{cohort}-queue-{queue}"),
                parent=cohort,
                guarantee=Resources.of(self.quota * CORE),
                borrow=Bounds.of({CPU_MILLIS: self.borrowing_limit * CORE}),
            )

    def node(self) -> Node:
        """Return the whole of it as one node: cores are counted and not placed."""
        return Node(NodeId("pool"), Resources.of(self.cores * CORE))

    def jobs(self, *, is_early: bool = False) -> Iterator[Job]:
        """Yield every workload, in order of its creation."""
        return merge(*(self._jobs_of(each, is_early) for each in self.sets), key=lambda job: job.submit_s)

    def _jobs_of(self, each: WorkloadSet, is_early: bool) -> Iterator[Job]:
        size = Resources.of(each.cores * CORE)
        for number in range(1, each.count + 1):
            for team in self.teams():
                if team.parent is not None:
                    yield Job(
                        f"{team.id}-{each.name}-{number}",
                        team.id,
                        team.id,
                        WorkloadKind.TRAINING,
                        each.at_ms(number, is_early=is_early) / 1000,
                        each.runtime_ms / 1000,
                        1,
                        size,
                        each.priority,
                    )


BASELINE = Generator(
    cohorts=5,
    queues=6,
    sets=(
        WorkloadSet("small", 350, 100, 200, 50, 1),
        WorkloadSet("medium", 100, 500, 500, 100, 5),
        WorkloadSet("large", 50, 1200, 1000, 200, 20),
    ),
)
LARGE_SCALE = Generator(
    cohorts=10,
    queues=100,
    sets=(
        WorkloadSet("small", 35, 60, 150, 50, 1),
        WorkloadSet("medium", 11, 300, 350, 100, 5),
        WorkloadSet("large", 4, 700, 700, 200, 20),
    ),
)
