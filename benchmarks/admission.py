"""What one decision costs when much waits, beside a linear scan over the same queue in the same run.

The cluster is full and stays full: one allocation at a time is gone, which frees
room for those that wait; others come in their place. Each kind of event is counted apart, all of it
(the move, the counters, the search, the grants and their actions). The scan is the search alone, as a loop
over all nodes and all that waits. CPU time of the thread, so that a busy machine does not count as ours;
what shares a core with others still waits for its caches.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random
from statistics import mean, median, quantiles
from time import thread_time

from benchmarks.table import Figure
from jupyterhub_mesos_quota.events import (
    Action,
    AllocationClaimed,
    AllocationGone,
    AllocationStarted,
    Event,
    GoneReason,
    Grant,
    RequestSubmitted,
)
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import (
    Allocation,
    AllocationId,
    AllocationState,
    Node,
    NodeId,
    Placement,
    Request,
    RequestId,
    RequestStatus,
    Team,
    TeamId,
    UserName,
    WorkloadKind,
    allocation_id,
)
from jupyterhub_mesos_quota.resources import Flavor, Resources

GPU = Flavor("h200")
GPUS_PER_NODE = 8
ORGS = 10
SIZES = tuple(Resources.of(4000 * count, 65536 * count, {GPU: count}) for count in (1, 2, 4, 8))
"""What profiles offer: 1 to 8 accelerators with their part of a node."""
MOST_MICROSECONDS = 50.0
MOST_BYTES = 2_000.0
SCAN_ROUNDS = 3
WARM_UP = 200
"""Events before counting: a machine just restored lays its indexes out with the first ones."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a cluster is, and how much waits."""

    waiting: int
    teams: int
    nodes: int

    @classmethod
    def of(cls, waiting: int) -> Scale:
        return cls(waiting, max(ORGS, waiting // 100), max(10, waiting // 10))


class Kind(StrEnum):
    """What happens."""

    END = "an end, and what it lets start"
    WAIT = "a request that waits"
    START = "a request that starts at once"
    CLAIM = "a claim"
    RUN = "a start that is told"


@dataclass(slots=True)
class Costs:
    """Microseconds and entries of every event of one kind."""

    micros: list[float] = field(default_factory=list[float])
    entries: list[int] = field(default_factory=list[int])

    @property
    def median_micros(self) -> float:
        """The median in microseconds."""
        return median(self.micros)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What each kind costs, how many grants an end lets follow, microseconds per scan."""

    costs: Mapping[Kind, Costs]
    grants: float
    scan: float

    @property
    def entries(self) -> list[int]:
        """Entries per end."""
        return self.costs[Kind.END].entries


def team_tree(scale: Scale) -> list[Team]:
    """Orgs with teams under them; half of the cluster is guaranteed, the rest is borrowed."""
    gpus = scale.nodes * GPUS_PER_NODE // 2 // scale.teams
    teams = [Team(TeamId(f"org{number}")) for number in range(ORGS)]
    teams += [
        Team(
            TeamId(f"team{number}"),
            parent=TeamId(f"org{number % ORGS}"),
            guarantee=Resources.of(4000 * gpus, 65536 * gpus, {GPU: gpus}),
        )
        for number in range(scale.teams)
    ]
    return teams


def build(scale: Scale, random: Random) -> QuotaMachine:
    """Restore a full cluster with a long queue from rows, as a service does when it starts."""
    nodes = [Node(NodeId(f"node{number}"), SIZES[-1]) for number in range(scale.nodes)]
    requests: list[Request] = []
    allocations: list[Allocation] = []
    for node in nodes:
        left = GPUS_PER_NODE
        while left:
            size = random.choice([size for size in SIZES if size.accelerators[0][1] <= left])
            left -= size.accelerators[0][1]
            asked = replace(
                ask(len(requests), scale, random, size), status=RequestStatus.ACTIVE, allocations=1
            )
            requests.append(asked)
            id_, placement = allocation_id(asked.id, 1), Placement(0, node.id, size)
            allocations.append(
                Allocation(id_, asked.id, asked.team, (placement,), 0.0, AllocationState.RUNNING)
            )
    requests += [ask(len(requests) + number, scale, random) for number in range(scale.waiting)]
    return QuotaMachine.restore(team_tree(scale), nodes, requests, allocations)


def ask(number: int, scale: Scale, random: Random, size: Resources | None = None) -> Request:
    """Make a request of a random team and, where none is named, a random size."""
    return Request(
        id=RequestId(f"request-{number}"),
        team=TeamId(f"team{random.randrange(scale.teams)}"),
        user=UserName(f"user{random.randrange(10 * scale.teams)}"),
        kind=WorkloadKind.TRAINING,
        resources=size or random.choice(SIZES),
        submitted_at=float(number),
        rank=number + 1,
    )


def scan_once(machine: QuotaMachine) -> float:
    """Find who is next as a loop over all nodes and all that waits; return the seconds."""
    started = thread_time()
    free = [room for id_ in machine.nodes if (room := machine.free(id_)).accelerators]
    held = {team: dict(machine.used(team).accelerators).get(GPU, 0) for team in machine.tree}
    promised = {
        id_: dict(team.guarantee.accelerators).get(GPU, 0) for id_, team in machine.tree.teams.items()
    }
    best: tuple[bool, int, int] | None = None
    for request in machine.requests.values():
        if request.status is RequestStatus.QUEUED:
            over = held[request.team] + request.resources.accelerators[0][1] - promised[request.team]
            key = over > 0, max(0, over), request.rank
            if best is None or key < best:
                best = key if any(request.resources.fits_in(room) for room in free) else best
    return thread_time() - started


class Play:
    """A machine whose events are timed by kind."""

    def __init__(self, machine: QuotaMachine) -> None:
        self.machine = machine
        self.costs = {kind: Costs() for kind in Kind}
        self.now = 1e6

    def handle(self, event: Event, kind: Kind) -> list[AllocationId]:
        """Handle an event; return who was granted."""
        before = self.machine.tally.entries
        started = thread_time()
        actions = self.machine.handle(event)
        micros = (thread_time() - started) * 1e6
        granted = _granted(actions)
        costs = self.costs[Kind.WAIT if kind is Kind.START and not granted else kind]
        costs.micros.append(micros)
        costs.entries.append(self.machine.tally.entries - before)
        return granted

    def submit(self, number: int, scale: Scale, random: Random) -> list[AllocationId]:
        """Ask for something; it waits or starts at once, and what starts is claimed and runs."""
        return self.handle(RequestSubmitted(self.now, ask(number, scale, random)), Kind.START)

    def claim(self, granted: Sequence[AllocationId]) -> None:
        """Let what was granted be claimed and run."""
        for id_ in granted:
            self.handle(AllocationClaimed(self.now, id_), Kind.CLAIM)
            self.handle(AllocationStarted(self.now, id_), Kind.RUN)

    def forget(self) -> None:
        """Forget what was measured."""
        self.costs = {kind: Costs() for kind in Kind}


def _granted(actions: Sequence[Action]) -> list[AllocationId]:
    return [action.allocation.id for action in actions if isinstance(action, Grant)]


def measure(scale: Scale, events: int) -> Outcome:
    """Play `events` ends on a full cluster, then as many requests on one that is half empty."""
    random = Random(scale.waiting)
    play = Play(build(scale, random))
    live = list(play.machine.allocations)
    grants = 0
    gc.collect()
    gc.disable()
    for number in range(events + WARM_UP):
        if number == WARM_UP:
            play.forget()
            grants = 0
        play.now += 1
        at = random.randrange(len(live))
        gone, live[at] = live[at], live[-1]
        live.pop()
        granted = play.handle(AllocationGone(play.now, gone, GoneReason.FINISHED), Kind.END)
        play.claim(granted)
        for again in range(len(granted)):  # the queue stays as long as it was
            live += play.submit(10**7 + 10 * number + again, scale, random)
        live += granted
        grants += len(granted)
        play.machine.forget_ended()
    costs = {**play.costs, Kind.START: _measure_starts(scale, min(events, scale.nodes))}
    gc.enable()
    scan = min(scan_once(play.machine) for _ in range(SCAN_ROUNDS)) * 1e6
    return Outcome(costs, grants / events, scan)


def _measure_starts(scale: Scale, events: int) -> Costs:
    """Ask on an empty cluster of the same size, on which there is room for all."""
    random = Random(scale.nodes)
    nodes = [Node(NodeId(f"node{number}"), SIZES[-1]) for number in range(scale.nodes)]
    play = Play(QuotaMachine(team_tree(scale), nodes))
    for number in range(events):
        play.submit(number, scale, random)
    return play.costs[Kind.START]


def bytes_per_waiting(waiting: int) -> float:
    """Return what the machine holds more for each request that waits."""
    scale = Scale.of(waiting)
    tracemalloc.start()
    machine = build(scale, Random(1))
    before = tracemalloc.get_traced_memory()[0]
    random = Random(2)
    for number in range(waiting):
        machine.handle(RequestSubmitted(1e6, ask(10**6 + number, scale, random, SIZES[-1])))
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return held / waiting


def main(quick: bool) -> list[Figure]:
    """Measure each kind of event at growing lengths of the queue."""
    lengths = (1_000, 10_000) if quick else (1_000, 10_000, 100_000)
    found = {waiting: measure(Scale.of(waiting), 500 if quick else 2_000) for waiting in lengths}
    figures = [figure for waiting in lengths for figure in _figures(Scale.of(waiting), found[waiting])]
    return [*figures, *_growth(found[lengths[0]], found[lengths[-1]], lengths), _memory()]


def _figures(scale: Scale, found: Outcome) -> list[Figure]:
    size = f"{scale.waiting:,} waiting, {scale.teams:,} teams, {scale.nodes:,} nodes"
    figures = [
        Figure(
            f"{kind}, {scale.waiting:,} waiting",
            "µs CPU",
            costs.median_micros,
            f"Median over {len(costs.micros)} at {size}; 99th percentile "
            f"{quantiles(costs.micros, n=100)[98]:.0f} µs"
            + (f"; {found.grants:.2f} grants each." if kind is Kind.END else "."),
            baseline=found.scan,
            baseline_is="one look over all that waits for who is next, by a loop",
            at_most=MOST_MICROSECONDS,
        )
        for kind, costs in found.costs.items()
    ]
    return [
        *figures,
        Figure(
            f"entries touched, {scale.waiting:,} waiting",
            "entries",
            mean(found.entries),
            f"Mean of the machine's own count over the ends of the same run; {max(found.entries)} at most.",
        ),
    ]


def _growth(few: Outcome, many: Outcome, lengths: Sequence[int]) -> list[Figure]:
    """Say how many times as much the longest queue costs."""
    return [
        Figure(
            f"{kind}: growth",
            "times",
            many.costs[kind].median_micros / few.costs[kind].median_micros,
            f"The median at {lengths[-1]:,} waiting to that at {lengths[0]:,}; teams and nodes grow alike.",
            baseline=many.scan / few.scan,
            baseline_is="the same of the loop",
        )
        for kind in Kind
    ]


def _memory() -> Figure:
    return Figure(
        "a request that waits",
        "bytes",
        bytes_per_waiting(2_000),
        "What the machine holds more for each of 2,000 requests that came in one after the other.",
        at_most=MOST_BYTES,
    )
