"""The book of requests and allocations: each move is checked, told as an action and kept as a story."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from jupyterhub_mesos_quota.copying import copier, maker
from jupyterhub_mesos_quota.errors import UnknownAllocation, UnknownRequest
from jupyterhub_mesos_quota.events import (
    Action,
    AllocationMoved,
    Grant,
    LiftWarning,
    RequestMoved,
    StopAllocation,
    StopReason,
    WarnAllocation,
)
from jupyterhub_mesos_quota.model import (
    Allocation,
    AllocationId,
    AllocationState,
    Placement,
    Request,
    RequestId,
    RequestStatus,
    UserName,
    allocation_id,
)
from jupyterhub_mesos_quota.moves import LIVE_STATES, TERMINAL_STATUSES, Stories
from jupyterhub_mesos_quota.resources import Resources
from jupyterhub_mesos_quota.sizes import KEPT_SIZES


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The ids of what is over and was dropped."""

    requests: tuple[RequestId, ...] = ()
    allocations: tuple[AllocationId, ...] = ()


_with_status: Final = copier(Request, "status")
_with_allocation: Final = copier(Request, "allocations", "status")
_moved: Final = copier(Allocation, "state", "started_at", "gone_at")
_granted: Final = maker(Allocation, "id", "request_id", "team", "placements", "granted_at", "borrowed")
_request_moved: Final = maker(RequestMoved, "at", "request_id", "before", "after", "why")
_allocation_moved: Final = maker(AllocationMoved, "at", "allocation_id", "before", "after", "why")


@lru_cache(maxsize=KEPT_SIZES)
def _why_granted(borrowed: Resources) -> str:
    return "there is room" if borrowed.is_zero else f"there is room; {borrowed} of it is borrowed"


class Book:
    """Requests and allocations by id; `drain` hands out the actions since it was last called."""

    def __init__(self) -> None:
        self.requests: dict[RequestId, Request] = {}
        self.allocations: dict[AllocationId, Allocation] = {}
        self.live: dict[RequestId, AllocationId] = {}  # the one that each active request holds
        self.warned: dict[AllocationId, None] = {}
        self.losses = 0  # grows when one is lost, and when one returns: it can be stopped, or not any more
        self.stories = Stories()
        self._actions: list[Action] = []
        self._first_rank = 0
        self._over: tuple[dict[RequestId, None], dict[AllocationId, None]] = ({}, {})

    def request(self, id_: RequestId) -> Request:
        """Return a request, or raise `UnknownRequest`."""
        found = self.requests.get(id_)
        if found is None:
            raise UnknownRequest(f"There is no request {id_!r}: it never was, or it ended and was forgotten.")
        return found

    def allocation(self, id_: AllocationId) -> Allocation:
        """Return an allocation, or raise `UnknownAllocation`."""
        found = self.allocations.get(id_)
        if found is None:
            raise UnknownAllocation(
                f"There is no allocation {id_!r}: it never was, or it is gone and was forgotten."
            )
        return found

    def set_ends_at(self, id_: AllocationId, at: float) -> None:
        """Keep when the time limit of an allocation is reached."""
        self.allocations[id_] = replace(self.allocations[id_], ends_at=at)

    def note(self, action: Action) -> None:
        """Note an action that moves nothing."""
        self._actions.append(action)

    def drain(self) -> list[Action]:
        """Return the actions noted so far, in order, and begin anew."""
        actions, self._actions = self._actions, []
        return actions

    def restore(
        self, requests: Mapping[RequestId, Request], allocations: Mapping[AllocationId, Allocation]
    ) -> None:
        """Take over rows as they are."""
        for request in requests.values():
            self.requests[request.id] = request
            self._first_rank = min(self._first_rank, request.rank)
            self.stories.note_request(request.id, f"restored as {request.status}")
            if request.status in TERMINAL_STATUSES:
                self._over[0][request.id] = None
        for allocation in allocations.values():
            self.allocations[allocation.id] = allocation
            self.stories.note_allocation(allocation.id, f"restored as {allocation.state}")
            if allocation.state in LIVE_STATES:
                self.live[allocation.request_id] = allocation.id
                if allocation.state is AllocationState.WARNED:
                    self.warned[allocation.id] = None
            else:
                self._over[1][allocation.id] = None

    def add_request(self, at: float, request: Request, why: str) -> None:
        """Write down a new request."""
        self.requests[request.id] = request
        self._note_request(at, request.id, None, request.status, why)

    def bring_forward(self, id_: RequestId) -> Request:
        """Give a request a rank before all that ever waited."""
        self._first_rank -= 1
        self.requests[id_] = forward = replace(self.requests[id_], rank=self._first_rank)
        return forward

    def mark_ending(self, id_: RequestId) -> None:
        """Remember that somebody asked for the end of an active request."""
        self.requests[id_] = replace(self.requests[id_], is_ending=True)

    def rename_user(self, before: UserName, after: UserName) -> None:
        """Say that all requests of one user are another name's."""
        mine = [id_ for id_, request in self.requests.items() if request.user == before]
        for id_ in mine:
            self.requests[id_] = replace(self.requests[id_], user=after)

    def move_request(self, at: float, id_: RequestId, after: RequestStatus, why: str) -> Request:
        """Move a request along its table."""
        before = self.requests[id_].status
        self.stories.check_request(id_, before, after)
        self.requests[id_] = moved = _with_status(self.requests[id_], after)
        self._note_request(at, id_, before, after, why)
        if after in TERMINAL_STATUSES:
            self._over[0][id_] = None
        return moved

    def move_allocation(self, at: float, id_: AllocationId, after: AllocationState, why: str) -> Allocation:
        """Move an allocation along its table."""
        old = self.allocations[id_]
        self.stories.check_allocation(id_, old.state, after)
        started_at, gone_at = old.started_at, old.gone_at
        if after is AllocationState.RUNNING and started_at is None:
            started_at = at
        if after is AllocationState.GONE:
            gone_at = at
            self._over[1][id_] = None
            del self.live[old.request_id]
        if after is AllocationState.WARNED:
            self.warned[id_] = None
        elif old.state is AllocationState.WARNED:
            del self.warned[id_]
        if AllocationState.LOST in {old.state, after}:
            self.losses += 1
        moved = _moved(old, after, started_at, gone_at)
        self.allocations[id_] = moved
        self._note_allocation(at, id_, old.state, after, why)
        return moved

    def grant(
        self, at: float, id_: RequestId, placements: tuple[Placement, ...], borrowed: Resources
    ) -> Allocation:
        """Give a waiting request its next allocation."""
        request = self.requests[id_]
        number = request.allocations + 1
        new = _granted(allocation_id(id_, number), id_, request.team, placements, at, borrowed)
        why = _why_granted(borrowed)
        self.allocations[new.id] = new
        self.live[id_] = new.id
        self._note_allocation(at, new.id, None, new.state, why)
        self.stories.check_request(id_, request.status, RequestStatus.ACTIVE)
        self.requests[id_] = _with_allocation(request, number, RequestStatus.ACTIVE)
        self._note_request(at, id_, request.status, RequestStatus.ACTIVE, why)
        self._actions.append(Grant(at, new))
        return new

    def stop(self, at: float, id_: AllocationId, why: str, reason: StopReason = StopReason.ENDED) -> None:
        """Move an allocation to STOPPING and ask for its stop."""
        self.move_allocation(at, id_, AllocationState.STOPPING, why)
        self._actions.append(StopAllocation(at, id_, reason))

    def warn(self, at: float, id_: AllocationId, until: float, why: str) -> None:
        """Move an allocation to WARNED and ask for its owner to be told."""
        self.move_allocation(at, id_, AllocationState.WARNED, why)
        self.set_warned_until(id_, until)
        self._actions.append(WarnAllocation(at, id_, until, why))

    def lift_warning(self, at: float, id_: AllocationId, why: str) -> None:
        """Let a warned allocation go on."""
        self.move_allocation(at, id_, AllocationState.RUNNING, why)
        self.set_warned_until(id_, None)
        self._actions.append(LiftWarning(at, id_))

    def set_warned_until(self, id_: AllocationId, until: float | None) -> None:
        """Keep when a warned allocation is stopped."""
        self.allocations[id_] = replace(self.allocations[id_], warned_until=until)

    def forget_ended(self) -> Forgotten:
        """Drop what is over, with its story."""
        requests, allocations = tuple(self._over[0]), tuple(self._over[1])
        self._over = ({}, {})
        for request in requests:
            del self.requests[request]
        for allocation in allocations:
            del self.allocations[allocation]
        self.stories.drop(requests, allocations)
        return Forgotten(requests, allocations)

    def _note_request(
        self, at: float, id_: RequestId, before: RequestStatus | None, after: RequestStatus, why: str
    ) -> None:
        move = _request_moved(at, id_, before, after, why)
        self.stories.note_request(id_, move)
        self._actions.append(move)

    def _note_allocation(
        self, at: float, id_: AllocationId, before: AllocationState | None, after: AllocationState, why: str
    ) -> None:
        move = _allocation_moved(at, id_, before, after, why)
        self.stories.note_allocation(id_, move)
        self._actions.append(move)
