"""How whole the nodes stay under a random mix of work, beside first fit on the same work.

Work comes and goes at fixed times, the same for both; what finds no room is turned
away at once and counted; the same seed gives the same figures. Beside it what one
search for room costs among many nodes, without a placement rule and with one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import mean, median
from time import thread_time
from typing import Final, Protocol

from benchmarks.table import Figure
from jupyterhub_mesos_quota.domains import Domains
from jupyterhub_mesos_quota.events import AllocationGone, EndRequested, GoneReason, RequestSubmitted
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import (
    Node,
    NodeId,
    Placement,
    Request,
    RequestId,
    Team,
    TeamId,
    UserName,
    WorkloadKind,
    allocation_id,
)
from jupyterhub_mesos_quota.resources import Flavor, Resources
from jupyterhub_mesos_quota.rules import PlacementRule, Zones
from jupyterhub_mesos_quota.sizes import Size, size_of

GPU: Final = Flavor("h200")
GPUS_PER_NODE: Final = 8
NODES: Final = 64
LOAD: Final = 0.8
"""The part of the accelerators that the work would use if nothing were turned away."""
MIX: Final = ((1, 1, 40), (1, 2, 20), (1, 4, 15), (1, 8, 15), (8, 1, 10))
"""Replicas, accelerators of each, and how often of a hundred."""
MEAN_SECONDS: Final = 100.0
SEARCHED_NODES: Final = 10_000
ZONE_COUNT: Final = 4
NODES_PER_RACK: Final = 20
SEARCHES: Final = 100
WARM_UP: Final = 0.2
"""The part of the work before counting: the cluster fills from empty."""


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of work: when it comes, what it asks for, and how long it would stay."""

    number: int
    at: float
    replicas: int
    accelerators: int
    seconds: float

    @property
    def is_whole(self) -> bool:
        """Whether it asks for as much as a whole node has."""
        return self.replicas * self.accelerators == GPUS_PER_NODE


def work(count: int) -> list[Work]:
    """Draw the work: arrivals at random, lengths spread as those of a queue's jobs are."""
    random = Random(1)
    mean_gpus = sum(replicas * each * often for replicas, each, often in MIX) / 100
    gap = MEAN_SECONDS * mean_gpus / (LOAD * NODES * GPUS_PER_NODE)
    at, found = 0.0, list[Work]()
    for number in range(count):
        at += random.expovariate(1 / gap)
        replicas, each, _ = random.choices(MIX, weights=[often for *_, often in MIX])[0]
        found.append(Work(number, at, replicas, each, random.expovariate(1 / MEAN_SECONDS)))
    return found


class Cluster(Protocol):
    """Something that places work."""

    def start(self, piece: Work) -> int | None:
        """Start a piece of work; return on how many nodes, None where there is no room."""
        ...

    def end(self, piece: Work) -> None:
        """End what was started."""
        ...

    def whole(self) -> int:
        """Return how many nodes have all their accelerators free."""
        ...


class Ours:
    """The machine that decides, as the service runs it."""

    def __init__(self) -> None:
        nodes = [Node(NodeId(f"n{number:03}"), _part(GPUS_PER_NODE)) for number in range(NODES)]
        self._machine = QuotaMachine([Team(TeamId("t"))], nodes)
        self._used: Counter[NodeId] = Counter()

    def start(self, piece: Work) -> int | None:
        """Ask for it, and take it back where it would wait."""
        id_ = RequestId(f"w{piece.number}")
        asked = Request(
            id=id_,
            team=TeamId("t"),
            user=UserName("u"),
            kind=WorkloadKind.TRAINING,
            resources=_part(piece.accelerators),
            submitted_at=piece.at,
            replicas=piece.replicas,
        )
        self._machine.handle(RequestSubmitted(piece.at, asked))
        allocation = self._machine.allocations.get(allocation_id(id_, 1))
        if allocation is None:
            self._machine.handle(EndRequested(piece.at, id_))
            return None
        places = Counter(placement.node for placement in allocation.placements)
        self._used.update({node: count * piece.accelerators for node, count in places.items()})
        return len(places)

    def end(self, piece: Work) -> None:
        """Say that it is gone."""
        id_ = allocation_id(RequestId(f"w{piece.number}"), 1)
        for placement in self._machine.allocations[id_].placements:
            self._used[placement.node] -= piece.accelerators
        at = piece.at + piece.seconds
        self._machine.handle(AllocationGone(at, id_, GoneReason.FINISHED))
        self._machine.forget_ended()

    def whole(self) -> int:
        """Count the nodes on which nothing stands."""
        return NODES - sum(used > 0 for used in self._used.values())


@dataclass(slots=True)
class FirstFit:
    """Each replica on the first node with room for it."""

    free: list[int] = field(default_factory=lambda: [GPUS_PER_NODE] * NODES)
    held: dict[int, list[int]] = field(default_factory=dict[int, list[int]])

    def start(self, piece: Work) -> int | None:
        """Fill the nodes in order."""
        free, places = list(self.free), list[int]()
        for _ in range(piece.replicas):
            node = next((at for at, room in enumerate(free) if room >= piece.accelerators), None)
            if node is None:
                return None
            free[node] -= piece.accelerators
            places.append(node)
        self.free, self.held[piece.number] = free, places
        return len(set(places))

    def end(self, piece: Work) -> None:
        """Give back what it held."""
        for node in self.held.pop(piece.number):
            self.free[node] += piece.accelerators

    def whole(self) -> int:
        """Count the nodes on which nothing stands."""
        return self.free.count(GPUS_PER_NODE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the work."""

    whole: float
    turned_away: float  # percent of what asks for a whole node's worth
    nodes_per_gang: float


def play(pieces: Sequence[Work], cluster: Cluster) -> Outcome:
    """Let the work come and go."""
    moments = [(piece.at, 1, piece) for piece in pieces]
    moments += [(piece.at + piece.seconds, 0, piece) for piece in pieces]
    moments.sort(key=lambda moment: (*moment[:2], moment[2].number))
    begins_at = pieces[int(WARM_UP * len(pieces))].at
    started: dict[int, int] = {}
    whole, turned_away, gangs = list[int](), list[bool](), list[int]()
    for at, comes, piece in moments:
        if not comes:
            if piece.number in started:
                cluster.end(piece)
            continue
        nodes = cluster.start(piece)
        if nodes is not None:
            started[piece.number] = nodes
        if at < begins_at:
            continue
        whole.append(cluster.whole())
        if piece.is_whole:
            turned_away.append(nodes is None)
        if piece.replicas > 1 and nodes is not None:
            gangs.append(nodes)
    return Outcome(mean(whole), 100 * mean(turned_away), mean(gangs))


def large_pool() -> Domains:
    """Fill many nodes at random; each stands in one of four zones and in a rack of its own label."""
    random, pool = Random(1), Domains()
    for number in range(SEARCHED_NODES):
        id_, rack = NodeId(f"n{number:05}"), (("rack", f"r{number // NODES_PER_RACK}"),)
        pool.see(Node(id_, _part(GPUS_PER_NODE), labels=rack, zone=f"z{number % ZONE_COUNT}"))
        used = random.choice((0, 2, 4, 6, 7, 8, 8, 8))
        if used:
            pool.occupy([Placement(0, id_, _part(used))])
    return pool


def searches() -> list[Figure]:
    """Measure one search for room."""
    pool = large_pool()
    asked = {
        "one task": size_of(_part(1)),
        "a gang of 8": size_of(_part(1), 8),
        "a gang of 8 in one zone": size_of(_part(1), 8, PlacementRule.of(zones=Zones.ONE)),
        "a gang of 8 spread over the zones": size_of(_part(1), 8, PlacementRule.of(zones=Zones.SPREAD)),
        "a gang of 8 in one rack": size_of(_part(1), 8, PlacementRule.of({"rack": "r7"})),
    }
    return [_search(what, pool, size) for what, size in asked.items()]


def _search(what: str, pool: Domains, size: Size) -> Figure:
    if pool.place(size) is None:
        raise OSError(f"there is no room for {what}, so that nothing is found")
    seconds: list[float] = []
    for _ in range(SEARCHES):
        started = thread_time()
        pool.place(size)
        seconds.append(thread_time() - started)
    where = f"{SEARCHED_NODES:,} nodes in {ZONE_COUNT} zones, {NODES_PER_RACK} to a rack"
    return Figure(f"search: {what}", "µs CPU", median(seconds) * 1e6, f"Median of {SEARCHES}; {where}.")


def _part(accelerators: int) -> Resources:
    return Resources.of(4000 * accelerators, 65536 * accelerators, {GPU: accelerators})


def main(quick: bool) -> list[Figure]:
    """Play the same work on both."""
    pieces = work(5_000 if quick else 20_000)
    ours, first = play(pieces, Ours()), play(pieces, FirstFit())
    what = (
        f"{len(pieces):,} pieces of work on {NODES} nodes of {GPUS_PER_NODE} accelerators, "
        f"for {LOAD:.0%} of them: "
        "1, 2, 4 or 8 for one task, or 8 tasks of 1."
    )
    first_fit = "each replica on the first node with room, the same work"
    return [
        Figure("whole nodes free", "nodes", ours.whole, f"Mean. {what}", first.whole, first_fit),
        Figure(
            "turned away, of what asks for a node's worth",
            "percent",
            ours.turned_away,
            f"Found no room when it came. {what}",
            first.turned_away,
            first_fit,
        ),
        Figure(
            "nodes under a gang of 8",
            "nodes",
            ours.nodes_per_gang,
            f"Mean; one is the least. {what}",
            first.nodes_per_gang,
            first_fit,
        ),
        *searches(),
    ]
