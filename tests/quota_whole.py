"""Histories with everything in them: budgets, caps, time limits, levers, reservations, priorities, renames.

A history obeys the machine as a service does: it says that time passed when the machine asks for it,
and what was told to stop is gone some time later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from jupyterhub_mesos_quota.errors import QuotaError
from jupyterhub_mesos_quota.events import (
    Action,
    AllocationClaimed,
    AllocationGone,
    AllocationLost,
    AllocationReturned,
    AllocationStarted,
    EndRequested,
    Event,
    FactsSeen,
    GoneReason,
    GrantUnclaimed,
    NodeCordoned,
    NodeRemoved,
    NodeSeen,
    NodeUncordoned,
    QueuePaused,
    QueueResumed,
    RequestSubmitted,
    ReservationBooked,
    ReservationCancelled,
    SessionExtended,
    TeamsReplaced,
    TimePassed,
    UserLeft,
    UserRenamed,
)
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import (
    Allocation,
    AllocationState,
    Budget,
    Facts,
    NodeId,
    Reservation,
    ReservationId,
    Team,
    TeamId,
    UserName,
    WorkloadKind,
)
from jupyterhub_mesos_quota.moves import LIVE_STATES
from jupyterhub_mesos_quota.policy import Policy, Preempt, Reclaim
from jupyterhub_mesos_quota.resources import CPU_MILLIS, Bounds
from jupyterhub_mesos_quota.strategies import FIFO, LOWEST_USE
from quota_cases import node, request, res, state_of
from quota_histories import NAMES, random_tree

HOUR = 3_600.0
MOST_ASKED_IN_A_ROW = 60
"""Deadlines that a machine may ask for one after the other before it is taken to run in a circle."""
USERS = tuple(UserName(name) for name in ("ada", "bob", "eve", "mia"))
STEPS = (1.0, 20.0, 300.0, 1_200.0)
NODES = (node("n0", 6, h200=2), node("n1", 4))
POLICIES = (
    Policy(),
    Policy(patience_seconds=HOUR, half_life_seconds=4 * HOUR),
    Policy(strategy=FIFO, patience_seconds=HOUR / 2),
    Policy(strategy=LOWEST_USE, preempt=Preempt(60.0, 0.0)),
    Policy(reclaim=Reclaim(0.0, 0.0)),
    Policy(reclaim=Reclaim(600.0, 300.0), half_life_seconds=4 * HOUR),
    Policy(reclaim=Reclaim(60.0, 300.0), preempt=Preempt(600.0, 120.0), patience_seconds=HOUR),
    Policy(preempt=Preempt(0.0, 300.0), patience_seconds=HOUR),
)


def teams_of(random: Random) -> tuple[Team, ...]:
    """A random tree, some of its teams with caps per user and budgets."""
    return tuple(
        replace(
            team,
            per_user=Bounds.of({CPU_MILLIS: 4_000}) if random.random() < 0.3 else Bounds(),
            budget=Budget(int(6 * HOUR), random.randint(1, 6), random.randint(1, 4))
            if random.random() < 0.3
            else None,
        )
        for team in random_tree(random)
    )


Answer = list[Action] | str


def answer_of(machine: QuotaMachine, event: Event) -> Answer:
    """What a machine does, or the code of its refusal."""
    try:
        return machine.handle(event)
    except QuotaError as error:
        return error.code


@dataclass
class History:
    """A machine, what it was told, and what it answered, be it the code of a refusal."""

    machine: QuotaMachine
    random: Random
    policy: Policy
    other_tree: tuple[Team, ...]
    has_reservations: bool = True
    now: float = 0.0
    events: list[Event] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    watches: list[Callable[[History, Event, list[Action]], None]] = field(default_factory=list)
    number: int = 0

    @classmethod
    def begin(cls, seed: int, *, has_reservations: bool = True, policy: Policy | None = None) -> History:
        random = Random(seed)
        chosen = policy or random.choice(POLICIES)
        machine = QuotaMachine(teams_of(random), NODES, chosen)
        return cls(machine, random, chosen, teams_of(random), has_reservations)

    def play(self, length: int) -> None:
        """Let that much happen, one by one."""
        for _ in range(length):
            self.pass_time(self.random.choice(STEPS))
            event = self.any_event()
            if event is not None:
                self.tell(event)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and say so whenever the machine asked for it."""
        until = self.now + seconds
        for _ in range(MOST_ASKED_IN_A_ROW):
            due = self.machine.next_deadline()
            if due is None or due > until:
                break
            self.now = max(self.now, due)
            self.tell(TimePassed(self.now))
        else:
            raise AssertionError(f"the machine asks for {due} again and again, at {self.now}")
        self.now = until

    def tell(self, event: Event) -> None:
        """Tell the machine; a refusal changes nothing but the time."""
        before = state_of(self.machine)
        answer = answer_of(self.machine, event)
        self.events.append(event)
        self.answers.append(answer)
        if isinstance(answer, str):
            assert state_of(self.machine) == before
            return
        for watch in self.watches:
            watch(self, event, answer)

    # ---- what may happen ------------------------------------------------------------------------

    def any_event(self) -> Event | None:
        kinds = [self.submission] * 8 + [self.of_backend] * 10 + [self.lever] * 4
        return self.random.choice(kinds)()

    def submission(self) -> Event:
        random = self.random
        self.number += 1
        asked = request(
            f"r{self.number:03}",
            random.choice(NAMES),
            random.randint(1, 4),
            replicas=random.choice([1, 1, 1, 2]),
            priority=random.choice([0, 0, 1, 2]),
            h200=random.choice([0, 0, 1]),
        )
        return RequestSubmitted(
            self.now,
            replace(
                asked,
                user=random.choice(USERS),
                kind=random.choice([WorkloadKind.NOTEBOOK, WorkloadKind.TRAINING]),
                max_seconds=random.choice([None, None, 600.0, HOUR, 3 * HOUR]),
                submitted_at=self.now,
            ),
        )

    def live(self) -> list[Allocation]:
        """What holds something, in an order that a restart does not change."""
        every = self.machine.allocations.values()
        return sorted((each for each in every if each.state in LIVE_STATES), key=lambda each: each.id)

    def of_backend(self) -> Event | None:
        live, at = self.live(), self.now
        if not live:
            return None
        one = self.random.choice(live)
        goes_well = self.random.random() < 0.75
        match one.state:
            case AllocationState.GRANTED:
                return AllocationClaimed(at, one.id) if goes_well else GrantUnclaimed(at, one.id)
            case AllocationState.STARTING:
                return AllocationStarted(at, one.id) if goes_well else self.gone(one, GoneReason.NOT_PLACED)
            case AllocationState.STOPPING:
                return self.gone(one, GoneReason.STOPPED)
            case AllocationState.LOST:
                return AllocationReturned(at, one.id) if goes_well else self.gone(one, GoneReason.NODE_LOST)
            case _:
                return self.of_running(one)

    def of_running(self, one: Allocation) -> Event:
        facts = Facts(*(self.random.random() < 0.3 for _ in range(3)))
        choices: Sequence[Event] = (
            FactsSeen(self.now, one.id, facts),
            FactsSeen(self.now, one.id, facts),
            self.gone(one, GoneReason.FINISHED),
            self.gone(one, GoneReason.FAILED),
            AllocationLost(self.now, one.id),
            EndRequested(self.now, one.request_id),
            SessionExtended(self.now, one.request_id, self.now + 2 * HOUR),
        )
        return self.random.choice(choices)

    def gone(self, one: Allocation, reason: GoneReason) -> Event:
        return AllocationGone(self.now, one.id, reason)

    def lever(self) -> Event:
        random, at = self.random, self.now
        which = random.choice([None, *NAMES])
        team = None if which is None else TeamId(which)
        node_id = NodeId(random.choice(["n0", "n1"]))
        choices: list[Event] = [
            QueuePaused(at, team),
            *[QueueResumed(at, each) for each in sorted(self.machine.paused, key=str)],
            NodeCordoned(at, node_id, drains=random.random() < 0.3),
            *[NodeUncordoned(at, each) for each in sorted(self.machine.cordoned)],
            NodeSeen(at, node(node_id, random.randint(2, 6), h200=random.randint(0, 2))),
            NodeRemoved(at, NodeId("n1")),
            TeamsReplaced(at, self.other_tree),
            UserRenamed(at, *random.sample(USERS, 2)),
            UserLeft(at, random.choice(USERS)),
        ]
        if self.has_reservations:
            choices += [self.booking()] * 6
            choices += [ReservationCancelled(at, each) for each in self.machine.reservations][:1]
        return random.choice(choices)

    def booking(self) -> Event:
        random = self.random
        self.number += 1
        starts_at = self.now + random.choice([300.0, 1_800.0, 2 * HOUR])
        return ReservationBooked(
            self.now,
            Reservation(
                ReservationId(f"b{self.number:03}"),
                TeamId(random.choice(NAMES)),
                res(random.randint(1, 3), h200=random.choice([0, 0, 1])),
                random.randint(1, 2),
                starts_at,
                starts_at + random.choice([1_800.0, 2 * HOUR]),
                random.choice(USERS),
            ),
        )

    # ---- to the end -----------------------------------------------------------------------------

    def let_go(self) -> None:
        """Resume, uncordon and cancel everything, and see the nodes as they were at first."""
        machine, at = self.machine, self.now
        levers: list[Event] = [QueueResumed(at, team) for team in sorted(machine.paused, key=str)]
        levers += [NodeUncordoned(at, node_id) for node_id in sorted(machine.cordoned)]
        levers += [ReservationCancelled(at, id_) for id_ in machine.reservations]
        for event in [*levers, *(NodeSeen(at, each) for each in NODES)]:
            self.tell(event)

    def end_one(self) -> bool:
        """Let the oldest end, or an hour pass where nothing runs; say whether anybody waits or runs still."""
        live = sorted(self.live(), key=lambda each: (each.granted_at, each.id))
        if live:
            is_stopping = live[0].state is AllocationState.STOPPING
            self.tell(self.gone(live[0], GoneReason.STOPPED if is_stopping else GoneReason.FINISHED))
        self.pass_time(60.0 if live else HOUR)
        codes = {self.machine.explain(each.id).code for each in self.machine.queue()}
        return bool(live or self.live()) or "over-budget" in codes
