"""The routes of a team's tokens: make, list, revoke; for its admins."""

from __future__ import annotations

from http import HTTPStatus

from jupyterhub_mesos.service.web.base import ApiHandler
from jupyterhub_mesos.wire import TeamTokenOrder


class TokensHandler(ApiHandler):
    """`/teams/TEAM/tokens`."""

    async def get(self, team: str) -> None:
        """List the team's tokens, without their secrets."""
        self.answer(self.context.tokens.listed(self.identity, team))

    async def post(self, team: str) -> None:
        """Make a token; the one answer that holds its secret."""
        made = await self.context.tokens.make(self.identity, team, self.body(TeamTokenOrder))
        self.answer(made, HTTPStatus.CREATED)


class TokenHandler(ApiHandler):
    """`/teams/TEAM/tokens/ID`."""

    async def delete(self, team: str, token_id: str) -> None:
        """Revoke a token."""
        await self.context.tokens.revoke(self.identity, team, token_id)
        self.set_status(HTTPStatus.NO_CONTENT)
        self.send()
