"""What one decision costs when much waits, beside a linear scan over the same queue in the same run.

    python benchmarks/admission.py [--waiting 1000 10000 100000] [--events 2000]

The cluster is full and stays full: one allocation at a time is gone, which frees
room for one that waits. `us/event` is all of it (the move, the counters, the
search, the grants and their actions); `us/scan` is the search alone, as a loop
over all nodes and all that waits. `entries` is what a decision touched, without
a clock. CPU time of the thread, so that a busy machine does not count as ours.
"""

from __future__ import annotations

import argparse
import gc
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import mean, median, quantiles
from time import thread_time

from jupyterhub_mesos_quota.events import AllocationGone, GoneReason, Grant, RequestSubmitted
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import (
    Allocation,
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


@dataclass(frozen=True, slots=True)
class Outcome:
    """Microseconds and entries per event, grants per event, microseconds per scan."""

    ours: Sequence[float]
    entries: Sequence[int]
    grants: float
    scan: float


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


def measure(scale: Scale, events: int) -> Outcome:
    """Play `events` ends on a full cluster."""
    random = Random(scale.waiting)
    machine = build(scale, random)
    live = list(machine.allocations)
    ours: list[float] = []
    entries: list[int] = []
    grants = 0
    gc.collect()
    gc.disable()
    for number in range(events + WARM_UP):
        at = random.randrange(len(live))
        event = AllocationGone(1e6 + number, live[at], GoneReason.FINISHED)
        before = machine.tally.entries
        started = thread_time()
        actions = machine.handle(event)
        ours.append((thread_time() - started) * 1e6)
        entries.append(machine.tally.entries - before)
        live[at] = live[-1]
        live.pop()
        granted = [action.allocation.id for action in actions if isinstance(action, Grant)]
        live += granted
        grants += len(granted) if number >= WARM_UP else 0
    gc.enable()
    scan = min(scan_once(machine) for _ in range(SCAN_ROUNDS)) * 1e6
    return Outcome(ours[WARM_UP:], entries[WARM_UP:], grants / events, scan)


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


def loop_of_a_million() -> float:
    """Return the milliseconds that a bare loop takes here, to compare machines (about 35 on a quiet one)."""
    started, total = thread_time(), 0
    for number in range(1_000_000):
        total += number
    return (thread_time() - started) * 1e3


def main() -> None:
    """Print one line per length of the queue."""
    parser = argparse.ArgumentParser(description="What one decision costs when much waits.")
    parser.add_argument("--waiting", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--events", type=int, default=2_000)
    arguments = parser.parse_args()
    print(f"a loop of a million takes {loop_of_a_million():.0f} ms of CPU here")
    print(f"a request that waits takes {bytes_per_waiting(2_000):.0f} bytes")
    print(
        f"{'waiting':>8} {'teams':>6} {'nodes':>6} | {'us/event':>9} {'p99':>8} {'grants':>6} {'us/scan':>10}"
        f" {'scan/ours':>9} | {'entries':>7} {'most':>6}"
    )
    for waiting in arguments.waiting:
        scale = Scale.of(waiting)
        found = measure(scale, arguments.events)
        ours = median(found.ours)
        print(
            f"{scale.waiting:8} {scale.teams:6} {scale.nodes:6} | {ours:9.1f} "
            f"{quantiles(found.ours, n=100)[98]:8.1f} {found.grants:6.2f} {found.scan:10.0f}"
            f" {found.scan / ours:9.0f} | {mean(found.entries):7.1f} {max(found.entries):6}"
        )


if __name__ == "__main__":
    main()
