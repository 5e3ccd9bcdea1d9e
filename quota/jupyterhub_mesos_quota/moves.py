"""The tables of legal moves of requests and allocations, as data, and the story each object keeps.

A move that is not in its table raises `IllegalMove` with the object's story.
A message that may arrive late or twice is not a move: `REPEATED` names, per
event, the states in which it says nothing new.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NoReturn

from jupyterhub_mesos_quota.errors import IllegalMove
from jupyterhub_mesos_quota.events import (
    AllocationClaimed,
    AllocationGone,
    AllocationLost,
    AllocationMoved,
    AllocationReturned,
    AllocationStarted,
    GrantUnclaimed,
    RequestMoved,
)
from jupyterhub_mesos_quota.model import AllocationId, AllocationState, RequestId, RequestStatus

_R = RequestStatus
_A = AllocationState

REQUEST_MOVES: Final[frozenset[tuple[RequestStatus | None, RequestStatus]]] = frozenset(
    {
        (None, _R.QUEUED),
        (None, _R.HELD),
        (_R.QUEUED, _R.ACTIVE),
        (_R.QUEUED, _R.HELD),
        (_R.QUEUED, _R.WITHDRAWN),
        (_R.HELD, _R.QUEUED),
        (_R.HELD, _R.WITHDRAWN),
        (_R.ACTIVE, _R.QUEUED),  # lost, preempted, not placed or never claimed: back at its old rank
        (_R.ACTIVE, _R.ENDED),
    }
)

ALLOCATION_MOVES: Final[frozenset[tuple[AllocationState | None, AllocationState]]] = frozenset(
    {
        (None, _A.GRANTED),
        (_A.GRANTED, _A.STARTING),
        (_A.GRANTED, _A.STOPPING),
        (_A.GRANTED, _A.GONE),
        (_A.STARTING, _A.RUNNING),
        (_A.STARTING, _A.STOPPING),
        (_A.STARTING, _A.LOST),
        (_A.STARTING, _A.GONE),
        (_A.RUNNING, _A.WARNED),
        (_A.RUNNING, _A.STOPPING),
        (_A.RUNNING, _A.LOST),
        (_A.RUNNING, _A.GONE),
        (_A.WARNED, _A.RUNNING),
        (_A.WARNED, _A.PARKED),
        (_A.WARNED, _A.STOPPING),
        (_A.WARNED, _A.LOST),
        (_A.WARNED, _A.GONE),
        (_A.PARKED, _A.RUNNING),
        (_A.PARKED, _A.STOPPING),
        (_A.PARKED, _A.LOST),
        (_A.PARKED, _A.GONE),
        (_A.STOPPING, _A.LOST),
        (_A.STOPPING, _A.GONE),
        (_A.LOST, _A.RUNNING),
        (_A.LOST, _A.STOPPING),
        (_A.LOST, _A.GONE),
    }
)

REPEATED: Final[Mapping[type, frozenset[AllocationState]]] = {
    AllocationClaimed: frozenset({_A.STARTING, _A.RUNNING}),  # a repeated claim finds the first
    AllocationStarted: frozenset({_A.RUNNING, _A.STOPPING, _A.GONE}),  # overtaken by a stop
    GrantUnclaimed: frozenset({_A.STOPPING, _A.GONE}),
    AllocationLost: frozenset({_A.LOST, _A.GONE}),
    AllocationReturned: frozenset({_A.RUNNING, _A.STOPPING}),
    AllocationGone: frozenset({_A.GONE}),
}
"""The states in which an event is a repetition and changes nothing."""

LIVE_STATES: Final = frozenset(_A) - {_A.GONE}
"""An allocation in one of these holds its resources."""
DRAINABLE_STATES: Final = frozenset({_A.GRANTED, _A.STARTING, _A.RUNNING, _A.WARNED, _A.PARKED})
"""An allocation in one of these can be told to stop, and has not been."""
WAITING_STATUSES: Final = frozenset({_R.QUEUED})
TERMINAL_STATUSES: Final = frozenset({_R.ENDED, _R.WITHDRAWN})

Move = RequestMoved | AllocationMoved
Story = tuple[str | Move, ...]
STORY_LENGTH: Final = 16
"""Moves kept per object: enough to see how it came to where it stands, and bounded."""


class Stories:
    """What happened to each object, oldest first; of each the last `STORY_LENGTH` moves."""

    def __init__(self) -> None:
        self._of_requests: dict[RequestId, Story] = {}
        self._of_allocations: dict[AllocationId, Story] = {}

    def note_request(self, id_: RequestId, line: str | Move) -> None:
        """Append to the story of a request."""
        self._of_requests[id_] = (*self._of_requests.get(id_, ())[1 - STORY_LENGTH :], line)

    def note_allocation(self, id_: AllocationId, line: str | Move) -> None:
        """Append to the story of an allocation."""
        self._of_allocations[id_] = (*self._of_allocations.get(id_, ())[1 - STORY_LENGTH :], line)

    def drop(self, requests: Iterable[RequestId], allocations: Iterable[AllocationId]) -> None:
        """Forget what is over."""
        for request in requests:
            self._of_requests.pop(request, None)
        for allocation in allocations:
            self._of_allocations.pop(allocation, None)

    def check_request(self, id_: RequestId, before: RequestStatus | None, after: RequestStatus) -> None:
        """Raise `IllegalMove` unless a request may move so."""
        if (before, after) not in REQUEST_MOVES:
            story = _tell_story(self._of_requests.get(id_, ()))
            raise IllegalMove(f"request {id_}", before or "nothing", after, story)

    def check_allocation(
        self, id_: AllocationId, before: AllocationState | None, after: AllocationState
    ) -> None:
        """Raise `IllegalMove` unless an allocation may move so."""
        if (before, after) not in ALLOCATION_MOVES:
            self.refuse_allocation(id_, before, after)

    def refuse_allocation(
        self, id_: AllocationId, before: AllocationState | None, after: AllocationState
    ) -> NoReturn:
        """Raise `IllegalMove` with the allocation's story."""
        story = _tell_story(self._of_allocations.get(id_, ()))
        raise IllegalMove(f"allocation {id_}", before or "nothing", after, story)


def _tell_story(story: Story) -> tuple[str, ...]:
    return tuple(line if isinstance(line, str) else _tell(line) for line in story)


def _tell(move: Move) -> str:
    return f"at {move.at:g}: {move.before or 'new'} -> {move.after} ({move.why})"
