"""What the machine is told (events, each with its time) and what it answers (actions).

Closed unions: match them with `typing.assert_never` at the end. `at` is in
Unix seconds; the machine has no clock of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from jupyterhub_mesos_quota.model import (
    Allocation,
    AllocationId,
    AllocationState,
    Facts,
    Node,
    NodeId,
    Request,
    RequestId,
    RequestStatus,
    Reservation,
    ReservationId,
    Team,
    TeamId,
    UserName,
)


class GoneReason(StrEnum):
    """Why the backend says that an allocation is gone; it decides what becomes of the request."""

    FINISHED = "finished"  # the workload ended by itself, well
    FAILED = "failed"  # the workload ended by itself, badly
    STOPPED = "stopped"  # it was told to
    NOT_PLACED = "not-placed"  # the backend could not start it: the request is queued again
    NODE_LOST = "node-lost"  # its node did not come back: the request is queued again
    PREEMPTED = "preempted"  # a lender took its guarantee back: the request is queued again

    @property
    def requeues(self) -> bool:
        """Whether the request waits again at its old rank (unless its end was asked for)."""
        return self in {GoneReason.NOT_PLACED, GoneReason.NODE_LOST, GoneReason.PREEMPTED}

    @property
    def after_a_stop(self) -> GoneReason:
        """What it means where a stop was sent to take something back: a workload may fail of its signal."""
        return GoneReason.PREEMPTED if self in {GoneReason.STOPPED, GoneReason.FAILED} else self

    @property
    def why(self) -> str:
        """The reason in a person's words."""
        return _GONE_WHY[self]


_GONE_WHY: Final[Mapping[GoneReason, str]] = {
    GoneReason.FINISHED: "it finished",
    GoneReason.FAILED: "it failed",
    GoneReason.STOPPED: "it was stopped",
    GoneReason.NOT_PLACED: "the backend could not place it",
    GoneReason.NODE_LOST: "its node was lost",
    GoneReason.PREEMPTED: "it was taken back",
}


# ---- events -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TeamsReplaced:
    """The whole team tree, as edited; refused whole with a `TreeError` where it does not hold."""

    at: float
    teams: tuple[Team, ...]


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """A node is new or its capacity, devices, labels or schedulability changed."""

    at: float
    node: Node


@dataclass(frozen=True, slots=True)
class NodeRemoved:
    """A node left the cluster; what stood on it is told apart (`AllocationLost`)."""

    at: float
    node_id: NodeId


@dataclass(frozen=True, slots=True)
class RequestSubmitted:
    """Somebody asks; its `rank` is given by the machine. Submitting a known id again changes nothing.

    `is_held`: it stands aside at its rank from the first moment on, until it is released.
    """

    at: float
    request: Request
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class EndRequested:
    """End a request: withdrawn where it waits, stopped where it is active. Idempotent."""

    at: float
    request_id: RequestId


@dataclass(frozen=True, slots=True)
class RequestHeld:
    """A request that waits stands aside: it keeps its rank, and starts for no room until it is released.

    Changes nothing where it does not wait: it was granted meanwhile, or is held already.
    """

    at: float
    request_id: RequestId
    why: str


@dataclass(frozen=True, slots=True)
class RequestReleased:
    """A request that stood aside waits again, at its rank. Changes nothing where it is not held."""

    at: float
    request_id: RequestId
    why: str


@dataclass(frozen=True, slots=True)
class AllocationClaimed:
    """The grant is taken up: GRANTED -> STARTING."""

    at: float
    allocation_id: AllocationId


@dataclass(frozen=True, slots=True)
class AllocationStarted:
    """Every task runs: STARTING -> RUNNING."""

    at: float
    allocation_id: AllocationId


@dataclass(frozen=True, slots=True)
class GrantUnclaimed:
    """Nobody claimed the grant in time: GRANTED -> GONE, the request queues at its old rank."""

    at: float
    allocation_id: AllocationId


@dataclass(frozen=True, slots=True)
class AllocationLost:
    """The node of the allocation is unreachable; its resources are still held."""

    at: float
    allocation_id: AllocationId


@dataclass(frozen=True, slots=True)
class AllocationReturned:
    """A lost allocation was found alive: LOST -> RUNNING."""

    at: float
    allocation_id: AllocationId


@dataclass(frozen=True, slots=True)
class AllocationGone:
    """The backend says that nothing of the allocation runs any more: its resources are free."""

    at: float
    allocation_id: AllocationId
    reason: GoneReason


@dataclass(frozen=True, slots=True)
class FactsSeen:
    """What is known of a running allocation changed; it counts when something must be taken back."""

    at: float
    allocation_id: AllocationId
    facts: Facts


@dataclass(frozen=True, slots=True)
class QueuePaused:
    """Nothing of a team and those under it starts until it is resumed; without a team nothing at all."""

    at: float
    team: TeamId | None = None


@dataclass(frozen=True, slots=True)
class QueueResumed:
    """What waits starts again; without a team that which was paused without one."""

    at: float
    team: TeamId | None = None


@dataclass(frozen=True, slots=True)
class NodeCordoned:
    """A node takes nothing new, whatever its backend says, until it is uncordoned; what runs stays.

    With `drains` what runs there is stopped too, and queued again.
    """

    at: float
    node_id: NodeId
    drains: bool = False


@dataclass(frozen=True, slots=True)
class NodeUncordoned:
    """A node takes new work again, where its backend agrees."""

    at: float
    node_id: NodeId


@dataclass(frozen=True, slots=True)
class SessionExtended:
    """What runs under a time limit goes on until `until`, in Unix seconds."""

    at: float
    request_id: RequestId
    until: float


@dataclass(frozen=True, slots=True)
class ReservationBooked:
    """Capacity is booked for a team. Raises `Overbooked` where it clashes; a known id changes nothing."""

    at: float
    reservation: Reservation


@dataclass(frozen=True, slots=True)
class ReservationCancelled:
    """What was booked is free at once. Raises `UnknownReservation` where it is over, or never was."""

    at: float
    reservation_id: ReservationId


@dataclass(frozen=True, slots=True)
class UserRenamed:
    """Everything of one user is another name's from now on; refused where that name has something already."""

    at: float
    before: UserName
    after: UserName


@dataclass(frozen=True, slots=True)
class UserLeft:
    """A user is gone for good: what waits is withdrawn, what runs is stopped."""

    at: float
    user: UserName


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Nothing happened but time: send it when `QuotaMachine.next_deadline` is reached."""

    at: float


Event = (
    TeamsReplaced
    | NodeSeen
    | NodeRemoved
    | RequestSubmitted
    | EndRequested
    | RequestHeld
    | RequestReleased
    | AllocationClaimed
    | AllocationStarted
    | GrantUnclaimed
    | AllocationLost
    | AllocationReturned
    | AllocationGone
    | FactsSeen
    | QueuePaused
    | QueueResumed
    | NodeCordoned
    | NodeUncordoned
    | SessionExtended
    | ReservationBooked
    | ReservationCancelled
    | UserRenamed
    | UserLeft
    | TimePassed
)

# ---- actions ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Grant:
    """Resources were set aside: start the workload (or have it claimed)."""

    at: float
    allocation: Allocation


class StopReason(StrEnum):
    """Why an allocation is stopped."""

    ENDED = "ended"  # somebody asked for the end of its request
    RECLAIMED = "reclaimed"  # a lender takes its guarantee back: the request is queued again
    OVER_BUDGET = "over-budget"  # its team or user used a budget up: the request is queued again
    TIME_LIMIT = "time-limit"  # it ran for as long as it may: the request ends
    DRAINED = "drained"  # its node is emptied: the request is queued again
    RESERVED = "reserved"  # its room is booked from now on: the request is queued again
    PREEMPTED = "preempted"  # a higher priority of its team takes its place: the request is queued again
    USER_LEFT = "user-left"  # its user is gone for good: the request ends


@dataclass(frozen=True, slots=True)
class StopAllocation:
    """Send a stop; the resources stay held until the backend says Gone."""

    at: float
    allocation_id: AllocationId
    reason: StopReason = StopReason.ENDED


@dataclass(frozen=True, slots=True)
class WarnAllocation:
    """Tell the owner that the allocation is stopped at `until`, in Unix seconds, and for whom."""

    at: float
    allocation_id: AllocationId
    until: float
    why: str


@dataclass(frozen=True, slots=True)
class LiftWarning:
    """Tell the owner that the allocation goes on: what it was to end for is served otherwise."""

    at: float
    allocation_id: AllocationId


@dataclass(frozen=True, slots=True)
class RequestMoved:
    """A request changed its status (`before` is None when it is new)."""

    at: float
    request_id: RequestId
    before: RequestStatus | None
    after: RequestStatus
    why: str


@dataclass(frozen=True, slots=True)
class AllocationMoved:
    """An allocation changed its state (`before` is None when it is new)."""

    at: float
    allocation_id: AllocationId
    before: AllocationState | None
    after: AllocationState
    why: str


@dataclass(frozen=True, slots=True)
class BudgetReached:
    """A team, or one user of it, reached so many percent of a budget; at 100 a stop follows at `stops_at`."""

    at: float
    team: TeamId
    user: UserName | None
    percent: int
    stops_at: float | None = None


Action = (
    BudgetReached | Grant | StopAllocation | WarnAllocation | LiftWarning | RequestMoved | AllocationMoved
)
