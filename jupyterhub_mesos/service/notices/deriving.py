"""From a row of the audit to what somebody is told of it, if anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from jupyterhub_mesos.service.holding.keeper import ASKED
from jupyterhub_mesos.service.hub_side import HUB
from jupyterhub_mesos.service.notices.model import Notice, NoticeKind
from jupyterhub_mesos.service.rows import AuditRow, RequestRow
from jupyterhub_mesos_quota.model import RequestId, WorkloadKind, allocation_id

WAITED_SECONDS: Final = 60.0
"""Who waited for less still looks at the page."""
SERVICE: Final = "service"
"""Who acts where no person does."""
_STARTED: Final = "starting -> running"
_TAKEN: Final = "active -> queued"
_ENDED: Final = "active -> ended"
_STOPPED: Final = " -> stopping"
_BUDGET: Final = " % of a budget used"
_NAMES: Final = {
    WorkloadKind.NOTEBOOK: "notebook",
    WorkloadKind.TRAINING: "training job",
    WorkloadKind.SERVING: "model server",
    WorkloadKind.PIPELINE: "pipeline",
}


def request_of(row: AuditRow) -> RequestId | None:
    """Return the request that a row may be about, None where it is about none that anybody is told of."""
    if row.what in {ASKED, _TAKEN, _ENDED}:
        return RequestId(row.subject)
    if row.what in {_STARTED, "warned"} or row.what.endswith(_STOPPED):
        return RequestId(row.subject.rpartition("-")[0])  # of its allocation's id
    return None


def notice_of(row: AuditRow, request: RequestRow | None, page: Callable[[str], str]) -> Notice | None:
    """Return what somebody is told of a row; `page` makes the address of a page of ours."""
    if row.what.endswith(_BUDGET):
        return _budget(row, page)
    told = None if request is None else _told(row, request)
    if told is None or request is None:
        return None
    kind, title, text = told
    return Notice(
        id=f"notice-{row.seq}",
        kind=kind,
        at=row.at,
        user=request.request.user,
        team=request.request.team,
        subject=request.id,
        title=title,
        text=text,
        link=page(f"requests/{request.id}"),
    )


def _told(row: AuditRow, request: RequestRow) -> tuple[NoticeKind, str, str] | None:
    what = _what(request)
    if row.what == ASKED:
        said = "There is room for it now. It starts when you confirm; others may take the room until then."
        return NoticeKind.ROOM, f"There is room for your {what}", said
    if row.what == "warned":
        until = _moment(row.data.get("until"))
        return NoticeKind.WARNED, f"Your {what} is to be stopped at {until}", _sentence(row.why)
    if row.what == _TAKEN:
        again = "It waits at its old place and starts again by itself."
        return NoticeKind.TAKEN, f"Your {what} was stopped and waits again", f"{_sentence(row.why)} {again}"
    if row.what == _STARTED:
        return _started(row, request, what)
    return _ended(row, request, what) if row.what == _ENDED else _stopped(row, request, what)


def _started(row: AuditRow, request: RequestRow, what: str) -> tuple[NoticeKind, str, str] | None:
    waited = row.at - request.request.submitted_at
    is_first = row.subject == allocation_id(request.id, 1)
    if waited < WAITED_SECONDS and is_first:
        return None
    return NoticeKind.STARTED, f"Your {what} runs", f"It was asked for {_span(waited)} ago."


def _ended(row: AuditRow, request: RequestRow, what: str) -> tuple[NoticeKind, str, str] | None:
    is_notebook = request.request.kind is WorkloadKind.NOTEBOOK
    if is_notebook and (request.outcome == "finished" or not request.message):
        return None  # its user ended it, or another person did and that was told
    outcome = {"failed": "failed", "stopped": "was stopped"}.get(request.outcome or "", "has finished")
    return NoticeKind.ENDED, f"Your {what} {outcome}", _sentence(request.message or row.why)


def _stopped(row: AuditRow, request: RequestRow, what: str) -> tuple[NoticeKind, str, str] | None:
    """Tell of a notebook that another person ends; of the rest its end tells."""
    is_notebook = request.request.kind is WorkloadKind.NOTEBOOK
    # the hub does not say who pressed Stop on its page
    acted = row.who.split(" with the token ", 1)[0]
    if not is_notebook or acted in {
        SERVICE,
        HUB,
        request.request.user,
    }:  # the hub does not say who pressed Stop there
        return None
    return NoticeKind.ENDED, f"Your {what} was stopped", _sentence(str(row.data.get("because") or row.why))


def _budget(row: AuditRow, page: Callable[[str], str]) -> Notice:
    percent, user = row.what.removesuffix(_BUDGET), row.why
    whose = f"your budget in team {row.subject}" if user else f"the budget of team {row.subject}"
    text = "What runs on it is stopped soon." if percent == "100" else "At 100 % what runs on it is stopped."
    return Notice(
        id=f"notice-{row.seq}",
        kind=NoticeKind.BUDGET,
        at=row.at,
        user=user,
        team=row.subject,
        subject=row.subject,
        title=f"{percent} % of {whose} is used",
        text=text,
        link=page("teams"),
    )


def _what(request: RequestRow) -> str:
    name = request.server.server_name if request.server is not None else request.info.name
    kind = _NAMES[request.request.kind]
    return f"{kind} {name}" if name else kind


def _sentence(text: str) -> str:
    told = text.strip()
    return f"{told[:1].upper()}{told[1:]}{'' if told.endswith(('.', '!', '?')) else '.'}" if told else ""


def _moment(at: object) -> str:
    return f"{datetime.fromtimestamp(float(str(at)), UTC):%Y-%m-%d %H:%M} UTC"


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    return f"{round(minutes / 60)} hours"
