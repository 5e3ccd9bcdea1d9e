"""Edits of one team at a time, and the list of those made, each undone where nothing was changed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from jupyterhub_mesos.configuration import diff_teams
from jupyterhub_mesos.errors import Conflict, InvalidInput, NotAllowed, NotFound
from jupyterhub_mesos.service.auditing import TEAMS, TEAMS_WRITTEN
from jupyterhub_mesos.service.identity import Identity, Membership
from jupyterhub_mesos.service.ledger import Ledger
from jupyterhub_mesos.service.rows import AuditQuery, AuditRow
from jupyterhub_mesos.service.store import Store
from jupyterhub_mesos.service.team_operations import EditTerms, TeamOperations
from jupyterhub_mesos.wire import TeamModel, TeamsEdit, TeamsEditsPage, TeamsEditView, TeamsModel

FIRST_REVISION: Final = 1
"""The tree that the ledger began with: before it there was none."""
COMMIT_SECONDS: Final = 60.0
"""How far apart a revision's row and its row of the audit may be."""
ROWS_MOST: Final = 500
_Written = tuple[int, float, TeamsModel]  # a revision, when it was written, the tree


@dataclass(frozen=True, slots=True)
class EditsWanted:
    """Which edits to list: of one team, below the revision `before`."""

    team: str | None = None
    before: int | None = None
    limit: int = 20


class TeamEdits:
    """Edits of single teams, and the history of all edits; who may is decided by `TeamOperations`."""

    def __init__(self, ledger: Ledger, teams: TeamOperations) -> None:
        self._ledger = ledger
        self._teams = teams

    async def put(self, who: Identity, team: str, model: TeamModel, terms: EditTerms) -> TeamsEdit:
        """Write one team, a new one too; the others stay as they are now."""
        now = self._ledger.teams.teams
        if team not in now and model.parent not in self._seen(who):
            raise NotFound(f"There is no team {team} for {who.name}, and none may be added there.")
        self._check_seen(who, team)
        return await self._teams.edit(who, TeamsModel(teams={**now, team: model}), terms)

    async def remove(self, who: Identity, team: str, terms: EditTerms) -> TeamsEdit:
        """Remove a team; raises `TreeError` where others stand under it."""
        now = self._ledger.teams.teams
        if team not in self._seen(who):
            raise NotFound(f"There is no team {team} for {who.name}.")
        left = {name: model for name, model in now.items() if name != team}
        return await self._teams.edit(who, TeamsModel(teams=left), terms)

    async def listed(self, who: Identity, wanted: EditsWanted) -> TeamsEditsPage:
        """Return a page of the edits, newest first, as far as they changed teams that the asker administers.

        A page may hold fewer than asked for, and the next one more.
        """
        membership = Membership(self._ledger.teams.teams)
        own = {name for name in membership.teams if membership.is_team_admin(who, name)}
        if not own and not who.is_admin:
            raise NotAllowed("Only the admins of a team see who has edited it.")
        limit = wanted.limit
        written = await self._ledger.read(lambda store: store.team_edits(wanted.before, limit + 1))
        shown = written[:limit]
        rows = await self._ledger.read(lambda store: _audited(store, shown)) if shown else {}

        def sees(team: str) -> bool:
            return (who.is_admin or team in own) and wanted.team in {None, team}

        views = (
            _seen_by(_view(one, older, rows.get(one[0])), sees)
            for one, older in zip(shown, (*written[1:], None), strict=False)
        )
        return TeamsEditsPage(
            revision=self._ledger.revision,
            items=tuple(view for view in views if view.changes),
            next_cursor=str(shown[-1][0]) if len(written) > limit else None,
        )

    async def undo(self, who: Identity, revision: int, terms: EditTerms) -> TeamsEdit:
        """Take back what one edit changed; raises `Conflict` where some of that was changed again since."""
        before, after = await self._around(revision)
        self._teams.check_edit(who, before, after, diff_teams(before, after))
        now = dict(self._ledger.teams.teams)
        clashes = list(_take_back(before.teams, after.teams, now))
        if clashes:
            raise Conflict(
                f"Edit {revision} cannot be undone: {', '.join(clashes)} was changed again since. "
                "Undo the later edit first, or edit the team."
            )
        why = terms.why or f"edit {revision} is undone"
        return await self._teams.edit(who, TeamsModel(teams=now), replace(terms, why=why))

    async def _around(self, revision: int) -> tuple[TeamsModel, TeamsModel]:
        """Return the tree before and after an edit."""
        if revision == FIRST_REVISION:
            raise InvalidInput("the first tree cannot be undone: before it there was none", where="revision")
        before = await self._ledger.read(lambda store: store.teams_at(revision - 1))
        after = await self._ledger.read(lambda store: store.teams_at(revision))
        if before is None or after is None:
            raise NotFound(
                f"There is no edit {revision} of the teams; the newest is {self._ledger.revision}."
            )
        return before, after

    def _seen(self, who: Identity) -> frozenset[str]:
        return frozenset(Membership(self._ledger.teams.teams).visible_to(who))

    def _check_seen(self, who: Identity, team: str) -> None:
        """Say of a team that the asker may not see what is said of one that is not there."""
        if team in self._ledger.teams.teams and team not in self._seen(who):
            raise NotFound(f"There is no team {team} for {who.name}, and none may be added there.")


def _take_back(
    before: Mapping[str, TeamModel], after: Mapping[str, TeamModel], now: dict[str, TeamModel]
) -> Iterator[str]:
    """Put into `now` what was before an edit; yield what others have changed since, which stays."""
    for name in sorted({*before, *after}):
        old, new, present = before.get(name), after.get(name), now.get(name)
        if old == new:
            continue
        if old is not None and new is not None and present is not None:
            yield from _take_fields_back(name, (old, new), present, now)
        elif present != new:
            yield f"team {name}"
        elif old is None:
            del now[name]
        else:
            now[name] = old


def _take_fields_back(
    name: str, edit: tuple[TeamModel, TeamModel], present: TeamModel, now: dict[str, TeamModel]
) -> Iterator[str]:
    old, new = edit
    changed = [key for key in TeamModel.model_fields if getattr(old, key) != getattr(new, key)]
    for key in changed:
        if getattr(present, key) != getattr(new, key):
            yield f"{name}.{key}"
    now[name] = present.model_copy(update={key: getattr(old, key) for key in changed})


def _audited(store: Store, written: Sequence[_Written]) -> dict[int, AuditRow]:
    """Return the audit's rows of revisions; of those from before it named them, nothing."""
    moments = [at for _, at, _ in written]
    query = AuditQuery(
        what=TEAMS_WRITTEN,
        subjects=frozenset({TEAMS}),
        since=min(moments) - COMMIT_SECONDS,
        until=max(moments) + COMMIT_SECONDS,
        limit=ROWS_MOST,
    )
    rows, _ = store.audit_page(query)
    return {row.data["revision"]: row for row in rows if "revision" in row.data}


def _view(one: _Written, older: _Written | None, row: AuditRow | None) -> TeamsEditView:
    revision, at, tree = one
    changes = diff_teams(TeamsModel(teams={}) if older is None else older[2], tree)
    who, why = ("", "") if row is None else (row.who, row.why)
    return TeamsEditView(revision=revision, at=at, who=who, why=why, changes=changes)


def _seen_by(view: TeamsEditView, sees: Callable[[str], bool]) -> TeamsEditView:
    return view.model_copy(update={"changes": tuple(each for each in view.changes if sees(each.team))})
