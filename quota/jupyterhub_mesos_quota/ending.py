"""The end of a request, whoever asked for it: withdrawn where it waits, stopped where it is active."""

from __future__ import annotations

from jupyterhub_mesos_quota.desk import Desk
from jupyterhub_mesos_quota.events import StopReason
from jupyterhub_mesos_quota.model import AllocationState, Request, RequestId, RequestStatus
from jupyterhub_mesos_quota.moves import TERMINAL_STATUSES, WAITING_STATUSES


def end_request(
    desk: Desk, at: float, id_: RequestId, why: str, reason: StopReason = StopReason.ENDED
) -> None:
    """End a request; one that is over, or ending, stays as it is. Raises `UnknownRequest`."""
    request = desk.book.request(id_)
    if request.status in TERMINAL_STATUSES or request.is_ending:
        return
    if request.status is not RequestStatus.ACTIVE:
        _withdraw(desk, at, request, why)
        return
    allocation = desk.book.allocations[desk.book.live[id_]]
    desk.book.mark_ending(id_)
    if allocation.state is not AllocationState.STOPPING:
        desk.book.stop(at, allocation.id, why, reason)


def _withdraw(desk: Desk, at: float, request: Request, why: str) -> None:
    desk.book.move_request(at, request.id, RequestStatus.WITHDRAWN, why)
    if request.status in WAITING_STATUSES and not desk.bars.drop(request.id):
        desk.leave(request)
    desk.is_settled = False  # others no longer wait behind it
