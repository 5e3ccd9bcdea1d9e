"""The routes of the lake's connections: what there is, and a session for one of them."""

from __future__ import annotations

from jupyterhub_mesos.errors import NotAuthenticated
from jupyterhub_mesos.service.web.base import ApiHandler


class ConnectionsHandler(ApiHandler):
    """`/lake`."""

    takes_lake_tokens = True

    async def get(self) -> None:
        """List the connections of the asker's teams."""
        self.answer(self.context.lake.listed(self.identity))


class SessionHandler(ApiHandler):
    """`/lake/NAME/credentials`."""

    takes_lake_tokens = True
    counts_writes = False  # it changes nothing; `LakeOperations` bounds how often

    async def post(self, name: str) -> None:
        """Hand out a session; never to a browser, which shows a cookie."""
        if not self.request.headers.get("Authorization"):
            raise NotAuthenticated(
                "A session is for a task: show its token in `Authorization`, not a cookie."
            )
        self.answer(await self.context.lake.session(self.identity, name))
