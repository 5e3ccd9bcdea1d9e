"""What the core's actions on what runs mean to its owner: the message of a request, and its warning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from jupyterhub_mesos.service.rows import RequestRow
from jupyterhub_mesos.wire import WarningView
from jupyterhub_mesos_quota.events import (
    Action,
    AllocationMoved,
    LiftWarning,
    StopAllocation,
    StopReason,
    WarnAllocation,
)
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import (
    Allocation,
    AllocationId,
    AllocationState,
    Request,
    RequestId,
    WorkloadKind,
)
from jupyterhub_mesos_quota.moves import DRAINABLE_STATES

COMES_BACK: Final = "It waits at its old place and starts again by itself"
"""What is said of everything that is stopped and not over."""
LIVES: Final = frozenset({AllocationState.RUNNING, AllocationState.WARNED})
"""Every task runs, whatever is said of its end."""


def messages(actions: Sequence[Action], machine: QuotaMachine) -> Iterator[tuple[RequestId, str]]:
    """Yield what the page of each request says of what was done to it; nothing once a warning is lifted."""
    why: dict[AllocationId, str] = {}
    for action in actions:
        if isinstance(action, AllocationMoved):
            why[action.allocation_id] = action.why
        elif isinstance(action, WarnAllocation | LiftWarning | StopAllocation):
            allocation = machine.allocations[action.allocation_id]
            request = machine.requests[allocation.request_id]
            said = _said(action, request, allocation, why.get(allocation.id, ""))
            if said is not None:
                yield request.id, said


def _said(
    action: WarnAllocation | LiftWarning | StopAllocation, request: Request, allocation: Allocation, why: str
) -> str | None:
    match action:
        case LiftWarning():
            return ""
        case WarnAllocation():  # of a time limit, which moves nothing: its warning says all
            is_taken = allocation.state is AllocationState.WARNED
            return f"It is to be stopped: {action.why}. {COMES_BACK}." if is_taken else None
        case StopAllocation(reason=StopReason.ENDED | StopReason.USER_LEFT):
            return None
        case StopAllocation(reason=StopReason.TIME_LIMIT):
            return f"It was stopped: {why}. Ask again to go on."
        case StopAllocation():
            is_notebook = request.kind is WorkloadKind.NOTEBOOK
            lost = "; what its kernels held is lost, its files are not" if is_notebook else ""
            return f"It was stopped: {why}. {COMES_BACK}{lost}."


def warning(
    row: RequestRow, allocation: Allocation | None, machine: QuotaMachine, now: float, notice_seconds: float
) -> WarningView | None:
    """Return what is to end a request's allocation soonest, if anything is known to."""
    if allocation is None or allocation.state not in DRAINABLE_STATES:
        return None
    found: list[WarningView] = []
    if allocation.state is AllocationState.WARNED and allocation.warned_until is not None:
        found.append(WarningView(until=allocation.warned_until, code=StopReason.RECLAIMED, why=row.message))
    if (stop := machine.enforcing.stop_of(row.request)) is not None:
        (team, user), until = stop
        whose = f"team {team}" if user is None else f"its user in team {team}"
        why = f"It is to be stopped: the budget of {whose} is used up. {COMES_BACK}, when there is some left."
        found.append(WarningView(until=until, code=StopReason.OVER_BUDGET, why=why))
    if allocation.ends_at is not None and allocation.ends_at - now <= notice_seconds:
        why = "It is to be stopped: its time limit is near. An admin may extend it."
        found.append(WarningView(until=allocation.ends_at, code=StopReason.TIME_LIMIT, why=why))
    return min(found, key=lambda each: each.until, default=None)
