"""What backends tell of allocations, as moves along the table."""

from __future__ import annotations

from typing import assert_never

from jupyterhub_mesos_quota.desk import Desk
from jupyterhub_mesos_quota.events import (
    AllocationClaimed,
    AllocationGone,
    AllocationLost,
    AllocationReturned,
    AllocationStarted,
    GrantUnclaimed,
)
from jupyterhub_mesos_quota.model import Allocation, AllocationState
from jupyterhub_mesos_quota.moves import REPEATED
from jupyterhub_mesos_quota.timelimits import TimeLimits

AllocationEvent = (
    AllocationClaimed
    | AllocationStarted
    | GrantUnclaimed
    | AllocationLost
    | AllocationReturned
    | AllocationGone
)


def follow(desk: Desk, limits: TimeLimits, event: AllocationEvent) -> None:
    """Move an allocation as its backend says; what was told already changes nothing.

    Raises `UnknownAllocation`, `IllegalMove`.
    """
    allocation = desk.book.allocation(event.allocation_id)
    if allocation.state in REPEATED[type(event)]:
        return
    at, id_ = event.at, allocation.id
    match event:
        case AllocationGone():
            # Only what was taken back is stopped without its request's end: it is queued again.
            is_stopping = allocation.state is AllocationState.STOPPING
            reason = event.reason.after_a_stop if is_stopping else event.reason
            desk.free(at, allocation, requeues=reason.requeues, why=reason.why)
        case AllocationClaimed():
            desk.book.move_allocation(at, id_, AllocationState.STARTING, "it was claimed")
        case AllocationStarted():
            _check_move(desk, allocation, AllocationState.STARTING, AllocationState.RUNNING)
            limits.begin(at, desk.book.move_allocation(at, id_, AllocationState.RUNNING, "every task runs"))
        case AllocationLost():
            desk.book.move_allocation(at, id_, AllocationState.LOST, "its node is unreachable")
        case AllocationReturned():
            _check_move(desk, allocation, AllocationState.LOST, AllocationState.RUNNING)
            if desk.book.requests[allocation.request_id].is_ending:
                desk.book.stop(at, id_, "found alive after its end was asked for")
            else:
                limits.resume(at, desk.book.move_allocation(at, id_, AllocationState.RUNNING, "found alive"))
        case GrantUnclaimed():
            _check_move(desk, allocation, AllocationState.GRANTED, AllocationState.GONE)
            desk.free(at, allocation, requeues=True, why="nobody claimed it in time")
        case _:
            assert_never(event)


def _check_move(desk: Desk, allocation: Allocation, only: AllocationState, after: AllocationState) -> None:
    """Refuse an event that is about one state alone, though the table knows other ways to `after`."""
    if allocation.state is not only:
        desk.book.stories.refuse_allocation(allocation.id, allocation.state, after)
