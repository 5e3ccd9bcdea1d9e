"""The routes of one team, and of the edits that were made."""

from __future__ import annotations

from jupyterhub_mesos.service.request_filters import stored_cursor
from jupyterhub_mesos.service.team_edits import EditsWanted
from jupyterhub_mesos.service.team_operations import EditTerms
from jupyterhub_mesos.service.web.base import ApiHandler
from jupyterhub_mesos.service.web.contract import contract
from jupyterhub_mesos.service.web.etags import IF_MATCH, revision_tag, revisions_of
from jupyterhub_mesos.service.web.queries import TeamEditQuery, TeamEditsQuery
from jupyterhub_mesos.wire import TeamModel, TeamsEdit, TeamsEditsPage


class _EditingHandler(ApiHandler):
    """A route that edits the tree."""

    def terms(self) -> EditTerms:
        """Return how the edit is meant."""
        asked = self.query(TeamEditQuery)
        seen = revisions_of(self.request.headers.get("If-Match"))
        return EditTerms(asked.dry_run, seen=seen, why=asked.reason)

    def answer_edit(self, edit: TeamsEdit) -> None:
        """Answer what was or would be changed, with the revision that the next edit is based on."""
        self.set_header("ETag", revision_tag(edit.revision))
        self.answer(edit)


class TeamHandler(_EditingHandler):
    """`/teams/TEAM`."""

    @contract(takes=TeamModel, answers=TeamsEdit, query=TeamEditQuery, headers=IF_MATCH)
    async def put(self, team: str) -> None:
        """Write one team, a new one too; with `dry_run` say what that would do."""
        edits = self.context.team_edits
        self.answer_edit(await edits.put(self.identity, team, self.body(TeamModel), self.terms()))

    @contract(answers=TeamsEdit, query=TeamEditQuery, headers=IF_MATCH)
    async def delete(self, team: str) -> None:
        """Remove a team; with `dry_run` say what that would do."""
        self.answer_edit(await self.context.team_edits.remove(self.identity, team, self.terms()))


class EditsHandler(ApiHandler):
    """`/team-edits`."""

    @contract(answers=TeamsEditsPage, query=TeamEditsQuery)
    async def get(self) -> None:
        """Return who edited what, newest first."""
        asked = self.query(TeamEditsQuery)
        wanted = EditsWanted(asked.team, stored_cursor(asked.cursor), asked.limit)
        found = await self.context.team_edits.listed(self.identity, wanted)
        self.answer_page(found, found.next_cursor)


class UndoHandler(_EditingHandler):
    """`/team-edits/REVISION/undo`."""

    @contract(answers=TeamsEdit, query=TeamEditQuery, headers=IF_MATCH)
    async def post(self, revision: str) -> None:
        """Take back what an edit changed; with `dry_run` say what that would do."""
        self.answer_edit(await self.context.team_edits.undo(self.identity, int(revision), self.terms()))
