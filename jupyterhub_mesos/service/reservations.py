"""Booking capacity for a team: by its admins and by admins; its members look.

What is booked and not over is the core's; what is over is read from the audit.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from jupyterhub_mesos.errors import NotAllowed, NotFound
from jupyterhub_mesos.service.identity import Identity, Membership
from jupyterhub_mesos.service.ledger import Ledger
from jupyterhub_mesos.service.lever_notes import Lever, LeverNotes, Pull
from jupyterhub_mesos.service.rows import AuditRow
from jupyterhub_mesos.wire import (
    ReservationOrder,
    ReservationState,
    ReservationsView,
    ReservationView,
    ResourcesModel,
)
from jupyterhub_mesos.wire.levers import Order
from jupyterhub_mesos_quota.events import ReservationBooked, ReservationCancelled
from jupyterhub_mesos_quota.model import Reservation, ReservationId, TeamId, UserName

SUBJECT: Final = "reservations"
"""What the audit says all of them under, so that the last ones are found without looking at everything."""
LOOK_BACK: Final = 500
"""Audit rows of reservations that are looked through for what is over."""


class Reservations:
    """Book, cancel and look; who may is decided here."""

    def __init__(self, ledger: Ledger, notes: LeverNotes) -> None:
        self._ledger = ledger
        self._notes = notes

    @property
    def _membership(self) -> Membership:
        return Membership(self._ledger.teams.teams)

    # ---- look ---------------------------------------------------------------------------------

    async def listed(self, who: Identity, *, with_past: bool = False) -> ReservationsView:
        """Return what is booked for the teams that the asker may see; `with_past`, what is over too."""
        rows = await self._ledger.read(lambda store: store.audit(SUBJECT, limit=LOOK_BACK))
        visible = frozenset(self._membership.visible_to(who))
        live = [view for view in self._live(who, rows) if view.team in visible]
        over = [view for view in self._over(rows) if view.team in visible] if with_past else []
        return ReservationsView(items=(*live, *over))

    def names(self, who: Identity) -> tuple[str, ...]:
        """Return the ids of what is booked for the teams that the asker may see."""
        booked = self._ledger.machine.reservations.values()
        visible = frozenset(self._membership.visible_to(who)) if booked else frozenset[str]()
        return tuple(each.id for each in booked if each.team in visible)

    def bookable(self, who: Identity) -> tuple[str, ...]:
        """Return the teams that the asker may book for."""
        membership = self._membership
        return tuple(team for team in membership.visible_to(who) if membership.is_team_admin(who, team))

    def _live(self, who: Identity, rows: Iterable[AuditRow]) -> Iterator[ReservationView]:
        reasons = {row.data["id"]: row.why for row in rows if row.what == Lever.BOOKED}
        now = self._ledger.clock()
        for booked in self._ledger.machine.reservations.values():
            if booked.ends_at <= now:
                continue  # the core hears of the time with its next event
            yield ReservationView(
                id=booked.id,
                team=booked.team,
                title=booked.title,
                resources=ResourcesModel.of(booked.resources),
                replicas=booked.replicas,
                starts_at=booked.starts_at,
                ends_at=booked.ends_at,
                booked_by=booked.booked_by,
                reason=reasons.get(booked.id, ""),
                state=ReservationState.NOW if booked.starts_at <= now else ReservationState.COMING,
                may_cancel=self._membership.is_team_admin(who, booked.team),
            )

    def _over(self, rows: Iterable[AuditRow]) -> Iterator[ReservationView]:
        """Yield what is over, as it was booked, the last booked first."""
        rows = tuple(rows)
        cancelled = {row.data["id"]: row for row in rows if row.what == Lever.CANCELLED}
        now = self._ledger.clock()
        for row in rows:
            if row.what != Lever.BOOKED:
                continue
            end = cancelled.get(row.data["id"])
            if end is not None or float(row.data["ends_at"]) <= now:
                yield _past(row, end)

    # ---- pull ---------------------------------------------------------------------------------

    async def book(self, who: Identity, order: ReservationOrder) -> ReservationView:
        """Book capacity. Raises the core's `Overbooked` with the clash, or `RefusedReservation`."""
        self._check(who, order.team)
        asked = Reservation(
            id=ReservationId(f"res-{secrets.token_hex(4)}"),
            team=TeamId(order.team),
            resources=order.resources.value(),
            replicas=order.replicas,
            starts_at=order.starts_at.timestamp(),
            ends_at=order.ends_at.timestamp(),
            booked_by=UserName(who.name),
            title=order.title,
        )
        event = ReservationBooked(self._ledger.clock(), asked)
        await self._notes.pull(who, event, Pull(Lever.BOOKED, SUBJECT, _told(asked, order)), order.reason)
        return await self._one(who, asked.id)

    async def cancel(self, who: Identity, name: str, order: Order) -> ReservationView:
        """Free what was booked, at once."""
        booked = self._ledger.machine.reservations.get(ReservationId(name))
        if booked is None or booked.team not in self._membership.visible_to(who):
            raise NotFound(f"There is no reservation {name!r}: it is over, was cancelled, or never was.")
        self._check(who, booked.team)
        event = ReservationCancelled(self._ledger.clock(), booked.id)
        data = {"id": booked.id, "team": booked.team}
        await self._notes.pull(who, event, Pull(Lever.CANCELLED, SUBJECT, data), order.reason)
        return await self._one(who, name)

    async def _one(self, who: Identity, name: str) -> ReservationView:
        found = (await self.listed(who, with_past=True)).items
        return next(view for view in found if view.id == name)

    def _check(self, who: Identity, team: str) -> None:
        membership = self._membership
        if team not in membership.visible_to(who):
            raise NotFound(f"There is no team {team!r}.")
        if not membership.is_team_admin(who, team):
            whose = f"An admin, or an admin of team {team},"
            raise NotAllowed(f"{whose} books and cancels its reservations; {who.name} is none.")


def _told(asked: Reservation, order: ReservationOrder) -> Mapping[str, object]:
    """Return what the audit keeps of a reservation: all of it, for when it is over."""
    return {
        "id": asked.id,
        "team": asked.team,
        "title": asked.title,
        "resources": order.resources.model_dump(mode="json"),
        "replicas": asked.replicas,
        "starts_at": asked.starts_at,
        "ends_at": asked.ends_at,
    }


def _past(row: AuditRow, end: AuditRow | None) -> ReservationView:
    told = row.data
    return ReservationView(
        id=told["id"],
        team=told["team"],
        title=told["title"],
        resources=ResourcesModel.model_validate(told["resources"]),
        replicas=told["replicas"],
        starts_at=told["starts_at"],
        ends_at=told["ends_at"],
        booked_by=row.who,
        reason=row.why,
        state=ReservationState.PAST if end is None else ReservationState.CANCELLED,
        ended_at=None if end is None else end.at,
        cancelled_because="" if end is None else end.why,
    )
