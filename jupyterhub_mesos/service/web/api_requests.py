"""The routes of requests: submit, list, look, end, logs, progress, queue."""

from __future__ import annotations

from http import HTTPStatus

from jupyterhub_mesos.service.operations import LOG_BYTES, PAGE_SIZE, RequestFilter
from jupyterhub_mesos.service.web.base import ApiHandler, WebContext
from jupyterhub_mesos.wire import RequestSubmission


class RequestsHandler(ApiHandler):
    """`/requests`."""

    takes_own_tokens = True

    def initialize(self, context: WebContext) -> None:
        """Take a whole job's source."""
        super().initialize(context)
        self.max_bytes = context.settings.max_body_bytes

    async def get(self) -> None:
        """List what the asker may see, newest first."""
        wanted = RequestFilter(
            user=self.get_query_argument("user", None),
            team=self.get_query_argument("team", None),
            kind=self.get_query_argument("kind", None),
            status=self.get_query_argument("status", None),
            parent=self.get_query_argument("parent", None),
            cursor=self.get_query_argument("cursor", None),
            limit=self.number("limit", PAGE_SIZE),
        )
        self.answer(await self.context.operations.find(self.identity, wanted))

    async def post(self) -> None:
        """Ask for a workload; 201 with the request, durable."""
        submission = self.body(RequestSubmission)
        view = await self.context.operations.submit(self.identity, submission)
        self.set_header("Location", f"{self.context.settings.prefix}api/v1/requests/{view.id}")
        self.answer(view, HTTPStatus.CREATED)


class RequestHandler(ApiHandler):
    """`/requests/ID`."""

    takes_own_tokens = True

    async def get(self, request_id: str) -> None:
        """Return one request."""
        self.answer(await self.context.operations.get(self.identity, request_id, has_file_texts=True))

    async def delete(self, request_id: str) -> None:
        """Withdraw or stop it; answers what it is now."""
        self.answer(await self.context.operations.end(self.identity, request_id))


class LogsHandler(ApiHandler):
    """`/requests/ID/logs`."""

    takes_own_tokens = True

    async def get(self, request_id: str) -> None:
        """Return a piece of a task's output."""
        self.answer(
            await self.context.operations.logs(
                self.identity,
                request_id,
                self.get_query_argument("task", None),
                self.number("offset", 0),
                self.number("limit", LOG_BYTES),
            )
        )


class ProgressHandler(ApiHandler):
    """`/requests/ID/progress`."""

    takes_own_tokens = True

    async def get(self, request_id: str) -> None:
        """Return what the job printed as progress after event number `after`."""
        after = max(self.number("after", 0), 0)
        self.answer(await self.context.operations.progress(self.identity, request_id, after))


class QueueHandler(ApiHandler):
    """`/queue`."""

    async def get(self) -> None:
        """Return what waits in the asker's teams."""
        self.answer(self.context.operations.queue(self.identity))
