"""Letting a session run longer than its time limit: an admin as long as need be, a team's admin within it.

A team's admin may give a session its whole time limit once more, counted from
now: the limit of its profile and team stays what one decision can give.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from jupyterhub_mesos.errors import Conflict, InvalidInput, NotAllowed
from jupyterhub_mesos.service.identity import Identity
from jupyterhub_mesos.service.ledger import Ledger
from jupyterhub_mesos.service.lever_notes import Lever, LeverNotes, Pull
from jupyterhub_mesos.service.operations import WAITING, Operations
from jupyterhub_mesos.service.rows import RequestRow
from jupyterhub_mesos.wire import SessionExtension, SessionView
from jupyterhub_mesos.wire.levers import MAX_EXTENSION_MINUTES
from jupyterhub_mesos_quota.events import SessionExtended
from jupyterhub_mesos_quota.model import RequestStatus
from jupyterhub_mesos_quota.moves import DRAINABLE_STATES

SECONDS_PER_MINUTE: Final = 60.0
MOST_SECONDS: Final = MAX_EXTENSION_MINUTES * SECONDS_PER_MINUTE


class SessionLevers:
    """Extend and look; who may is decided here."""

    def __init__(self, ledger: Ledger, notes: LeverNotes, operations: Operations) -> None:
        self._ledger = ledger
        self._notes = notes
        self._operations = operations

    async def session(self, who: Identity, request_id: str) -> SessionView:
        """Say when a request is ended, and until when the asker may extend it."""
        return self._view(who, await self._operations.visible(who, request_id))

    async def extend(self, who: Identity, request_id: str, order: SessionExtension) -> SessionView:
        """Let what runs under a time limit go on."""
        row = await self._operations.visible(who, request_id)
        if not self._may(who, row):
            raise NotAllowed(
                f"An admin, or an admin of team {row.request.team}, extends {request_id}: ask one."
            )
        ends_at = self._extensible(row)
        until = _until(order, ends_at)
        self._check(who, row, ends_at, until)
        data = {"before": ends_at, "until": until}
        event = SessionExtended(self._ledger.clock(), row.id, until)
        await self._notes.pull(who, event, Pull(Lever.EXTENDED, row.id, data), order.reason)
        return self._view(who, row)

    def _view(self, who: Identity, row: RequestRow) -> SessionView:
        ends_at = self._ends_at(row)
        may = ends_at is not None and self._may(who, row)
        return SessionView(
            request_id=row.id,
            ends_at=ends_at,
            limit_seconds=row.request.max_seconds,
            latest=self._latest(who, row) if may else None,
        )

    def _may(self, who: Identity, row: RequestRow) -> bool:
        return self._operations.membership.is_team_admin(who, row.request.team)

    def _ends_at(self, row: RequestRow) -> float | None:
        allocation = self._ledger.allocation_of(row.id)
        return allocation.ends_at if allocation and allocation.state in DRAINABLE_STATES else None

    def _extensible(self, row: RequestRow) -> float:
        """Return when a request ends by its time limit, or say why it cannot be extended."""
        ends_at = self._ends_at(row)
        if ends_at is not None:
            return ends_at
        status, limit = row.request.status, row.request.max_seconds
        if status in WAITING:
            why = "it waits, and its time limit counts from when it runs: extend it then"
        elif status is not RequestStatus.ACTIVE:
            why = "it is over: start it anew"
        elif limit is None:
            why = "it has no time limit, so it runs until somebody ends it"
        else:
            why = "it is being started or stopped: only what runs can be extended"
        raise Conflict(f"Request {row.id} cannot be extended: {why}.")

    def _latest(self, who: Identity, row: RequestRow) -> float:
        """Return the last moment to which the asker may extend a request."""
        limit = row.request.max_seconds
        most = MOST_SECONDS if who.is_admin or limit is None else min(limit, MOST_SECONDS)
        return self._ledger.clock() + most

    def _check(self, who: Identity, row: RequestRow, ends_at: float, until: float) -> None:
        latest = self._latest(who, row)
        runs = f"Request {row.id} runs until {said(ends_at)}"
        if until <= ends_at:
            raise InvalidInput(f"{runs}; {said(until)} was asked for: name a later moment, or end it.")
        if until > latest:
            limit = timedelta(seconds=round(latest - self._ledger.clock()))
            own = "" if who.is_admin else " for more, ask an admin"
            raise InvalidInput(
                f"{runs}; {said(until)} was asked for, and {said(latest)} is possible ({limit} from now): "
                f"ask for that or less{';' if own else ''}{own}."
            )


def _until(order: SessionExtension, ends_at: float) -> float:
    if order.until is not None:
        return order.until.timestamp()
    return ends_at + (order.by_minutes or 0) * SECONDS_PER_MINUTE


def said(at: float) -> str:
    """Say a moment to people whose zone is not known."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
