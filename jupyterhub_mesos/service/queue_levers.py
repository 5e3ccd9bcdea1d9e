"""Pausing the queue: all of it by an admin, a team's by its admins too; what runs goes on.

A queue that an admin paused is resumed by an admin alone.
"""

from __future__ import annotations

from jupyterhub_mesos.errors import Conflict, NotAllowed, NotFound
from jupyterhub_mesos.service.identity import Identity, Membership
from jupyterhub_mesos.service.ledger import Ledger
from jupyterhub_mesos.service.lever_notes import Lever, LeverNotes, Pull, Pulled, queue_name, queue_subject
from jupyterhub_mesos.wire import PausesView, PauseView, QueueOrder
from jupyterhub_mesos_quota.events import QueuePaused, QueueResumed
from jupyterhub_mesos_quota.model import TeamId


class QueueLevers:
    """Pause, resume and look; who may is decided here."""

    def __init__(self, ledger: Ledger, notes: LeverNotes) -> None:
        self._ledger = ledger
        self._notes = notes

    @property
    def _membership(self) -> Membership:
        return Membership(self._ledger.teams.teams)

    # ---- look ---------------------------------------------------------------------------------

    def pauses(self, who: Identity) -> PausesView:
        """Return the paused queues of the teams that the asker may see, the whole queue first."""
        paused = self._ledger.machine.paused
        if not paused:
            return PausesView(items=())  # as nearly always: every open page asks at every change
        visible = self._membership.visible_to(who)
        whole = (None,) if None in paused else ()
        teams = (*whole, *(TeamId(team) for team in visible if team in paused))
        return PausesView(items=tuple(self._view(who, team) for team in teams))

    def pausable(self, who: Identity) -> tuple[str, ...]:
        """Return the teams whose queues the asker may pause, paused or not; the empty name is all of it."""
        whole = ("",) if who.is_admin else ()
        return (
            *whole,
            *(team for team in self._membership.visible_to(who) if self._may_pull(who, TeamId(team))),
        )

    def _view(self, who: Identity, team: TeamId | None) -> PauseView:
        note = self._notes.of(queue_subject(team))
        is_by_admin = note is not None and note.is_by_admin
        return PauseView(
            team=team,
            since=note.at if note else None,
            reason=note.why if note else "",
            by=note.who if note and self._may_pull(who, team) else None,
            is_by_admin=is_by_admin,
            may_resume=who.is_admin or (self._may_pull(who, team) and not is_by_admin),
        )

    # ---- pull ---------------------------------------------------------------------------------

    async def pause(self, who: Identity, order: QueueOrder) -> PausesView:
        """Let nothing start of a team and those under it, or nothing at all."""
        team = self._checked(who, order)
        if team in self._ledger.machine.paused:
            raise Conflict(
                f"{_start(team)} is paused already{_told(self._notes.of(queue_subject(team)))}: "
                "resume it, or leave it as it is."
            )
        at = self._ledger.clock()
        pull = Pull(Lever.PAUSED, queue_subject(team), {"team": team})
        await self._notes.pull(who, QueuePaused(at, team), pull, order.reason)
        return self.pauses(who)

    async def resume(self, who: Identity, order: QueueOrder) -> PausesView:
        """Let what waits start again."""
        team = self._checked(who, order)
        note = self._notes.of(queue_subject(team))
        if team not in self._ledger.machine.paused:
            raise Conflict(f"{_start(team)} is not paused{self._paused_instead(team)}.")
        if note is not None and note.is_by_admin and not who.is_admin:
            raise NotAllowed(
                f"An admin paused {queue_name(team)} ({note.why}): only an admin resumes it, so ask one."
            )
        at = self._ledger.clock()
        pull = Pull(Lever.RESUMED, queue_subject(team), {"team": team})
        await self._notes.pull(who, QueueResumed(at, team), pull, order.reason)
        return self.pauses(who)

    def _paused_instead(self, team: TeamId | None) -> str:
        """Say what else keeps a team's requests waiting."""
        above = (None, *map(TeamId, self._membership.ancestors(team))) if team is not None else ()
        found = [queue_name(each) for each in above if each in self._ledger.machine.paused]
        return f"; {' and '.join(found)} is: resume that" if found else ""

    def _checked(self, who: Identity, order: QueueOrder) -> TeamId | None:
        """Return the team whose queue is meant, or refuse."""
        team = None if order.team is None else TeamId(order.team)
        if team is not None and team not in self._membership.visible_to(who):
            raise NotFound(f"There is no team {team!r}.")
        if not self._may_pull(who, team):
            whose = "An admin" if team is None else f"An admin, or an admin of team {team},"
            raise NotAllowed(f"{whose} pauses and resumes {queue_name(team)}; {who.name} is none.")
        return team

    def _may_pull(self, who: Identity, team: TeamId | None) -> bool:
        return who.is_admin or (team is not None and self._membership.is_team_admin(who, team))


def _start(team: TeamId | None) -> str:
    name = queue_name(team)
    return name[0].upper() + name[1:]


def _told(note: Pulled | None) -> str:
    return "" if note is None else f" by {note.who}, because: {note.why}"
