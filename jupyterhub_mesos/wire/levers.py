"""What admins do by hand: pause queues, empty nodes, extend sessions; each order says its reason.

A moment that is ordered is ISO 8601 with its zone (`2026-12-01T09:00+01:00`);
a moment that is told is in Unix seconds, as everywhere.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from jupyterhub_mesos.wire.base import Name, Paged, ResourcesModel, Wire
from jupyterhub_mesos_quota.model import AllocationState, WorkloadKind

MAX_REASON_CHARACTERS: Final = 500
MAX_EXTENSION_MINUTES: Final = 365 * 24 * 60
"""A year: more is a typing error."""

Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_REASON_CHARACTERS)
]
"""Why: for the audit, and for those whom it concerns."""


def _with_zone(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("say the zone too, such as 2026-12-01T09:00+01:00 or 2026-12-01T08:00Z")
    return moment


Moment = Annotated[datetime, AfterValidator(_with_zone)]


class Order(Wire):
    """What every order says."""

    reason: Reason


# ---- queues -----------------------------------------------------------------------------------


class QueueOrder(Order):
    """`POST /queue/pause` and `/queue/resume`: of a team and those under it; without a team of everybody."""

    team: Name | None = None


class PauseView(Wire):
    """A queue that is paused; `team` is None for the whole queue, `by` only told to its admins.

    `is_by_admin`: an admin paused it, so only an admin resumes it; `may_resume` says whether the asker may.
    """

    team: str | None
    since: float | None
    reason: str
    by: str | None = None
    is_by_admin: bool = False
    may_resume: bool = False


class PausesView(Paged):
    """The paused queues that concern the asker's teams, the whole queue first."""

    items: tuple[PauseView, ...]

    # ---- nodes ------------------------------------------------------------------------------------


class NodeStanding(StrEnum):
    """What a node does with work."""

    OPEN = "open"  # takes new work
    CLOSED = "closed"  # its backend has closed it
    CORDONED = "cordoned"  # an admin has closed it; what runs there stays
    DRAINING = "draining"  # an admin empties it; something still stands there
    DRAINED = "drained"  # an admin has closed it and nothing stands there: it can be taken away


class CordonOrder(Order):
    """`POST /nodes/ID/cordon`: take nothing new; with `drains`, stop what runs there and queue it again."""

    drains: bool = False


class HeldView(Wire):
    """Something that stands on a node."""

    request_id: str
    kind: WorkloadKind
    user: str
    team: str
    name: str
    state: AllocationState
    resources: ResourcesModel


class NodeStandingView(Wire):
    """A node with what is done with it; `by` and `holds` are told to admins alone, `held` to everybody.

    A node that is cordoned before its backend reports it has no `capacity`, and is not `is_reported`.
    """

    id: str
    standing: NodeStanding
    zone: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    capacity: ResourcesModel
    free: ResourcesModel
    is_reported: bool = True
    since: float | None = None
    reason: str = ""
    by: str | None = None
    held: int = 0
    holds: tuple[HeldView, ...] = ()


class NodesView(Paged):
    """`GET /nodes`: by name."""

    items: tuple[NodeStandingView, ...]

    # ---- sessions ---------------------------------------------------------------------------------


class SessionExtension(Order):
    """`POST /requests/ID/extend`: let what runs under a time limit go on, `until` then or `by_minutes`."""

    until: Moment | None = None
    by_minutes: Annotated[int, Field(ge=1, le=MAX_EXTENSION_MINUTES)] | None = None

    @model_validator(mode="after")
    def _says_one(self) -> Self:
        if (self.until is None) == (self.by_minutes is None):
            raise ValueError("say either `until` or `by_minutes`, not both and not neither")
        return self


class SessionView(Wire):
    """`GET /requests/ID/session`: when what runs is ended, None where nothing ends it.

    `latest` is the last moment to which the asker may extend it, None where the asker may not.
    """

    request_id: str
    ends_at: float | None = None
    limit_seconds: float | None = None
    latest: float | None = None


# ---- users ------------------------------------------------------------------------------------


class RenameOrder(Order):
    """`POST /users/USER/rename`: everything of a user is another name's from now on."""

    to: Annotated[str, StringConstraints(pattern=r"^[^/\x00-\x20]{1,255}$")]


class UserStanding(Wire):
    """What a user has now: requests that wait, and requests that hold something or are being stopped."""

    user: str
    waiting: int
    active: int
