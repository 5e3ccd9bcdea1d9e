"""What the audit log keeps of a change: what was refused, what was written, what the machine did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, assert_never

from jupyterhub_mesos.errors import CapacityError
from jupyterhub_mesos.service.rows import AuditRow, Record, TeamsRecord, TokenRevoked, TokenRow
from jupyterhub_mesos_quota.errors import QuotaError
from jupyterhub_mesos_quota.events import (
    Action,
    AllocationMoved,
    BudgetReached,
    EndRequested,
    Grant,
    LiftWarning,
    RequestMoved,
    RequestSubmitted,
    StopAllocation,
    WarnAllocation,
)

if TYPE_CHECKING:
    from jupyterhub_mesos.service.changes import Change

TEAMS: Final = "teams"
TEAMS_WRITTEN: Final = "teams written"


def refusal(change: Change, error: CapacityError | QuotaError, at: float) -> AuditRow:
    """Return the row of a change that was refused."""
    event = type(change.event).__name__ if change.event is not None else "records"
    return AuditRow(
        at, change.who, "refused", _subject(change), str(error), {"event": event, "code": error.code}
    )


def audit(change: Change, actions: Sequence[Action], at: float) -> Iterator[AuditRow]:
    """Yield the rows of a change that was made, those of its records first."""
    for record in change.records:
        if row := _of_record(change, record, at):
            yield row
    for action in actions:
        if row := _of_action(change, action):
            yield row


def _subject(change: Change) -> str:
    event = change.event
    if change.note is not None:
        return change.note.subject
    for record in change.records:
        if isinstance(record, TokenRow | TokenRevoked):
            return record.id
    if isinstance(event, RequestSubmitted):
        return event.request.id
    if isinstance(event, EndRequested):
        return event.request_id
    return str(getattr(event, "allocation_id", None) or getattr(event, "node_id", None) or "teams")


def _of_record(change: Change, record: Record, at: float) -> AuditRow | None:
    match record:
        case TeamsRecord():
            numbered = {} if record.expected is None else {"revision": record.expected + 1}
            return AuditRow(at, change.who, TEAMS_WRITTEN, TEAMS, change.why, numbered)
        case TokenRow():
            told = {"team": record.team, "name": record.name, "expires_at": record.expires_at}
            return AuditRow(at, change.who, "token made", record.id, change.why, told)
        case TokenRevoked():
            return AuditRow(at, change.who, "token revoked", record.id, change.why)
        case _:
            return None


def _of_action(change: Change, action: Action) -> AuditRow | None:
    cause = {"because": change.why} if change.why else {}
    match action:
        case RequestMoved():
            what = f"{action.before or 'new'} -> {action.after}"
            return AuditRow(action.at, change.who, what, action.request_id, action.why, cause)
        case AllocationMoved():
            what = f"{action.before or 'new'} -> {action.after}"
            return AuditRow(action.at, change.who, what, action.allocation_id, action.why, cause)
        case Grant():
            nodes = [placement.node for placement in action.allocation.placements]
            subject = action.allocation.id
            return AuditRow(action.at, change.who, "granted", subject, change.why, {"nodes": nodes})
        case BudgetReached():
            what = f"{action.percent} % of a budget used"
            return AuditRow(action.at, change.who, what, action.team, action.user or "", cause)
        case WarnAllocation():
            told = {"until": action.until, **cause}
            return AuditRow(action.at, change.who, "warned", action.allocation_id, action.why, told)
        case StopAllocation() | LiftWarning():
            return None  # its AllocationMoved says the same
        case _:
            assert_never(action)
