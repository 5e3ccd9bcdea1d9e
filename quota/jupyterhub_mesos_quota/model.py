"""The words of the product, each with one meaning: who wants what, who holds what, and in which state.

- *team*: a node of the team tree with an id of its own.
- *request*: somebody wants a *workload* of N replicas x resources; it waits in the queue.
- *allocation*: one time that a request held resources; over its life a request has 0..n of them.
- *grant*: what exactly was given: a placement (node, device ids) for each replica.
- *guarantee* / *limit*: what a team always can have / may never exceed.
- *lend* / *borrow*: an idle guarantee used by another team, with a cap on each side.
- *reservation*: capacity that is a team's from one moment to another, beside its guarantee.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from jupyterhub_mesos_quota.resources import NOTHING, UNLIMITED, Bound, Bounds, Flavor, Resources
from jupyterhub_mesos_quota.rules import PlacementRule

TeamId = NewType("TeamId", str)
UserName = NewType("UserName", str)
RequestId = NewType("RequestId", str)
AllocationId = NewType("AllocationId", str)
NodeId = NewType("NodeId", str)
ReservationId = NewType("ReservationId", str)
DeviceId = NewType("DeviceId", str)
"""An accelerator as its driver names it (a GPU's or MIG slice's UUID)."""


class WorkloadKind(StrEnum):
    """What a request wants to run."""

    NOTEBOOK = "notebook"
    TRAINING = "training"
    SERVING = "serving"
    PIPELINE = "pipeline"


class RequestStatus(StrEnum):
    """Where a request stands; the legal moves are in `moves.py`."""

    QUEUED = "queued"  # waits for room, at its rank
    HELD = "held"  # stands aside at its rank, until its owner confirms or its hours come
    ACTIVE = "active"  # has an allocation that is not gone
    ENDED = "ended"  # ran and is over, whatever the outcome
    WITHDRAWN = "withdrawn"  # cancelled while queued or held


class AllocationState(StrEnum):
    """Where an allocation stands; the legal moves are in `moves.py`."""

    GRANTED = "granted"  # resources are set aside; nobody has claimed them
    STARTING = "starting"  # claimed: the backend is at work
    RUNNING = "running"  # every task runs
    WARNED = "warned"  # told that it will be reclaimed
    PARKED = "parked"  # gave its accelerators back and lives on
    STOPPING = "stopping"  # a stop was sent; the resources are still held
    LOST = "lost"  # its node is unreachable; the resources are still held
    GONE = "gone"  # the backend says that nothing runs; the resources are free


@dataclass(frozen=True, slots=True)
class Budget:
    """How many accelerator-hours may be used in any window of time, by a team and by each user of it."""

    window_seconds: int
    team_hours: Bound = UNLIMITED
    user_hours: Bound = UNLIMITED


@dataclass(frozen=True, slots=True)
class Team:
    """A node of the team tree, as an admin wrote it.

    `guarantee` of a parent is what its subtree always can have; its children's
    guarantees sum to at most that. `lend` bounds how much of an idle guarantee
    others may use, `borrow` bounds what the team may use above its guarantee.
    `per_user` bounds what one user may hold in the team and below it, `accelerators`
    of all flavors together and `sessions` included.
    """

    id: TeamId
    parent: TeamId | None = None
    guarantee: Resources = NOTHING
    limit: Bounds = field(default_factory=Bounds)
    lend: Bounds = field(default_factory=Bounds)
    borrow: Bounds = field(default_factory=Bounds)
    weight: int = 1
    title: str = ""
    per_user: Bounds = field(default_factory=Bounds)
    budget: Budget | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """One accelerator of a node."""

    id: DeviceId
    flavor: Flavor


@dataclass(frozen=True, slots=True)
class Node:
    """A machine that a backend reported.

    `capacity` counts the accelerators per flavor too. `devices` names them
    where the backend knows them; a backend that learns them only after the
    placement (Mesos, Kubernetes) leaves it empty.
    """

    id: NodeId
    capacity: Resources
    devices: tuple[Device, ...] = ()
    is_schedulable: bool = True
    labels: tuple[tuple[str, str], ...] = ()
    zone: str = ""  # its fault domain; the nodes that name none make one together


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody wants `replicas` x `resources`; all of them or none (a gang).

    `rank` is the place in the order of arrival, given by the machine and kept
    for the request's whole life; `submitted_at` is in Unix seconds.
    """

    id: RequestId
    team: TeamId
    user: UserName
    kind: WorkloadKind
    resources: Resources
    submitted_at: float
    replicas: int = 1
    priority: int = 0
    parent: RequestId | None = None
    rank: int = 0
    status: RequestStatus = RequestStatus.QUEUED
    allocations: int = 0  # how many it has had
    is_ending: bool = False  # somebody asked for its end while it was active
    max_seconds: float | None = None  # how long it may run, from when every task runs
    rule: PlacementRule | None = None  # where its replicas may stand; None: wherever there is room

    @property
    def total(self) -> Resources:
        """What all replicas hold together."""
        return self.resources * self.replicas

    @property
    def accelerators(self) -> int:
        """How many accelerators all replicas hold together, of whatever flavor."""
        return self.replicas * sum(count for _, count in self.resources.accelerators)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one replica of a grant stands, and on which devices."""

    replica: int
    node: NodeId
    resources: Resources
    devices: tuple[DeviceId, ...] = ()


@dataclass(frozen=True, slots=True)
class Allocation:
    """One time that a request held resources; `id` is the request's with a counter.

    Times are in Unix seconds; `borrowed` is how much of it stood above the
    team's guarantee at the moment of the grant.
    """

    id: AllocationId
    request_id: RequestId
    team: TeamId
    placements: tuple[Placement, ...]
    granted_at: float
    state: AllocationState = AllocationState.GRANTED
    borrowed: Resources = NOTHING
    started_at: float | None = None
    gone_at: float | None = None
    warned_until: float | None = None  # when a warned one is stopped
    ends_at: float | None = None  # when its time limit is reached

    @property
    def total(self) -> Resources:
        """What all its placements hold together."""
        if len(self.placements) == 1:
            return self.placements[0].resources
        total = NOTHING
        for placement in self.placements:
            total += placement.resources
        return total


@dataclass(frozen=True, slots=True)
class Reservation:
    """Capacity booked for a team, beside its guarantee: `replicas` pieces of `resources` each.

    It is the team's and everybody's below it, from `starts_at` to `ends_at`, in Unix seconds.
    """

    id: ReservationId
    team: TeamId
    resources: Resources
    replicas: int
    starts_at: float
    ends_at: float
    booked_by: UserName
    title: str = ""

    @property
    def total(self) -> Resources:
        """What all its pieces hold together."""
        return self.resources * self.replicas


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a running allocation that makes its end more or less harmful."""

    is_idle: bool = False
    is_parkable: bool = False
    has_checkpoint: bool = False


def allocation_id(request_id: RequestId, number: int) -> AllocationId:
    """Name the `number`-th allocation (from 1) of a request."""
    return AllocationId(f"{request_id}-{number}")
