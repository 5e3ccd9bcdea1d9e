"""The routes of the lake's connections: what there is, and a session for one of them."""

from __future__ import annotations

from typing import Any

from jupyterhub_mesos.service.web.base import ApiHandler
from jupyterhub_mesos.service.web.contract import contract
from jupyterhub_mesos.service.web.paging import page_of
from jupyterhub_mesos.service.web.queries import NamesQuery
from jupyterhub_mesos.wire import ConnectionsView, LakeCredentials


class ConnectionsHandler(ApiHandler):
    """`/lake`."""

    takes_lake_tokens = True

    @contract(answers=ConnectionsView, query=NamesQuery)
    async def get(self) -> None:
        """List the connections of the asker's teams."""
        asked, seen = self.query(NamesQuery), self.context.lake.listed(self.identity)
        found = [one for one in seen.connections if (asked.text or "").lower() in one.name.lower()]
        items, more = page_of(found, asked, lambda one: one.name)
        self.answer_page(seen.model_copy(update={"connections": items, "next_cursor": more}), more)


class SessionHandler(ApiHandler):
    """`/lake/NAME/credentials`."""

    takes_lake_tokens = True
    counts_writes = False  # it changes nothing; `LakeOperations` bounds how often

    def get_cookie(self, name: str, default: Any = None) -> Any:
        """See no cookie: a session is for a task, and no page can be made to fetch one."""
        del name
        return default

    @contract(answers=LakeCredentials, is_secret=True)
    async def post(self, name: str) -> None:
        """Hand out a session."""
        self.answer(await self.context.lake.session(self.identity, name))
