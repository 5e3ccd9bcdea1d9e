"""The routes of reservations and of users: book, cancel, look; rename, let go."""

from __future__ import annotations

from http import HTTPStatus

from jupyterhub_mesos.service.web.base import ApiHandler
from jupyterhub_mesos.wire import RenameOrder, ReservationOrder
from jupyterhub_mesos.wire.levers import Order


class ReservationsHandler(ApiHandler):
    """`/reservations`."""

    async def get(self) -> None:
        """Return what is booked for the asker's teams; with `past` also what is over."""
        listed = self.context.levers.reservations.listed
        self.answer(await listed(self.identity, with_past=self.truth("past")))

    async def post(self) -> None:
        """Book capacity; 201 with the reservation, durable."""
        booked = await self.context.levers.reservations.book(self.identity, self.body(ReservationOrder))
        self.answer(booked, HTTPStatus.CREATED)


class CancelHandler(ApiHandler):
    """`/reservations/ID/cancel`."""

    async def post(self, name: str) -> None:
        """Free what was booked."""
        self.answer(await self.context.levers.reservations.cancel(self.identity, name, self.body(Order)))


class RenameHandler(ApiHandler):
    """`/users/USER/rename`."""

    async def post(self, user: str) -> None:
        """Make everything of a user another name's."""
        order = self.body(RenameOrder)
        self.answer(await self.context.levers.users.rename(self.identity, user, order))


class LeaveHandler(ApiHandler):
    """`/users/USER/leave`."""

    async def post(self, user: str) -> None:
        """End whatever a user has."""
        self.answer(await self.context.levers.users.leave(self.identity, user, self.body(Order)))
