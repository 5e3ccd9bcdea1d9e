"""The routes of requests: submit, list, look, end, logs, progress, queue."""

from __future__ import annotations

from http import HTTPStatus

from jupyterhub_mesos.service.request_filters import RequestFilter
from jupyterhub_mesos.service.web.base import ApiHandler, WebContext
from jupyterhub_mesos.service.web.contract import contract
from jupyterhub_mesos.service.web.paging import page_of
from jupyterhub_mesos.service.web.queries import LogsQuery, ProgressQuery, QueueQuery, RequestsQuery
from jupyterhub_mesos.wire import (
    Confirmation,
    LogView,
    ProgressView,
    QueueEntry,
    QueueView,
    RequestPage,
    RequestSubmission,
    RequestView,
    StartWish,
)


class RequestsHandler(ApiHandler):
    """`/requests`."""

    takes_own_tokens = True

    def initialize(self, context: WebContext) -> None:
        """Take a whole job's source."""
        super().initialize(context)
        self.max_bytes = context.settings.max_body_bytes

    @contract(answers=RequestPage, query=RequestsQuery)
    async def get(self) -> None:
        """List what the asker may see, newest first."""
        asked = self.query(RequestsQuery)
        wanted = RequestFilter(
            user=asked.user,
            team=asked.team,
            kind=asked.kind,
            status=asked.status,
            parent=asked.parent,
            cursor=asked.cursor,
            limit=asked.limit,
            text=asked.text,
            since=None if asked.since is None else asked.since.timestamp(),
            until=None if asked.until is None else asked.until.timestamp(),
        )
        found = await self.context.operations.find(self.identity, wanted)
        self.answer_page(found, found.next_cursor)

    @contract(takes=RequestSubmission, answers=RequestView, statuses=(201,))
    async def post(self) -> None:
        """Ask for a workload; 201 with the request, durable."""
        submission = self.body(RequestSubmission)
        view = await self.context.operations.submit(self.identity, submission)
        self.set_header("Location", f"{self.context.settings.prefix}api/v1/requests/{view.id}")
        self.answer(view, HTTPStatus.CREATED)


class RequestHandler(ApiHandler):
    """`/requests/ID`."""

    takes_own_tokens = True

    @contract(answers=RequestView)
    async def get(self, request_id: str) -> None:
        """Return one request."""
        self.answer(await self.context.operations.get(self.identity, request_id, has_file_texts=True))

    @contract(answers=RequestView)
    async def delete(self, request_id: str) -> None:
        """Withdraw or stop it; answers what it is now."""
        self.answer(await self.context.operations.end(self.identity, request_id))


class ConfirmHandler(ApiHandler):
    """`/requests/ID/confirm`."""

    @contract(takes=Confirmation, answers=RequestView)
    async def post(self, request_id: str) -> None:
        """Let a request that waits for its owner's word, or for its hours, start when there is room."""
        self.body(Confirmation)
        self.answer(await self.context.wishes.confirm(self.identity, request_id))


class StartHandler(ApiHandler):
    """`/requests/ID/start`."""

    @contract(takes=StartWish, answers=RequestView)
    async def put(self, request_id: str) -> None:
        """Say anew when a request that waits may start."""
        wish = self.body(StartWish)
        self.answer(await self.context.wishes.choose(self.identity, request_id, wish))


class LogsHandler(ApiHandler):
    """`/requests/ID/logs`."""

    takes_own_tokens = True

    @contract(answers=LogView, query=LogsQuery)
    async def get(self, request_id: str) -> None:
        """Return a piece of a task's output."""
        asked = self.query(LogsQuery)
        self.answer(
            await self.context.operations.logs(
                self.identity, request_id, asked.task, asked.offset, asked.limit
            )
        )


class ProgressHandler(ApiHandler):
    """`/requests/ID/progress`."""

    takes_own_tokens = True

    @contract(answers=ProgressView, query=ProgressQuery)
    async def get(self, request_id: str) -> None:
        """Return what the job printed as progress after event number `after`."""
        after = self.query(ProgressQuery).after
        self.answer(await self.context.operations.progress(self.identity, request_id, after))


class QueueHandler(ApiHandler):
    """`/queue`."""

    @contract(answers=QueueView, query=QueueQuery)
    async def get(self) -> None:
        """Return what waits in the asker's teams, next first."""
        asked, seen = self.query(QueueQuery), self.context.operations.queue(self.identity)
        found = [entry for entry in seen.items if _is_wanted(entry, asked)]
        items, more = page_of(found, asked, lambda entry: entry.id)
        self.answer_page(seen.model_copy(update={"items": items, "next_cursor": more}), more)


def _is_wanted(entry: QueueEntry, asked: QueueQuery) -> bool:
    pairs = (asked.team, entry.team), (asked.user, entry.user), (asked.kind, entry.kind)
    return all(wanted is None or wanted == has for wanted, has in pairs)
