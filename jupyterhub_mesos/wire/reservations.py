"""Reservations: capacity booked for a team from a moment to another."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from jupyterhub_mesos.wire.base import Name, Paged, ResourcesModel, Wire
from jupyterhub_mesos.wire.jobs import MAX_REPLICAS
from jupyterhub_mesos.wire.levers import Moment, Order

MAX_TITLE_CHARACTERS: Final = 200

Title = Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_TITLE_CHARACTERS)]


class ReservationOrder(Order):
    """`POST /reservations`: book `replicas` pieces of `resources` each, for a team and those under it."""

    team: Name
    title: Title = ""
    resources: ResourcesModel
    replicas: Annotated[int, Field(ge=1, le=MAX_REPLICAS)] = 1
    starts_at: Moment
    ends_at: Moment


class ReservationState(StrEnum):
    """Where a reservation stands."""

    COMING = "coming"  # it has not begun
    NOW = "now"  # it is on
    PAST = "past"  # it is over
    CANCELLED = "cancelled"  # it was cancelled before its end


class ReservationView(Wire):
    """A reservation; `ended_at` is when it was cancelled, with `cancelled_because`."""

    id: str
    team: str
    title: str
    resources: ResourcesModel
    replicas: int
    starts_at: float
    ends_at: float
    booked_by: str
    reason: str = ""
    state: ReservationState
    may_cancel: bool = False
    ended_at: float | None = None
    cancelled_because: str = ""


class ReservationsView(Paged):
    """`GET /reservations`: those of the asker's teams, the next to begin first; what is over comes last."""

    items: tuple[ReservationView, ...]
