"""A user's new name, and a user's leaving: what a person's requests, caps and budgets become of it.

Two persons are never made one: a name under which somebody has something that is not
over is refused. What was spent of a team's budget stays with the team, whoever spent it.
"""

from __future__ import annotations

from jupyterhub_mesos_quota.agenda import Agenda
from jupyterhub_mesos_quota.desk import Desk
from jupyterhub_mesos_quota.ending import end_request
from jupyterhub_mesos_quota.enforcing import Enforcing
from jupyterhub_mesos_quota.errors import RefusedRename
from jupyterhub_mesos_quota.events import StopReason, UserLeft, UserRenamed
from jupyterhub_mesos_quota.model import UserName
from jupyterhub_mesos_quota.moves import TERMINAL_STATUSES


class Users:
    """Whose is what, where that changes."""

    def __init__(self, desk: Desk, enforcing: Enforcing, agenda: Agenda) -> None:
        self._desk = desk
        self._enforcing = enforcing
        self._agenda = agenda

    def apply(self, event: UserRenamed | UserLeft) -> None:
        """Take in what became of a user. Raises `RefusedRename`."""
        if isinstance(event, UserRenamed):
            self._rename(event.before, event.after)
        else:
            self._leave(event.at, event.user)

    def _rename(self, before: UserName, after: UserName) -> None:
        if before == after or not self._has_anything(before):
            return  # told twice
        self._check_name(before, after)
        self._desk.rename(before, after)
        self._enforcing.rename(before, after)
        self._agenda.rename(before, after)

    def _check_name(self, before: UserName, after: UserName) -> None:
        if not after:
            raise RefusedRename(f"User {before} cannot lose the name: say what it is from now on.")
        mine = [each for each in self._desk.book.requests.values() if each.user == after]
        going_on = sum(each.status not in TERMINAL_STATUSES for each in mine)
        if going_on:
            raise RefusedRename(
                f"User {before} cannot become {after}: {after} has {going_on} "
                f"{'request that is' if going_on == 1 else 'requests that are'} not over. "
                f"End them first, or choose another name."
            )
        if self._desk.bars.budgets.has_spent(after):
            raise RefusedRename(
                f"User {before} cannot become {after}: {after} has spent of a budget whose window is not "
                "over. Choose another name, or wait until it is."
            )

    def _has_anything(self, user: UserName) -> bool:
        booked = (each.booked_by for each in self._agenda.booked.values())
        requests = self._desk.book.requests.values()
        if user in booked or self._desk.bars.budgets.has_spent(user):
            return True
        return any(each.user == user for each in requests)

    def _leave(self, at: float, user: UserName) -> None:
        mine = [each.id for each in self._desk.book.requests.values() if each.user == user]
        for id_ in mine:
            end_request(self._desk, at, id_, "its user left", StopReason.USER_LEFT)
