"""How long a session may run: a word some time before its end, then its end; an admin may extend it."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush

from jupyterhub_mesos_quota.book import Book
from jupyterhub_mesos_quota.errors import RefusedRequest
from jupyterhub_mesos_quota.events import StopReason, WarnAllocation
from jupyterhub_mesos_quota.model import Allocation, AllocationId, AllocationState, RequestId
from jupyterhub_mesos_quota.moves import DRAINABLE_STATES

_Entry = tuple[float, bool, float, AllocationId]
"""When it is due, whether it is the end and not the word before, the end, and whose."""


class TimeLimits:
    """The ends of what runs under a time limit, the next first; an entry that is out of date says nothing."""

    def __init__(self, book: Book, notice_seconds: float) -> None:
        self._book = book
        self._notice_seconds = notice_seconds
        self._due: list[_Entry] = []

    def begin(self, at: float, allocation: Allocation) -> None:
        """Set the end of an allocation that began to run, where its request has a limit."""
        limit = self._book.requests[allocation.request_id].max_seconds
        if limit is not None and allocation.ends_at is None:
            self.set(allocation.id, at + limit)

    def set(self, id_: AllocationId, ends_at: float) -> None:
        """Set when an allocation ends."""
        self._book.set_ends_at(id_, ends_at)
        self.watch(self._book.allocations[id_])

    def watch(self, allocation: Allocation, told_until: float = 0.0) -> None:
        """Look again when an allocation is to be told of its end, and at its end.

        What was due up to `told_until` was told before.
        """
        for entry in self._entries(allocation):
            is_end = entry[1]
            if is_end or entry[0] > told_until:
                heappush(self._due, entry)

    def resume(self, at: float, allocation: Allocation) -> None:
        """Look anew at an allocation that was lost, at what came due in the meantime."""
        for entry in self._entries(allocation):
            if entry[0] <= at:
                heappush(self._due, entry)

    def _entries(self, allocation: Allocation) -> Iterator[_Entry]:
        if allocation.ends_at is not None:
            ends_at = allocation.ends_at
            yield ends_at - self._notice_seconds, False, ends_at, allocation.id
            yield ends_at, True, ends_at, allocation.id

    def extend(self, request_id: RequestId, until: float) -> None:
        """Let a running session go on. Raises `RefusedRequest` where it has no end or does not run."""
        self._book.request(request_id)
        id_ = self._book.live.get(request_id)
        allocation = None if id_ is None else self._book.allocations[id_]
        if allocation is None or allocation.ends_at is None or allocation.state not in DRAINABLE_STATES:
            raise RefusedRequest(
                f"Request {request_id} cannot be extended: only one that runs under a time limit can. "
                "Start it anew, or look at whether it still runs."
            )
        if until < allocation.ends_at:
            raise RefusedRequest(
                f"Request {request_id} already runs until {allocation.ends_at:g}; {until:g} was asked for, "
                "which is sooner: name a later moment, or end it."
            )
        if until > allocation.ends_at:
            self.set(allocation.id, until)

    def advance(self, at: float) -> None:
        """Let time pass."""
        while self._due and self._due[0][0] <= at:
            _, is_end, ends_at, id_ = heappop(self._due)
            allocation = self._book.allocations.get(id_)
            if (
                allocation is None
                or allocation.ends_at != ends_at
                or allocation.state not in DRAINABLE_STATES
            ):
                continue
            if not is_end:
                self._book.note(WarnAllocation(at, id_, ends_at, "its time limit is near"))
                continue
            self._book.mark_ending(allocation.request_id)
            self._book.stop(at, id_, "its time limit is reached", StopReason.TIME_LIMIT)

    def next_due(self) -> float | None:
        """Return when something is to be done though nothing happens."""
        while self._due:
            _, _, ends_at, id_ = self._due[0]
            allocation = self._book.allocations.get(id_)
            is_live = allocation is not None and allocation.state is not AllocationState.GONE
            if is_live and allocation is not None and allocation.ends_at == ends_at:
                return self._due[0][0]
            heappop(self._due)
        return None
