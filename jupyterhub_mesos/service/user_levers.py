"""A user's new name, and a user's leaving: admins alone, as the hub's own users are."""

from __future__ import annotations

from jupyterhub_mesos.errors import InvalidInput, NotAllowed, NotFound
from jupyterhub_mesos.service.identity import Identity
from jupyterhub_mesos.service.ledger import Ledger
from jupyterhub_mesos.service.lever_notes import Lever, LeverNotes, Pull
from jupyterhub_mesos.service.operations import WAITING
from jupyterhub_mesos.service.rows import RequestQuery
from jupyterhub_mesos.wire import RenameOrder, UserStanding
from jupyterhub_mesos.wire.levers import Order
from jupyterhub_mesos_quota.events import UserLeft, UserRenamed
from jupyterhub_mesos_quota.model import UserName


class UserLevers:
    """Rename and let go; who may is decided here."""

    def __init__(self, ledger: Ledger, notes: LeverNotes) -> None:
        self._ledger = ledger
        self._notes = notes

    async def rename(self, who: Identity, user: str, order: RenameOrder) -> UserStanding:
        """Make everything of a user another name's. Raises `RefusedRename` where that one has something."""
        before = await self._checked(who, user)
        if order.to == before:
            raise InvalidInput(f"{before} is the name already: say another one", where="to")
        event = UserRenamed(self._ledger.clock(), before, UserName(order.to))
        pull = Pull(Lever.RENAMED, user_subject(before), {"to": order.to})
        await self._notes.pull(who, event, pull, order.reason)
        return self._standing(order.to)

    async def leave(self, who: Identity, user: str, order: Order) -> UserStanding:
        """Withdraw what waits of a user and stop what runs."""
        name = await self._checked(who, user)
        event = UserLeft(self._ledger.clock(), name)
        await self._notes.pull(who, event, Pull(Lever.LEFT, user_subject(name)), order.reason)
        return self._standing(name)

    async def _checked(self, who: Identity, user: str) -> UserName:
        """Return the user that is meant, or refuse: a name with a typing error must not pass for done."""
        if not who.is_admin:
            raise NotAllowed(f"Only an admin renames users and lets them go; {who.name} is none.")
        query = RequestQuery(users=frozenset({user}), limit=1)
        found, _ = await self._ledger.read(lambda store: store.requests(query))
        has_booked = any(each.booked_by == user for each in self._ledger.machine.reservations.values())
        if not found and not has_booked:
            raise NotFound(f"Nobody called {user!r} has asked for anything here: is the name right?")
        return UserName(user)

    def _standing(self, user: str) -> UserStanding:
        mine = [row.request for row in self._ledger.rows() if row.request.user == user]
        waiting = sum(request.status in WAITING for request in mine)
        return UserStanding(user=user, waiting=waiting, active=len(mine) - waiting)


def user_subject(user: str) -> str:
    """Name a user in the audit."""
    return f"user/{user}"
