"""Teams and their quotas, as admins script them: read, look what an edit would do, edit, undo."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from jupyterhub_mesos.client_calls import Calls, body_of, with_query
from jupyterhub_mesos.wire import TeamModel, TeamsEdit, TeamsEditsPage, TeamsEditView, TeamsModel, TeamsView


class TeamCalls(Calls):
    """What the client asks of teams.

    Of each edit, `dry_run` only says what would change and do; `seen` is the revision that it is based
    on: where the tree has moved on since, nothing changes, and `PreconditionFailed` says what others changed.
    """

    def teams(self) -> TeamsView:
        """Return the teams that the asker may see, with what they hold."""
        return self.whole("/teams", TeamsView, "teams")

    def put_teams(self, teams: TeamsModel, *, dry_run: bool = False, seen: int | None = None) -> TeamsEdit:
        """Replace the whole tree (admins only)."""
        return self._edited("PUT", "/teams", body_of(teams), dry_run=dry_run, seen=seen)

    def put_team(
        self, team: str, model: TeamModel, *, reason: str = "", dry_run: bool = False, seen: int | None = None
    ) -> TeamsEdit:
        """Write one team, a new one too, and leave the others (admins, and those of a team above)."""
        return self._edited("PUT", _path(team), body_of(model), reason=reason, dry_run=dry_run, seen=seen)

    def remove_team(
        self, team: str, *, reason: str = "", dry_run: bool = False, seen: int | None = None
    ) -> TeamsEdit:
        """Take a team away; refused while it has requests or teams below it."""
        return self._edited("DELETE", _path(team), None, reason=reason, dry_run=dry_run, seen=seen)

    def team_edits(self, team: str | None = None) -> Iterator[TeamsEditView]:
        """Yield who edited what, newest first; of all teams that the asker may see, or of one."""
        query = {} if team is None else {"team": team}
        yield from self.whole("/team-edits", TeamsEditsPage, "items", query).items

    def undo_edit(
        self, revision: int, *, reason: str = "", dry_run: bool = False, seen: int | None = None
    ) -> TeamsEdit:
        """Take back what an edit changed, and leave what others changed since."""
        path = f"/team-edits/{revision}/undo"
        return self._edited("POST", path, None, reason=reason, dry_run=dry_run, seen=seen)

    def _edited(
        self,
        method: str,
        path: str,
        body: bytes | None,
        *,
        dry_run: bool,
        seen: int | None,
        reason: str = "",
    ) -> TeamsEdit:
        query = ({"dry_run": "true"} if dry_run else {}) | ({"reason": reason} if reason else {})
        headers = {} if seen is None else {"If-Match": f'"r{seen}"'}
        answer = self.write(method, with_query(path, query), body, headers=headers)
        return TeamsEdit.model_validate_json(answer)


def _path(team: str) -> str:
    return f"/teams/{quote(team, safe='')}"
