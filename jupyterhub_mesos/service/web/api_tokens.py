"""The routes of a team's tokens: make, list, revoke; for its admins."""

from __future__ import annotations

from http import HTTPStatus

from jupyterhub_mesos.service.web.base import ApiHandler
from jupyterhub_mesos.service.web.contract import contract
from jupyterhub_mesos.service.web.paging import page_of
from jupyterhub_mesos.service.web.queries import NamesQuery
from jupyterhub_mesos.wire import TeamTokenMade, TeamTokenOrder, TeamTokensView


class TokensHandler(ApiHandler):
    """`/teams/TEAM/tokens`."""

    @contract(answers=TeamTokensView, query=NamesQuery)
    async def get(self, team: str) -> None:
        """List the team's tokens, without their secrets."""
        asked, seen = self.query(NamesQuery), self.context.tokens.listed(self.identity, team)
        found = [one for one in seen.items if (asked.text or "").lower() in one.name.lower()]
        items, more = page_of(found, asked, lambda one: one.id)
        self.answer_page(seen.model_copy(update={"items": items, "next_cursor": more}), more)

    @contract(takes=TeamTokenOrder, answers=TeamTokenMade, statuses=(201,), is_secret=True)
    async def post(self, team: str) -> None:
        """Make a token; the one answer that holds its secret."""
        made = await self.context.tokens.make(self.identity, team, self.body(TeamTokenOrder))
        self.answer(made, HTTPStatus.CREATED)


class TokenHandler(ApiHandler):
    """`/teams/TEAM/tokens/ID`."""

    @contract(statuses=(204,))
    async def delete(self, team: str, token_id: str) -> None:
        """Revoke a token."""
        await self.context.tokens.revoke(self.identity, team, token_id)
        self.answer_nothing()
