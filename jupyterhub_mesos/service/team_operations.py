"""What people can do with teams, profiles and capacity: look, and edit the tree where they administer it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from jupyterhub_mesos.backends.base import Backend
from jupyterhub_mesos.configuration import check_names, diff_teams, team_values
from jupyterhub_mesos.errors import Conflict, NotAllowed, PreconditionFailed
from jupyterhub_mesos.service.budget_views import budget_view
from jupyterhub_mesos.service.identity import Identity, Membership
from jupyterhub_mesos.service.ledger import Change, Ledger
from jupyterhub_mesos.service.preview import preview
from jupyterhub_mesos.service.rows import TeamsRecord
from jupyterhub_mesos.service.submissions import usable_profiles
from jupyterhub_mesos.service.views import fact_view, node_view
from jupyterhub_mesos.wire import (
    CapacityView,
    ProfilesModel,
    ProfilesView,
    ProfileView,
    ResourcesModel,
    TeamChange,
    TeamModel,
    TeamsEdit,
    TeamsModel,
    TeamsView,
    TeamUseView,
)
from jupyterhub_mesos_quota.events import TeamsReplaced
from jupyterhub_mesos_quota.model import Request, TeamId
from jupyterhub_mesos_quota.resources import NOTHING

TOLD_MOST: Final = 5
"""Changes that a refusal says in words; all of them stand beside."""


class Outlook(StrEnum):
    """What would become of a start now."""

    NOW = "now"  # there is room
    WAIT = "wait"  # it would stand in the queue
    NEVER = "never"  # more than the team, or one above it, may ever hold


@dataclass(frozen=True, slots=True)
class EditTerms:
    """How an edit of the tree is meant.

    `expected` and `seen` are revisions that the editor saw: where the tree has moved on since, an edit raises
    `Conflict` for the one, `TeamsMoved` with what has changed for the other. `why` is for the audit.
    """

    is_dry_run: bool = False
    expected: int | None = None
    seen: frozenset[int] | None = None
    why: str = ""


class TeamsMoved(PreconditionFailed):
    """The tree moved on since the revision that the editor saw; `changes` is what others have changed."""

    def __init__(self, seen: int, revision: int, changes: tuple[TeamChange, ...]) -> None:
        what = "; ".join(
            f"{one.team}.{one.field}: {one.before} -> {one.after}" for one in changes[:TOLD_MOST]
        )
        more = f" and {len(changes) - TOLD_MOST} more" if len(changes) > TOLD_MOST else ""
        super().__init__(
            f"The teams were edited in the meantime: you saw revision {seen}, now it is {revision}"
            f"{f' ({what}{more})' if what else ''}. Nothing was changed: look at the teams again, and repeat "
            "your edit on what is there."
        )
        self.changes = changes
        self.revision = revision


class TeamOperations:
    """Teams, profiles and capacity; who may is decided here."""

    def __init__(self, ledger: Ledger, backend: Backend, profiles: ProfilesModel | None) -> None:
        self._ledger = ledger
        self._backend = backend
        self._profiles = profiles

    @property
    def _membership(self) -> Membership:
        return Membership(self._ledger.teams.teams)

    def capacity(self) -> CapacityView:
        """Return what there is and what is free; every user of the hub may look."""
        machine = self._ledger.machine
        total, free = NOTHING, NOTHING
        nodes = [node_view(node, machine.free(node.id)) for node in machine.nodes.values()]
        for node in nodes:
            total += node.capacity.value()
            free += node.free.value() if node.is_schedulable else NOTHING
        return CapacityView(
            backend=self._backend.name,
            total=ResourcesModel.of(total),
            free=ResourcesModel.of(free),
            waiting=len(machine.queue()),
            nodes=tuple(nodes),
            facts=tuple(fact_view(fact) for fact in self._backend.facts()),
        )

    def teams(self, who: Identity) -> TeamsView:
        """Return the teams that the asker may see, with what they hold now."""
        membership, waiting = self._membership, self._waiting()
        return TeamsView(
            revision=self._ledger.revision,
            teams=tuple(
                self._use(who, membership, team, waiting.get(team, 0)) for team in membership.visible_to(who)
            ),
        )

    def names(self, who: Identity) -> tuple[str, ...]:
        """Return what the teams are called that the asker may see."""
        return self._membership.visible_to(who)

    def _use(self, who: Identity, membership: Membership, team: str, waiting: int) -> TeamUseView:
        machine = self._ledger.machine
        is_admin = membership.is_team_admin(who, team)
        model = membership.teams[team]
        return TeamUseView(
            id=team,
            team=model if is_admin else model.model_copy(update={"groups": (), "admin_groups": ()}),
            used=ResourcesModel.of(machine.used(TeamId(team))),
            borrowed=ResourcesModel.of(machine.borrowed(TeamId(team))),
            waiting=waiting,
            is_member=(is_member := membership.is_member(who, team)),
            is_admin=is_admin,
            may_edit=who.is_admin or _is_above(who, membership.teams, team),
            budget=budget_view(
                machine, team, model.budget, who.name if is_member else None, self._ledger.clock()
            ),
        )

    def _waiting(self) -> dict[str, int]:
        """Count what waits per team, its subtree included."""
        counts: dict[str, int] = {}
        membership = self._membership
        for request in self._ledger.machine.queue():
            for team in membership.ancestors(request.team):
                counts[team] = counts.get(team, 0) + 1
        return counts

    async def edit(self, who: Identity, model: TeamsModel, terms: EditTerms) -> TeamsEdit:
        """Put a tree in force, or only say what would change; nothing happens where it is already.

        Where the tree has moved on, raises `Conflict` or `TeamsMoved` as the terms have it.
        """
        before, seen = self._ledger.teams, terms.seen
        team_values(model)
        check_names(model)
        changes = diff_teams(before, model)
        self.check_edit(who, before, model, changes)
        if changes and seen is not None and self._ledger.revision not in seen:
            raise await self._moved(who, seen)
        if terms.is_dry_run or not changes:
            effects = await preview(self._ledger, model, self._sees(who)) if changes else ()
            revision = self._ledger.revision
            return TeamsEdit(revision=revision, changes=changes, is_applied=False, effects=effects)
        event = TeamsReplaced(self._ledger.clock(), team_values(model))
        record = TeamsRecord(model, self._ledger.revision if terms.expected is None else terms.expected)
        try:
            await self._ledger.apply(Change(event, (record,), who=who.name, why=terms.why or "teams edited"))
        except Conflict:
            if seen is None or self._ledger.revision in seen:
                raise
            raise await self._moved(who, seen) from None
        return TeamsEdit(revision=self._ledger.revision, changes=changes, is_applied=True)

    def _sees(self, who: Identity) -> Callable[[Request], bool]:
        """Return whether the asker sees a request whole."""
        membership = self._membership
        return lambda request: who.owns(request) or membership.is_team_admin(who, request.team)

    async def _moved(self, who: Identity, seen: frozenset[int]) -> TeamsMoved:
        """Return the refusal of an edit, with what others have changed of what the asker may see."""
        newest, now = max(seen), self._ledger.revision
        old = await self._ledger.read(lambda store: store.teams_at(newest))
        visible = frozenset(self._membership.visible_to(who))
        changes = diff_teams(old, self._ledger.teams) if old is not None else ()
        return TeamsMoved(
            newest, now, tuple(each for each in changes if each.team in visible or who.is_admin)
        )

    def check_edit(
        self, who: Identity, before: TeamsModel, after: TeamsModel, changes: tuple[TeamChange, ...]
    ) -> None:
        """Let an admin edit everything, a team's admin what is below that team before and after."""
        if who.is_admin:
            return
        for team in sorted({change.team for change in changes}) or [""]:
            for tree in (before.teams, after.teams):
                if team in tree and _is_above(who, tree, team):
                    continue
                if team in tree or not team:
                    raise NotAllowed(
                        f"{who.name} may not change team {team or '(any)'}: only an admin, or an admin "
                        "of a team above it, may."
                    )

    def profiles(self, who: Identity) -> ProfilesView:
        """Return the profiles that the asker's teams may use, and whether a start now would find room."""
        machine = self._ledger.machine
        own = self._membership.teams_of(who)
        views: list[ProfileView] = []
        for name, profile in (self._profiles.profiles if self._profiles else {}).items():
            teams = tuple(team for team in own if name in usable_profiles(self._profiles, team))
            if teams:
                wanted = profile.resources.value()
                rule = None if profile.placement is None else profile.placement.value()
                fits = any(machine.could_start(TeamId(team), wanted, 1, rule) for team in teams)
                views.append(ProfileView(name=name, profile=profile, teams=teams, fits_now=fits))
        return ProfilesView(profiles=tuple(views))

    def outlook(self, team: str, resources: ResourcesModel) -> Outlook:
        """Say what would become of a start in the name of `team`."""
        limits = {found.id: found.limit for found in team_values(self._ledger.teams)}
        above = [limits[TeamId(name)] for name in self._membership.ancestors(team)]
        if any(next(limit.exceeded_by(resources.value()), None) for limit in above):
            return Outlook.NEVER
        could = self._ledger.machine.could_start(TeamId(team), resources.value(), 1)
        return Outlook.NOW if could else Outlook.WAIT


def _is_above(who: Identity, teams: Mapping[str, TeamModel], team: str) -> bool:
    parent = teams[team].parent
    return parent is not None and Membership(teams).is_team_admin(who, parent)
