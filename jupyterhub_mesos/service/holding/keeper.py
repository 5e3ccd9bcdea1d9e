"""Holds and releases requests as their owners' words and hours say; asks their owners where there is room.

All that lasts stands in the ledger: after a restart the same requests are held, and
nobody is asked twice about the same room.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from jupyterhub_mesos.service.changes import Change, Note
from jupyterhub_mesos.service.holding.standing import Standing, explain_held, standing_of, why_held
from jupyterhub_mesos.service.ledger import Ledger
from jupyterhub_mesos.service.rows import RequestRow, StartRow, StartSet
from jupyterhub_mesos_quota.events import RequestHeld, RequestReleased
from jupyterhub_mesos_quota.explain import Explanation
from jupyterhub_mesos_quota.model import RequestId, RequestStatus

LONGEST_SECONDS: Final = 60.0
"""Between two looks, so that a clock that was set is noticed."""
SHORTEST_SECONDS: Final = 0.2
ASKED: Final = "asked to confirm"


class Keeper:
    """The one that moves requests between `held` and `queued`; `step` comes after commits, and in time."""

    def __init__(self, ledger: Ledger, confirm_minutes: int) -> None:
        self._ledger = ledger
        self._confirm_minutes = confirm_minutes

    async def step(self) -> float:
        """Bring every request with a wish to where it should stand; return when to look again, in seconds."""
        now = self._ledger.clock()
        changes = [change for row in self._rows() for change in self._due(row, now)]
        if changes:
            await self._ledger.apply_each(*changes)
        ends = (standing_of(start, now).until for _, start in self._wishes())
        first = min((end for end in ends if end is not None), default=now + LONGEST_SECONDS)
        return min(max(first - now, SHORTEST_SECONDS), LONGEST_SECONDS)

    def explain(self, row: RequestRow) -> Explanation | None:
        """Say why a request is held; None where it is not."""
        if row.request.status is not RequestStatus.HELD or row.start is None:
            return None
        return explain_held(row.start, self._ledger.clock(), self._confirm_minutes)

    def confirmed(self, start: StartRow) -> StartRow:
        """Return how a request wants to start once its owner has confirmed, as of now."""
        until = self._ledger.clock() + self._confirm_minutes * 60.0
        return replace(start, confirmed_until=until, asked_at=None)

    def change(self, row: RequestRow, start: StartRow | None, who: str, why: str) -> Change:
        """Return the change by which a request wants to start otherwise, and stands accordingly at once."""
        now = self._ledger.clock()
        event = RequestHeld(now, row.id, why) if self.is_held(start) else RequestReleased(now, row.id, why)
        return Change(event, (StartSet(row.id, start),), who=who, why=why, note=_told(row.id, start))

    def is_held(self, start: StartRow | None) -> bool:
        """Say whether a request that wants to start so stands aside now."""
        return start is not None and not standing_of(start, self._ledger.clock()).may_start

    def _rows(self) -> Iterator[RequestRow]:
        rows = (self._ledger.row(request_id) for request_id in tuple(self._ledger.memory.wishes))
        return (row for row in rows if row is not None)

    def _wishes(self) -> Iterator[tuple[RequestRow, StartRow]]:
        return ((row, row.start) for row in self._rows() if row.start is not None)

    def _due(self, row: RequestRow, now: float) -> Iterator[Change]:
        """Yield what a request is due; one that is over meanwhile is due nothing."""
        if row.start is None:
            return
        stands = standing_of(row.start, now)
        if row.request.status is RequestStatus.QUEUED and not stands.may_start:
            why = why_held(row.start, now)
            yield Change(RequestHeld(now, row.id, why), why=why, is_attempt=True)
        elif row.request.status is RequestStatus.HELD and stands.may_start:
            why = "a start is welcome from now on"
            yield Change(RequestReleased(now, row.id, why), why=why, is_attempt=True)
        elif row.request.status is RequestStatus.HELD:
            yield from self._asking(row, row.start, stands, now)

    def _asking(self, row: RequestRow, start: StartRow, stands: Standing, now: float) -> Iterator[Change]:
        """Ask its owner once there is room, and again where it was gone in between."""
        has_room = stands.is_asked and self._could_start(row)
        if has_room and start.asked_at is None:
            asked = replace(start, asked_at=now)
            note = Note(ASKED, row.id, {"by": row.request.user})
            yield Change(None, (StartSet(row.id, asked),), why="there is room for it", note=note)
        elif not has_room and start.asked_at is not None:
            yield Change(None, (StartSet(row.id, replace(start, asked_at=None)),))

    def _could_start(self, row: RequestRow) -> bool:
        request = row.request
        return self._ledger.machine.could_start(
            request.team, request.resources, request.replicas, request.rule
        )


def _told(request_id: RequestId, start: StartRow | None) -> Note:
    """Return what the audit says of a wish that was changed."""
    if start is None:
        return Note("starts by itself", request_id, {})
    data = start.wish.model_dump(mode="json")
    return Note("start wish changed", request_id, {**data, "confirmed_until": start.confirmed_until})
