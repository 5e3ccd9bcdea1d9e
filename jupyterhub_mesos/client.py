"""The capacity service's REST API for scripts and notebooks: typed, synchronous, standard library only.

```python
from jupyterhub_mesos.client import Client
client = Client.from_environment()          # inside a notebook: with the notebook's own token
for event in client.progress(request_id, follow=True):
    print(event.data)
```

Every method raises the tree of `jupyterhub_mesos.errors`, with the service's own sentence.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final
from urllib.parse import quote

from jupyterhub_mesos.client_calls import body_of, chunks, order_of
from jupyterhub_mesos.client_http import GET_ATTEMPTS, Transport
from jupyterhub_mesos.client_teams import TeamCalls
from jupyterhub_mesos.errors import InvalidInput, NotFound, Unavailable
from jupyterhub_mesos.wire import (
    API_PREFIX,
    AuditPage,
    AuditView,
    BatchItem,
    BatchResult,
    CancelBatch,
    CapacityView,
    Confirmation,
    CordonOrder,
    LogView,
    NodeStandingView,
    NodesView,
    PausesView,
    ProgressEvent,
    ProgressView,
    QueueOrder,
    QueueView,
    RenameOrder,
    RequestBatch,
    RequestPage,
    RequestSubmission,
    RequestView,
    ReservationOrder,
    ReservationsView,
    ReservationView,
    SessionExtension,
    SessionView,
    StartWish,
    TaskView,
    TeamTokenMade,
    TeamTokenOrder,
    TeamTokensView,
    UserStanding,
)
from jupyterhub_mesos.wire.levers import Order
from jupyterhub_mesos_quota.model import RequestStatus

CALL_SECONDS: Final = 30.0
"""One call's time-out: a loaded service answers within a second."""
POLL_SECONDS: Final = 0.5
"""Between two looks at something that is followed."""
OVER: Final = frozenset({RequestStatus.ENDED, RequestStatus.WITHDRAWN})


_SERVICE_PATH: Final = "/services/capacity"


def is_over(view: RequestView) -> bool:
    """Whether nothing will come of the request any more."""
    return view.status in OVER


class Client(TeamCalls):
    """The service at `url` (with its prefix, without `/api/v1`), as the owner of `token`."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        call_seconds: float = CALL_SECONDS,
        get_attempts: int = GET_ATTEMPTS,
    ) -> None:
        super().__init__(Transport(url.rstrip("/") + API_PREFIX, token, call_seconds, get_attempts))

    @classmethod
    def from_environment(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        call_seconds: float = CALL_SECONDS,
        get_attempts: int = GET_ATTEMPTS,
    ) -> Client:
        """Build a client from `CAPACITY_TOKEN` or `JUPYTERHUB_API_TOKEN`, and `CAPACITY_API_URL`.

        `CAPACITY_TOKEN` is a pipeline's own or a team's; it goes first. `CAPACITY_URL` is read as well.
        Without an address, that of the hub's proxy is tried, from `JUPYTERHUB_PUBLIC_HUB_URL` or
        `JUPYTERHUB_API_URL`. Raises `InvalidInput` naming the variable that is missing.
        """
        env = os.environ if environ is None else environ
        token = env.get("CAPACITY_TOKEN") or env.get("JUPYTERHUB_API_TOKEN")
        if not token:
            raise InvalidInput(
                "JUPYTERHUB_API_TOKEN is not set, so the service would not know you: run this in a notebook "
                "that the hub started, or set it to a token made on the hub's token page; CI sets "
                "CAPACITY_TOKEN to a token of its team"
            )
        return cls(_service_url(env), token, call_seconds=call_seconds, get_attempts=get_attempts)

    # ---- requests

    def submit(self, submission: RequestSubmission, *, key: str | None = None) -> RequestView:
        """Ask for a workload; it runs or waits when this returns.

        `key` makes it one request however often it is asked for within a day, also by a script that was
        started again; each call has a new key otherwise.
        """
        return self.post("/requests", submission, RequestView, key)

    def submit_many(self, submissions: Iterable[RequestSubmission]) -> Iterator[BatchItem]:
        """Ask for many workloads, in batches; yield what became of each, in order, and raise for none."""
        for chunk in chunks(submissions):
            yield from self.post("/requests/batch", RequestBatch(items=chunk), BatchResult).items

    def end_many(self, request_ids: Iterable[str]) -> Iterator[BatchItem]:
        """Ask for the end of many requests, in batches; yield what became of each, in order."""
        for chunk in chunks(request_ids):
            yield from self.post("/requests/batch/cancel", CancelBatch(ids=chunk), BatchResult).items

    def request(self, request_id: str) -> RequestView:
        """Return one request as it is now."""
        return self.get(f"/requests/{quote(request_id, safe='')}", RequestView)

    def requests(self, **filters: str) -> Iterator[RequestView]:
        """Yield requests, newest first, page by page; `filters` are the API's: `user`, `status`, `text`, …"""
        for page in self.pages("/requests", RequestPage, filters):
            yield from page.items

    def audit(self, **filters: str) -> Iterator[AuditView]:
        """Yield what happened, newest first, page by page; `filters` are the API's: `subject`, `since`, …"""
        for page in self.pages("/audit", AuditPage, filters):
            yield from page.items

    def end(self, request_id: str) -> None:
        """Ask for the request's end: withdrawn if it waits, stopped if it runs. Returns before it is gone."""
        self.write("DELETE", f"/requests/{quote(request_id, safe='')}")

    def wait(
        self,
        request_id: str,
        *,
        until: Callable[[RequestView], bool] = is_over,
        seconds: float | None = None,
    ) -> RequestView:
        """Look at the request until `until` holds; return it. A request that is over ends the wait too.

        Raises `Unavailable` when `seconds` have passed first.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            view = self.request(request_id)
            if until(view) or is_over(view):
                return view
            if deadline is not None and time.monotonic() > deadline:
                raise Unavailable(f"request {request_id} is still {view.status} after {seconds:g} s")
            time.sleep(POLL_SECONDS)

    # ---- what it says

    def logs(self, request_id: str, *, task: str | None = None, follow: bool = False) -> Iterator[str]:
        """Yield the output of one task, or of every task of the request one after the other.

        `follow` goes on until each task is gone and read.
        """
        tasks = [task] if task is not None else [known.id for known in self.tasks(request_id)]
        for name in tasks:
            with suppress(NotFound):  # not launched, or its output was dropped
                yield from self._log(request_id, name, follow=follow)

    def tasks(self, request_id: str) -> tuple[TaskView, ...]:
        """Return the tasks of the request's newest allocation, by generation, role and index."""
        allocation = self.request(request_id).allocation
        found = allocation.tasks if allocation else ()
        return tuple(sorted(found, key=lambda task: (task.generation, task.role, task.index)))

    def _log(self, request_id: str, task: str, *, follow: bool) -> Iterator[str]:
        offset = 0
        while True:
            piece = self.log_piece(request_id, task, offset)
            if piece.text:
                yield piece.text
            is_stuck = piece.next_offset <= offset
            if piece.is_complete or (is_stuck and not follow):
                return
            offset = max(offset, piece.next_offset)
            if is_stuck:
                time.sleep(POLL_SECONDS)

    def progress(self, request_id: str, *, follow: bool = False, after: int = 0) -> Iterator[ProgressEvent]:
        """Yield what the job's tasks printed as progress, in order; `follow` goes on until it is over."""
        while True:
            is_last = not follow or is_over(self.request(request_id))  # asked first: nothing is missed
            view = self.progress_page(request_id, after)
            yield from view.events
            if is_last and not view.events:
                return
            if not view.events:
                time.sleep(POLL_SECONDS)
            after = view.next_after

    def log_piece(self, request_id: str, task: str, offset: int = 0) -> LogView:
        """Return what a task has written since `offset`, as much as one answer holds."""
        path = f"/requests/{quote(request_id, safe='')}/logs"
        return self.get(path, LogView, {"task": task, "offset": str(offset)})

    def progress_page(self, request_id: str, after: int = 0) -> ProgressView:
        """Return the progress after the first `after` lines, as much as one answer holds."""
        path = f"/requests/{quote(request_id, safe='')}/progress"
        return self.get(path, ProgressView, {"after": str(after)})

    # ---- model servers

    def model_call(self, request_id: str, path: str, body: bytes | None = None) -> bytes:
        """Ask a model server by the Open Inference Protocol; `path` is as the protocol has it (`v2/...`).

        Raises `Unavailable` while it is not ready.
        """
        method = "GET" if body is None else "POST"
        return self._transport.call(method, f"/serving/{quote(request_id, safe='')}/{path}", body)

    # ---- capacity and teams

    def capacity(self) -> CapacityView:
        """Return what there is, what is free and how many wait."""
        return self.get("/capacity", CapacityView)

    # ---- levers: what admins do by hand, each with a reason

    def queue(self) -> QueueView:
        """Return what waits in the asker's teams, next first."""
        return self.whole("/queue", QueueView)

    def pauses(self) -> PausesView:
        """Return the paused queues that concern the asker."""
        return self.whole("/queue/pauses", PausesView)

    def pause_queue(self, team: str | None, reason: str) -> PausesView:
        """Let nothing of a team and those under it start; with None nothing of anybody."""
        return self.post("/queue/pause", order_of(QueueOrder, team=team, reason=reason), PausesView)

    def resume_queue(self, team: str | None, reason: str) -> PausesView:
        """Let what waits start again."""
        return self.post("/queue/resume", order_of(QueueOrder, team=team, reason=reason), PausesView)

    def nodes(self) -> NodesView:
        """Return how each node stands; admins are told what stands on it, too."""
        return self.whole("/nodes", NodesView)

    def cordon_node(self, node: str, reason: str, *, drains: bool = False) -> NodeStandingView:
        """Let a node take nothing new; with `drains` stop what runs there, to wait again at its old place."""
        path = f"/nodes/{quote(node, safe='')}/cordon"
        return self.post(path, order_of(CordonOrder, reason=reason, drains=drains), NodeStandingView)

    def uncordon_node(self, node: str, reason: str) -> NodesView:
        """Let a node take new work again."""
        path = f"/nodes/{quote(node, safe='')}/uncordon"
        return self.post(path, order_of(Order, reason=reason), NodesView)

    def session(self, request_id: str) -> SessionView:
        """Return when a request is ended by its time limit, and until when the asker may extend it."""
        return self.get(f"/requests/{quote(request_id, safe='')}/session", SessionView)

    def confirm(self, request_id: str) -> RequestView:
        """Let a request that waits for its owner's word, or for its hours, start when there is room."""
        return self.post(f"/requests/{quote(request_id, safe='')}/confirm", Confirmation(), RequestView)

    def set_start(self, request_id: str, wish: StartWish) -> RequestView:
        """Say when a request that waits may start; `StartWish()` is by itself, at any hour."""
        body = body_of(wish)
        answer = self.write("PUT", f"/requests/{quote(request_id, safe='')}/start", body)
        return RequestView.model_validate_json(answer)

    def extend_session(
        self,
        request_id: str,
        reason: str,
        *,
        by_minutes: int | None = None,
        until: datetime | None = None,
    ) -> SessionView:
        """Let what runs under a time limit go on: `by_minutes`, or `until` a moment that has a zone."""
        order = order_of(SessionExtension, reason=reason, by_minutes=by_minutes, until=until)
        return self.post(f"/requests/{quote(request_id, safe='')}/extend", order, SessionView)

    def reservations(self, *, past: bool = False) -> ReservationsView:
        """Return what is booked for the asker's teams, with `past` also what is over."""
        return self.whole("/reservations", ReservationsView, query={"past": "true"} if past else {})

    def book(self, order: ReservationOrder) -> ReservationView:
        """Book capacity for a team; raises `Conflict` with the clash where it is promised already."""
        return self.post("/reservations", order, ReservationView)

    def cancel_reservation(self, reservation_id: str, reason: str) -> ReservationView:
        """Free what was booked, at once."""
        path = f"/reservations/{quote(reservation_id, safe='')}/cancel"
        return self.post(path, order_of(Order, reason=reason), ReservationView)

    def rename_user(self, user: str, to: str, reason: str) -> UserStanding:
        """Make everything of a user another name's."""
        path = f"/users/{quote(user, safe='')}/rename"
        return self.post(path, order_of(RenameOrder, to=to, reason=reason), UserStanding)

    def user_left(self, user: str, reason: str) -> UserStanding:
        """Withdraw what waits of a user and stop what runs."""
        path = f"/users/{quote(user, safe='')}/leave"
        return self.post(path, order_of(Order, reason=reason), UserStanding)

    # ---- a team's tokens

    def make_team_token(self, team: str, order: TeamTokenOrder) -> TeamTokenMade:
        """Make a token for a team's CI; its secret is in this answer alone."""
        return self.post(f"/teams/{quote(team, safe='')}/tokens", order, TeamTokenMade)

    def team_tokens(self, team: str) -> TeamTokensView:
        """Return the team's tokens, without their secrets."""
        return self.whole(f"/teams/{quote(team, safe='')}/tokens", TeamTokensView)

    def revoke_team_token(self, team: str, token_id: str) -> None:
        """Make a team's token worthless at once."""
        path = f"/teams/{quote(team, safe='')}/tokens/{quote(token_id, safe='')}"
        self.write("DELETE", path)


def _service_url(env: Mapping[str, str]) -> str:
    for name in ("CAPACITY_API_URL", "CAPACITY_URL"):
        if env.get(name):
            return env[name].removesuffix(API_PREFIX)
    for name, ending in (("JUPYTERHUB_PUBLIC_HUB_URL", "/hub"), ("JUPYTERHUB_API_URL", "/hub/api")):
        if env.get(name):
            return env[name].rstrip("/").removesuffix(ending) + _SERVICE_PATH
    raise InvalidInput(
        "CAPACITY_API_URL is not set, so there is no address to ask: set it to the capacity service's "
        f"(for instance http://127.0.0.1:8000{_SERVICE_PATH})"
    )
