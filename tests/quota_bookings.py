"""Short words for tests with reservations: a bench with a policy, and bookings in hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jupyterhub_mesos_quota.events import (
    Action,
    RequestSubmitted,
    ReservationBooked,
    StopAllocation,
    TimePassed,
    WarnAllocation,
)
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import (
    Node,
    Reservation,
    ReservationId,
    Team,
    TeamId,
    UserName,
    WorkloadKind,
)
from jupyterhub_mesos_quota.policy import Policy
from quota_cases import Bench, granted, node, request, res
from quota_cases import team as team_of

HOUR = 3_600.0
START = 10 * HOUR
END = 12 * HOUR


def bench_of(teams: Sequence[Team], nodes: Sequence[Node], policy: Policy | None = None) -> Bench:
    return Bench(QuotaMachine(teams, nodes, policy or Policy()))


def booking(
    id_: str = "class", team: str = "a", cpu: int = 1, *, pieces: int = 1, **amounts: int
) -> Reservation:
    """A booking from `START` to `END`; `replace` it for other times."""
    return Reservation(
        id=ReservationId(id_),
        team=TeamId(team),
        resources=res(cpu, **amounts),
        replicas=pieces,
        starts_at=START,
        ends_at=END,
        booked_by=UserName("ada"),
    )


def book(bench: Bench, reservation: Reservation) -> list[Action]:
    return bench.handle(ReservationBooked(bench.tick(), reservation))


def passes(bench: Bench, to: float) -> list[Action]:
    """Let time pass, each deadline of the machine on the way being kept."""
    actions: list[Action] = []
    while (due := bench.machine.next_deadline()) is not None and due < to:
        bench.now = max(bench.now, due)
        actions += bench.handle(TimePassed(bench.now))
    bench.now = to
    return actions + bench.handle(TimePassed(to))


def train(
    bench: Bench,
    id_: str,
    team: str,
    cpu: int = 1,
    *,
    hours: float | None = None,
    replicas: int = 1,
    priority: int = 0,
) -> list[Action]:
    """Submit a training, with a time limit or none."""
    limit = None if hours is None else hours * HOUR
    asked = request(id_, team, cpu, replicas=replicas, priority=priority)
    asked = replace(asked, kind=WorkloadKind.TRAINING, max_seconds=limit)
    return bench.handle(RequestSubmitted(bench.tick(), asked))


def starts(
    bench: Bench, id_: str, team: str, cpu: int = 1, *, hours: float | None = None, replicas: int = 1
) -> bool:
    """Submit a training; say whether it starts at once."""
    return granted(train(bench, id_, team, cpu, hours=hours, replicas=replicas)) == [id_]


def stopped(actions: Sequence[Action]) -> dict[str, str]:
    """The requests stopped, each with its reason."""
    return {
        each.allocation_id.rsplit("-", 1)[0]: each.reason
        for each in actions
        if isinstance(each, StopAllocation)
    }


def warned(actions: Sequence[Action]) -> dict[str, float]:
    """The requests warned that they are taken, each with when it is stopped."""
    return {
        each.allocation_id.rsplit("-", 1)[0]: each.until
        for each in actions
        if isinstance(each, WarnAllocation) and each.why != "its time limit is near"
    }


def two(cpu: int = 4, policy: Policy | None = None) -> Bench:
    """Teams a and b without guarantees; a has booked 4 CPU of what is there."""
    bench = bench_of([team_of("a"), team_of("b")], [node("n", cpu)], policy)
    book(bench, booking(pieces=4))
    return bench
