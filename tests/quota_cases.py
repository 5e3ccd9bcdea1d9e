"""Short words for the decision core's tests, and a bench that checks every invariant after every event."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from jupyterhub_mesos_quota.events import (
    Action,
    AllocationClaimed,
    AllocationGone,
    AllocationStarted,
    EndRequested,
    Event,
    GoneReason,
    Grant,
    NodeSeen,
    RequestSubmitted,
    TeamsReplaced,
)
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import (
    Allocation,
    AllocationId,
    Device,
    DeviceId,
    Node,
    NodeId,
    Request,
    RequestId,
    RequestStatus,
    Team,
    TeamId,
    UserName,
    WorkloadKind,
)
from jupyterhub_mesos_quota.resources import Bounds, Flavor, Resources, accelerator
from jupyterhub_mesos_quota.rules import PlacementRule


def res(cpu: int = 0, mem: int = 0, **flavors: int) -> Resources:
    """`cpu` in whole cores, `mem` in MiB, accelerators by flavor."""
    return Resources.of(cpu * 1000, mem, {Flavor(flavor): count for flavor, count in flavors.items()})


def bounds(cpu: int | None = None, **flavors: int) -> Bounds:
    named: dict[str, int] = {accelerator(Flavor(flavor)): count for flavor, count in flavors.items()}
    if cpu is not None:
        named["cpu_millis"] = cpu * 1000
    return Bounds.of(named)  # type: ignore[arg-type]  # names are NewTypes of str


def team(
    id_: str,
    guarantee: int = 0,
    *,
    parent: str | None = None,
    limit: int | None = None,
    lend: int | None = None,
    borrow: int | None = None,
    weight: int = 1,
    **flavors: int,
) -> Team:
    """Cores by position and name; `flavors` are guaranteed accelerators."""
    return Team(
        id=TeamId(id_),
        parent=None if parent is None else TeamId(parent),
        guarantee=res(guarantee, **flavors),
        limit=bounds(limit),
        lend=bounds(lend),
        borrow=bounds(borrow),
        weight=weight,
    )


def node(
    id_: str,
    cpu: int,
    mem: int = 0,
    *,
    open_: bool = True,
    zone: str = "",
    labels: Mapping[str, str] | None = None,
    **flavors: int,
) -> Node:
    devices = tuple(
        Device(DeviceId(f"{id_}-{flavor}-{number}"), Flavor(flavor))
        for flavor, count in flavors.items()
        for number in range(count)
    )
    found = tuple((labels or {}).items())
    return Node(NodeId(id_), res(cpu, mem, **flavors), devices, open_, found, zone)


def request(
    id_: str,
    team_: str,
    cpu: int = 1,
    *,
    replicas: int = 1,
    priority: int = 0,
    mem: int = 0,
    rule: PlacementRule | None = None,
    **flavors: int,
) -> Request:
    return Request(
        id=RequestId(id_),
        team=TeamId(team_),
        user=UserName("ada"),
        kind=WorkloadKind.NOTEBOOK,
        resources=res(cpu, mem, **flavors),
        submitted_at=0.0,
        replicas=replicas,
        priority=priority,
        rule=rule,
    )


def granted(actions: Sequence[Action]) -> list[str]:
    """The requests granted, in order."""
    return [action.allocation.request_id for action in actions if isinstance(action, Grant)]


@dataclass
class Bench:
    """A machine, a clock that ticks once per event, and the events so far."""

    machine: QuotaMachine
    now: float = 0.0
    events: list[Event] = field(default_factory=list)

    def handle(self, event: Event) -> list[Action]:
        actions = self.machine.handle(event)
        self.events.append(event)
        self.machine.audit_state()
        return actions

    def tick(self) -> float:
        self.now += 1
        return self.now

    def submit(
        self, id_: str, team_: str, cpu: int = 1, rule: PlacementRule | None = None, **more: int
    ) -> list[str]:
        asked = request(id_, team_, cpu, rule=rule, **more)
        return granted(self.handle(RequestSubmitted(self.tick(), asked)))

    def end(self, id_: str) -> list[Action]:
        return self.handle(EndRequested(self.tick(), RequestId(id_)))

    def run(self, id_: str) -> None:
        allocation = self.live(id_).id
        self.handle(AllocationClaimed(self.tick(), allocation))
        self.handle(AllocationStarted(self.tick(), allocation))

    def gone(self, id_: str, reason: GoneReason = GoneReason.FINISHED) -> list[str]:
        return granted(self.handle(AllocationGone(self.tick(), self.live(id_).id, reason)))

    def see(self, node_: Node) -> list[str]:
        return granted(self.handle(NodeSeen(self.tick(), node_)))

    def teams(self, *teams: Team) -> list[str]:
        return granted(self.handle(TeamsReplaced(self.tick(), teams)))

    def live(self, id_: str) -> Allocation:
        number = self.machine.requests[RequestId(id_)].allocations
        return self.machine.allocations[AllocationId(f"{id_}-{number}")]

    def status(self, id_: str) -> RequestStatus:
        return self.machine.requests[RequestId(id_)].status

    def queue(self) -> list[str]:
        return [waiting.id for waiting in self.machine.queue()]

    def why(self, id_: str) -> str:
        return self.machine.explain(RequestId(id_)).code


MakeBench = Callable[[Sequence[Team], Sequence[Node]], Bench]
"""The fixture `bench`."""


def state_of(machine: QuotaMachine) -> Mapping[str, object]:
    """Everything that can be read, to show that a refused event changed nothing."""
    return {
        "requests": dict(machine.requests),
        "allocations": dict(machine.allocations),
        "nodes": dict(machine.nodes),
        "free": {id_: machine.free(id_) for id_ in machine.nodes},
        "used": {id_: machine.used(id_) for id_ in machine.tree},
        "queue": machine.queue(),
    }
