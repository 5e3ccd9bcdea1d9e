"""What people can do with requests: every operation takes who asks, and refuses what they may not.

- A request is seen whole by its owner, its team's admins and admins; the other
  members of its team see in the queue that it waits; to all others it does not exist.
- Submitting a notebook is idempotent by (hub, user, server name): a live one is
  returned as it is.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace

from jupyterhub_mesos.backends.base import Backend
from jupyterhub_mesos.errors import Conflict, InvalidInput, NotAllowed, NotFound
from jupyterhub_mesos.service.controller import Controller
from jupyterhub_mesos.service.expectations import Expectations
from jupyterhub_mesos.service.identity import Identity, Membership
from jupyterhub_mesos.service.ledger import Change, Ledger
from jupyterhub_mesos.service.lever_notes import LeverNotes
from jupyterhub_mesos.service.request_filters import (
    PAGE_SIZE_MOST,
    RequestFilter,
    kinds_for,
    one_of,
    stored_cursor,
)
from jupyterhub_mesos.service.rows import RequestQuery, RequestRow, StartRow, StartSet, TaskRow
from jupyterhub_mesos.service.submissions import Places, asked, within_session
from jupyterhub_mesos.service.views import Links, Shown, explanation_view, request_view
from jupyterhub_mesos.service.words import warning
from jupyterhub_mesos.tasks import Endpoint, TaskId
from jupyterhub_mesos.wire import (
    ExplanationView,
    LogView,
    NotebookPayload,
    ProfilesModel,
    ProgressView,
    QueueEntry,
    QueueView,
    RequestPage,
    RequestSubmission,
    RequestView,
    ResourcesModel,
)
from jupyterhub_mesos_quota.bars import Bar
from jupyterhub_mesos_quota.events import EndRequested, RequestSubmitted
from jupyterhub_mesos_quota.model import (
    Allocation,
    AllocationId,
    Request,
    RequestId,
    RequestStatus,
    WorkloadKind,
)

LOG_BYTES = 64 * 1024
WAITING = frozenset({RequestStatus.QUEUED, RequestStatus.HELD})


def new_request_id() -> str:
    """Make an id that nobody can guess and that is safe in paths and host names."""
    return f"r{secrets.token_hex(6)}"


@dataclass(frozen=True, slots=True)
class ModelServer:
    """A model server that runs: where, and the token that it wants of its callers."""

    request_id: RequestId
    endpoint: Endpoint
    token: str = field(repr=False)


class Operations:
    """Requests: submit, end, look at; who may is decided here."""

    def __init__(
        self,
        ledger: Ledger,
        controller: Controller,
        backend: Backend,
        profiles: ProfilesModel | None,
        links: Links,
        max_live: int = 0,
    ) -> None:
        """`max_live`: how many live requests one user may have; 0 is no limit."""
        self.ledger = ledger
        self.controller = controller
        self.backend = backend
        self.profiles = profiles
        self.links = links
        self.notes = LeverNotes(ledger)
        self.expectations = Expectations(ledger)
        self.places = Places(max_live, ledger.rows)

    @property
    def membership(self) -> Membership:
        """Who belongs where, by the tree in force."""
        return Membership(self.ledger.teams.teams)

    # ---- submit and end -----------------------------------------------------------------------

    async def submit(self, who: Identity, submission: RequestSubmission) -> RequestView:
        """Ask for a workload; answered when it is durable."""
        self.check_kind(who, submission)
        live = self.live(who, submission)
        if live is not None:
            return await self.view(who, live)
        change = self.change(who, submission)
        assert isinstance(change.event, RequestSubmitted)  # noqa: S101 - `change` makes nothing else
        request = change.event.request
        try:
            with self.places.hold(request):
                await self.ledger.apply(change)
        except Conflict:
            live = self.live(who, submission)  # two presses at once: the other one was first
            if live is None:
                raise
            return await self.view(who, live)
        return await self.view(who, await self._row(request.id))

    def change(self, who: Identity, submission: RequestSubmission, why: str = "asked for") -> Change:
        """Return the change that enters a submission into the ledger, or refuse it."""
        team = self.membership.charged_team(who, submission.team)
        teams = self.membership.teams
        above = [teams[each] for each in self.membership.ancestors(team)]
        wanted = within_session(asked(submission, self.profiles, team), above)
        self._check_priority(who, submission, team)
        submission = self._with_parent(who, submission)
        request_id, now = new_request_id(), self.ledger.clock()
        request = wanted.request(request_id, who.name, team, submission, now)
        start = None if submission.start is None else StartRow(submission.start)
        event = RequestSubmitted(now, request, is_held=self.controller.keeper.is_held(start))
        records = (wanted.info(request_id), StartSet(request.id, start))
        return Change(event, records, who=who.signature, why=why)

    async def end(self, who: Identity, request_id: str) -> RequestView:
        """Withdraw what waits, stop what runs; ending what has ended changes nothing."""
        row = await self.visible(who, request_id)
        if row.request.status in WAITING or row.request.status is RequestStatus.ACTIVE:
            event = EndRequested(self.ledger.clock(), row.id)
            await self.ledger.apply(Change(event, who=who.signature, why=f"ended by {who.signature}"))
        return await self.view(who, await self._row(row.id))

    def live(self, who: Identity, submission: RequestSubmission) -> RequestRow | None:
        """Return the live request of the notebook server that is asked for, if there is one."""
        payload = submission.payload
        if not isinstance(payload, NotebookPayload):
            return None
        live = self.ledger.server(who.name, payload.server_name, payload.hub)
        return None if live is None or live.request.is_ending else live

    def check_kind(self, who: Identity, submission: RequestSubmission) -> None:
        """Raise `NotAllowed` where the asker's token does not reach this kind of workload."""
        possible = sorted(who.may_ask_for)
        if not possible:
            raise NotAllowed(f"{who.name} is a {who.kind} of the hub; only people ask for workloads.")
        if submission.payload.kind not in possible:
            raise NotAllowed(
                f"A {submission.payload.kind} was asked for; the token of a {who.kind} may ask for "
                f"{' and '.join(possible)}: ask for it yourself, with a token of the hub."
            )

    def _check_priority(self, who: Identity, submission: RequestSubmission, team: str) -> None:
        if submission.priority > 0 and not self.membership.is_team_admin(who, team):
            raise NotAllowed(
                f"Priority {submission.priority} asked for; {who.name} may ask for 0 or less, "
                f"an admin of team {team} for more."
            )

    def _with_parent(self, who: Identity, submission: RequestSubmission) -> RequestSubmission:
        """Return the submission with what asks for it: for a pipeline itself, else as was said."""
        name = submission.parent or who.request_id
        if name is None:
            return submission
        parent = self.ledger.row(RequestId(name))
        if who.request_id not in {None, name}:
            raise InvalidInput(f"this token asks for request {who.request_id}: leave it out", where="parent")
        if parent is None or not who.owns(parent.request):
            raise InvalidInput(f"{who.name} has no live request {name!r}", where="parent")
        if who.request_id is not None and parent.request.is_ending:
            raise Conflict(f"Pipeline {name} is being stopped, so it starts nothing any more.")
        return submission.model_copy(update={"parent": str(name)})

    # ---- look ---------------------------------------------------------------------------------

    async def get(self, who: Identity, request_id: str, *, has_file_texts: bool = False) -> RequestView:
        """Return a request; `NotFound` where the asker may not know of it."""
        row = await self.visible(who, request_id)
        return await self.view(who, row, has_file_texts=has_file_texts)

    async def mine(self, who: Identity) -> tuple[RequestView, ...]:
        """Return the asker's own requests that are not over, newest first."""
        rows = [row for row in self.ledger.rows() if who.owns(row.request)]
        rows.sort(key=lambda row: row.request.submitted_at, reverse=True)
        return tuple([await self.view(who, row) for row in rows])

    async def find(self, who: Identity, wanted: RequestFilter) -> RequestPage:
        """Return a page of the requests that the asker may see whole, newest first."""
        query = self._query(who, wanted)
        rows, before = await self.ledger.read(lambda store: store.requests(query))
        items = tuple([await self.view(who, self.ledger.row(row.id) or row) for row in rows])
        return RequestPage(items=items, next_cursor=None if before is None else str(before))

    def _query(self, who: Identity, wanted: RequestFilter) -> RequestQuery:
        users, teams = self._scope(who, wanted)
        return RequestQuery(
            users=users,
            teams=teams,
            within=who.team or None,
            parent=wanted.parent,
            kinds=kinds_for(who, one_of(WorkloadKind, wanted.kind, "kind")),
            statuses=one_of(RequestStatus, wanted.status, "status"),
            before=stored_cursor(wanted.cursor),
            limit=min(max(wanted.limit, 1), PAGE_SIZE_MOST),
            text=wanted.text,
            since=wanted.since,
            until=wanted.until,
        )

    def _scope(
        self, who: Identity, wanted: RequestFilter
    ) -> tuple[frozenset[str] | None, frozenset[str] | None]:
        """Return users or teams to look at: never more than the asker may see whole."""
        administered = frozenset(
            team for team in self.membership.teams if self.membership.is_team_admin(who, team)
        )
        if wanted.team is not None and wanted.team == who.team:
            return frozenset({who.name}), None
        if wanted.team is not None:
            if wanted.team not in administered:
                raise NotAllowed(f"Only an admin of team {wanted.team} sees all of its requests.")
            return None, frozenset({wanted.team})
        if wanted.user is not None and wanted.user != who.name:
            if not who.is_admin:
                raise NotAllowed(
                    f"Only an admin sees the requests of {wanted.user}; name a team you administer."
                )
            return frozenset({wanted.user}), None
        if wanted.user is not None:
            return frozenset({who.name}), None
        return (None, None) if who.is_admin else (frozenset({who.name}), administered or None)

    def queue(self, who: Identity) -> QueueView:
        """Return what waits in the asker's teams, next first, without what it runs."""
        machine = self.ledger.machine
        waiting = machine.queue()
        seen = frozenset(self.membership.visible_to(who))
        items = tuple(
            QueueEntry(
                id=request.id,
                kind=request.kind,
                user=request.user,
                team=request.team,
                resources=ResourcesModel.of(request.resources),
                replicas=request.replicas,
                submitted_at=request.submitted_at,
                is_mine=request.user == who.name,
                explanation=self.explanation(request, position),
            )
            for position, request in enumerate(waiting, start=1)
            if request.team in seen or request.user == who.name
        )
        return QueueView(items=items, waiting=len(waiting))

    # ---- what a workload says -----------------------------------------------------------------

    async def logs(
        self, who: Identity, request_id: str, task: str | None, offset: int, limit: int
    ) -> LogView:
        """Read a piece of a task's output; without a task, of the newest generation's first."""
        row = await self.visible(who, request_id)
        had = await self.allocations(row)
        tasks = [task for allocation in had for task in await self._tasks(allocation.id)]
        known = {found.id: found for found in tasks}
        if task is None:
            if not tasks:
                raise NotFound(f"{request_id} has run nothing yet, so there is no output.")
            order = {allocation.id: number for number, allocation in enumerate(had)}
            newest = max(
                tasks, key=lambda found: (order[found.allocation_id], found.generation, -found.index)
            )
            task = newest.id
        if TaskId(task) not in known:
            raise NotFound(f"{request_id} has no task {task!r}.")
        chunk = await self.backend.logs(TaskId(task), offset, min(max(limit, 1), LOG_BYTES))
        return LogView(
            task=task,
            text=chunk.text,
            offset=chunk.offset,
            next_offset=chunk.next_offset,
            is_complete=chunk.is_complete,
        )

    async def progress(self, who: Identity, request_id: str, after: int) -> ProgressView:
        """Return what the job's tasks printed as progress, after event number `after`."""
        row = await self.visible(who, request_id)
        return await self.controller.progress.view(row.id, after)

    def model_server(self, who: Identity, request_id: str) -> ModelServer:
        """Return where a model server of one of the asker's teams listens, and what it asks for.

        A token of ours reaches those of its own owner alone.
        """
        row = self.ledger.row(RequestId(request_id))
        if row is None or not self._may_use(who, row) or row.request.kind is not WorkloadKind.SERVING:
            raise NotFound(f"There is no model server {request_id!r}.")
        found, token = self.controller.endpoint(row.id), self.controller.serving_token(row.id)
        if found is None or token is None:
            raise Conflict(f"Model server {row.info.name} does not run yet; its page says why.")
        return ModelServer(row.id, found, token)

    def _may_use(self, who: Identity, row: RequestRow) -> bool:
        if not who.is_of_the_hub:
            return who.owns(row.request)
        team = row.request.team
        return self.membership.is_member(who, team) or self.membership.is_team_admin(who, team)

    # ---- rows ---------------------------------------------------------------------------------

    async def visible(self, who: Identity, request_id: str) -> RequestRow:
        """Return a request's row, or `NotFound` where the asker may not know of it."""
        row = await self.ledger.find(RequestId(request_id))
        if row is None or not self._may_see(who, row):
            raise NotFound(f"There is no request {request_id!r}.")
        return row

    def _may_see(self, who: Identity, row: RequestRow) -> bool:
        return who.owns(row.request) or self.membership.is_team_admin(who, row.request.team)

    async def view(self, who: Identity, row: RequestRow, *, has_file_texts: bool = False) -> RequestView:
        """Return a request with its explanation while it waits and its newest allocation."""
        explained = None
        if row.request.status in WAITING and row.id in self.ledger.machine.requests:
            explained = self.explanation(row.request)
        allocation = self.ledger.allocation_of(row.id)
        if allocation is None and row.request.allocations and row.request.status not in WAITING:
            past = await self.allocations(row)
            allocation = past[-1] if past else None
        tasks = await self._tasks(allocation.id) if allocation else ()
        shown = Shown(env_values=who.owns(row.request), file_texts=has_file_texts)
        ledger = self.ledger
        warned = warning(row, allocation, ledger.machine, ledger.clock(), ledger.policy.notice_seconds)
        return request_view(row, self.links, explained, (allocation, tasks), shown, warned)

    def explanation(self, request: Request, position: int | None = None) -> ExplanationView:
        """Say why a request waits, and when it may start; of a pause its reason, which the core has not."""
        row = self.ledger.row(request.id)
        held = None if row is None else self.controller.keeper.explain(row)
        if held is not None:
            return explanation_view(held, None)
        found = self.ledger.machine.explain(request.id, position)
        if found.code == Bar.PAUSED:
            found = replace(found, sentence=self.notes.pause_over(request.team) or found.sentence)
        is_queued = request.status is RequestStatus.QUEUED
        return explanation_view(found, self.expectations.of(request.id, found.code) if is_queued else None)

    async def _row(self, request_id: RequestId) -> RequestRow:
        row = await self.ledger.find(request_id)
        if row is None:
            raise NotFound(f"There is no request {request_id!r}.")
        return row

    async def allocations(self, row: RequestRow) -> tuple[Allocation, ...]:
        """Return every allocation that a request had, oldest first."""
        return await self.ledger.read(lambda store: store.allocations_of(row.id))

    async def _tasks(self, allocation_id: AllocationId) -> tuple[TaskRow, ...]:
        live = self.ledger.tasks_of(allocation_id)
        return live or await self.ledger.read(lambda store: store.tasks_of(allocation_id))
