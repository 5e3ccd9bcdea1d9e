"""The routes of reservations and of users: book, cancel, look; rename, let go."""

from __future__ import annotations

from http import HTTPStatus

from jupyterhub_mesos.service.web.base import ApiHandler
from jupyterhub_mesos.service.web.contract import contract
from jupyterhub_mesos.service.web.paging import page_of
from jupyterhub_mesos.service.web.queries import ReservationsQuery
from jupyterhub_mesos.wire import (
    RenameOrder,
    ReservationOrder,
    ReservationsView,
    ReservationView,
    UserStanding,
)
from jupyterhub_mesos.wire.levers import Order


class ReservationsHandler(ApiHandler):
    """`/reservations`."""

    @contract(answers=ReservationsView, query=ReservationsQuery)
    async def get(self) -> None:
        """Return what is booked for the asker's teams; with `past` also what is over."""
        asked = self.query(ReservationsQuery)
        seen = await self.context.levers.reservations.listed(self.identity, with_past=asked.past)
        found = [one for one in seen.items if _is_wanted(one, asked)]
        items, more = page_of(found, asked, lambda one: one.id)
        self.answer_page(seen.model_copy(update={"items": items, "next_cursor": more}), more)

    @contract(takes=ReservationOrder, answers=ReservationView, statuses=(201,))
    async def post(self) -> None:
        """Book capacity; 201 with the reservation, durable."""
        booked = await self.context.levers.reservations.book(self.identity, self.body(ReservationOrder))
        self.answer(booked, HTTPStatus.CREATED)


class CancelHandler(ApiHandler):
    """`/reservations/ID/cancel`."""

    @contract(takes=Order, answers=ReservationView)
    async def post(self, name: str) -> None:
        """Free what was booked."""
        self.answer(await self.context.levers.reservations.cancel(self.identity, name, self.body(Order)))


class RenameHandler(ApiHandler):
    """`/users/USER/rename`."""

    @contract(takes=RenameOrder, answers=UserStanding)
    async def post(self, user: str) -> None:
        """Make everything of a user another name's."""
        order = self.body(RenameOrder)
        self.answer(await self.context.levers.users.rename(self.identity, user, order))


class LeaveHandler(ApiHandler):
    """`/users/USER/leave`."""

    @contract(takes=Order, answers=UserStanding)
    async def post(self, user: str) -> None:
        """End whatever a user has."""
        self.answer(await self.context.levers.users.leave(self.identity, user, self.body(Order)))


def _is_wanted(one: ReservationView, asked: ReservationsQuery) -> bool:
    has_text = asked.text is None or asked.text.lower() in one.title.lower()
    return has_text and asked.team in {None, one.team} and asked.state in {None, one.state}
