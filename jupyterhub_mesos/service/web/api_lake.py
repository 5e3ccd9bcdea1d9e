"""The routes of the lake's connections: what there is, and a session for one of them."""

from __future__ import annotations

from typing import Any

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

    def get_cookie(self, name: str, default: Any = None) -> Any:
        """See no cookie: a session is for a task, and no page can be made to fetch one."""
        del name
        return default

    async def post(self, name: str) -> None:
        """Hand out a session."""
        self.answer(await self.context.lake.session(self.identity, name))
