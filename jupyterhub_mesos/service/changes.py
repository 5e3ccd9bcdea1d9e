"""One change of the ledger: what is asked, what it makes of the rows, and its audit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from jupyterhub_mesos.errors import CapacityError, Conflict, NotFound
from jupyterhub_mesos.service import keeping
from jupyterhub_mesos.service.auditing import audit, refusal
from jupyterhub_mesos.service.encoding import is_live
from jupyterhub_mesos.service.facts import NOTHING_KNOWN, facts_of
from jupyterhub_mesos.service.memory import Memory
from jupyterhub_mesos.service.rows import (
    AuditRow,
    Batch,
    JobRow,
    KeyRow,
    MarkSet,
    Outcome,
    Record,
    RequestInfo,
    RequestRow,
    ServerKey,
    StartSet,
    TaskRow,
    TaskUpdate,
    TeamsRecord,
    TokenRevoked,
    TokenRow,
    TokenUsed,
)
from jupyterhub_mesos.service.texts import check_names, with_storable_texts
from jupyterhub_mesos.service.words import messages
from jupyterhub_mesos_quota.errors import QuotaError
from jupyterhub_mesos_quota.events import (
    Action,
    AllocationGone,
    AllocationMoved,
    BudgetReached,
    EndRequested,
    Event,
    GoneReason,
    Grant,
    LiftWarning,
    RequestMoved,
    RequestSubmitted,
    SessionExtended,
    StopAllocation,
    TeamsReplaced,
    UserRenamed,
    WarnAllocation,
)
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import AllocationId, Facts, RequestId, RequestStatus


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened and changed no row."""

    what: str
    subject: str
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Change:
    """One event for the machine and the records that belong into the same commit.

    `event` is None where only records are written. An attempt may be refused: that is not audited.
    `who` is a user's name, or the part of
    the service that acts; `why` is a sentence for the audit, and `note` what stands there and nowhere else.
    """

    event: Event | None
    records: tuple[Record, ...] = ()
    who: str = "service"
    why: str = ""
    is_attempt: bool = False
    note: Note | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit did: the machine's actions, and the objects whose rows (or tasks' rows) it wrote."""

    actions: tuple[Action, ...]
    requests: frozenset[RequestId]
    allocations: frozenset[AllocationId]
    revision: int


@dataclass(slots=True)
class Handled:
    """A commit while it is being put together; `is_recounted`: teams or users are other ones now."""

    actions: list[Action] = field(default_factory=list[Action])
    requests: set[RequestId] = field(default_factory=set[RequestId])
    allocations: set[AllocationId] = field(default_factory=set[AllocationId])
    is_recounted: bool = False

    def commit(self, revision: int) -> Commit:
        """Return what the listeners are told."""
        return Commit(tuple(self.actions), frozenset(self.requests), frozenset(self.allocations), revision)


def handle(
    change: Change, machine: QuotaMachine, memory: Memory, batch: Batch, handled: Handled
) -> Sequence[Action]:
    """Apply one change to machine and memory and put the rows that it touched into `batch`.

    Raises before anything changed, with an audit row of the refusal.
    """
    change = with_storable_texts(change)
    try:
        check_names(change)
        _check(change, memory)
        actions = machine.handle(change.event) if change.event is not None else []
    except (CapacityError, QuotaError) as error:
        if not change.is_attempt:
            batch.audit.append(refusal(change, error, batch.at))
        raise
    touched = Handled(list(actions))
    _touch(change.event, actions, machine, memory, touched)
    for record in change.records:
        _take(record, memory, batch, touched)
    _refresh(change, machine, memory, touched)
    for request_id, message in messages(actions, machine):
        memory.put_request(replace(memory.requests[request_id], message=message))
    machine.learn(dict(_granted_facts(actions, memory)))
    _put(machine, memory, batch, touched)
    batch.audit += audit(change, actions, batch.at)
    if change.note is not None:
        note = change.note
        batch.audit.append(AuditRow(batch.at, change.who, note.what, note.subject, change.why, note.data))
    handled.is_recounted |= isinstance(change.event, TeamsReplaced | UserRenamed)
    handled.actions += actions
    handled.requests |= touched.requests
    handled.allocations |= touched.allocations
    return actions


def keep(machine: QuotaMachine, memory: Memory, batch: Batch, handled: Handled) -> None:
    """Put into `batch` what the machine wants kept beside the rows, as far as a batch changed it."""
    is_whole, before = handled.is_recounted, memory.told
    kept = memory.told = machine.kept(is_change=True)
    if is_whole:
        kept = machine.kept()
    changes = list(keeping.changes(kept, before, memory.kept, is_whole=is_whole))
    if batch.is_empty and not any(keeping.is_news(key) for key, _ in changes):
        return
    for key, doc in changes:
        memory.put_kept(key, doc)
        batch.kept[key] = doc


def _check(change: Change, memory: Memory) -> None:
    """Refuse what the database would refuse, before the machine has changed."""
    for record in change.records:
        if isinstance(record, TeamsRecord):
            if record.expected is not None and record.expected != memory.revision:
                raise Conflict(
                    f"the teams were edited in the meantime: you saw revision {record.expected}, "
                    f"now it is {memory.revision}; look at the difference again"
                )
        elif isinstance(record, TokenRow):
            _check_token(record, memory)
        elif isinstance(record, RequestInfo) and isinstance(change.event, RequestSubmitted):
            server = record.server(change.event.request.user)
            other = memory.servers.get(server) if server is not None else None
            if server is not None and other not in {None, record.id}:
                raise _occupied(server, memory.requests.get(other) if other is not None else None)


def _granted_facts(actions: Sequence[Action], memory: Memory) -> Iterator[tuple[AllocationId, Facts]]:
    for action in actions:
        if isinstance(action, Grant):
            facts = facts_of(memory.requests[action.allocation.request_id].info.payload)
            if facts != NOTHING_KNOWN:
                yield action.allocation.id, facts


def _check_token(token: TokenRow, memory: Memory) -> None:
    if token.team not in memory.teams.teams:
        raise NotFound(f"There is no team {token.team!r}.")
    for other in memory.tokens.values():
        if (other.team, other.name) == (token.team, token.name) and other.id != token.id:
            raise Conflict(
                f"team {token.team} has a token {token.name!r} already, with the id {other.id}: "
                "revoke it first, or choose another name"
            )


def _occupied(server: ServerKey, other: RequestRow | None) -> Conflict:
    if other is not None and other.request.is_ending:
        return Conflict(
            f"the server {server.server_name!r} of {server.user} is being stopped (request {other.id}): "
            "start it again in some seconds, when it is gone"
        )
    request = other.id if other is not None else "another"
    return Conflict(
        f"the server {server.server_name!r} of {server.user} has request {request} already: "
        "end that one first, or go to it"
    )


def _touch(
    event: Event | None, actions: Sequence[Action], machine: QuotaMachine, memory: Memory, touched: Handled
) -> None:
    if isinstance(event, RequestSubmitted):
        touched.requests.add(event.request.id)
    elif isinstance(event, EndRequested):
        touched.requests.add(event.request_id)
    elif isinstance(event, UserRenamed):
        mine = (request.id for request in machine.requests.values() if request.user == event.after)
        touched.requests.update(mine)
    elif isinstance(event, SessionExtended) and (held := memory.allocation_of(event.request_id, machine)):
        touched.allocations.add(held.id)  # its end moved, and no action tells
    for action in actions:
        match action:
            case RequestMoved():
                touched.requests.add(action.request_id)
            case AllocationMoved() | StopAllocation() | WarnAllocation() | LiftWarning():
                touched.allocations.add(action.allocation_id)
            case BudgetReached():
                continue  # only told
            case Grant():
                touched.allocations.add(action.allocation.id)
            case _:
                assert_never(action)


def _take(record: Record, memory: Memory, batch: Batch, touched: Handled) -> None:
    """Put one record into memory and batch."""
    match record:
        case RequestInfo() | StartSet():
            touched.requests.add(record.id)  # its row is made in `_refresh`, with the machine's request
        case Outcome():
            request = memory.requests.get(record.request_id)
            if request is not None:
                outcome = record.outcome or request.outcome
                memory.put_request(replace(request, outcome=outcome, message=record.message))
                touched.requests.add(record.request_id)
        case TaskRow():
            memory.put_task(record)
            batch.tasks[record.id] = record
            touched.allocations.add(record.allocation_id)
        case TaskUpdate():
            row = memory.tasks.get(record.id)
            new = record.applied(row, batch.at) if row is not None else None
            if new is not None and new is not row:
                _take(new, memory, batch, touched)
        case JobRow():
            memory.jobs[record.allocation_id] = record
            batch.jobs[record.allocation_id] = record
            touched.allocations.add(record.allocation_id)
        case TeamsRecord():
            _take_teams(record, memory, batch)
        case TokenRow() | TokenUsed() | TokenRevoked() | KeyRow() | MarkSet():
            _take_beside(record, memory, batch)
        case _:
            assert_never(record)


def _take_beside(
    record: TokenRow | TokenUsed | TokenRevoked | KeyRow | MarkSet, memory: Memory, batch: Batch
) -> None:
    """Put what is of no request into the batch: tokens, keys of writes, marks."""
    if isinstance(record, KeyRow):
        batch.keys[record.name] = record
    elif isinstance(record, MarkSet):
        batch.marks[record.key] = record.value
    else:
        _take_token(record, memory, batch)


def _take_teams(record: TeamsRecord, memory: Memory, batch: Batch) -> None:
    """Put a tree in force; tokens of teams that are gone go too: a later team may not inherit them."""
    memory.teams, memory.revision = record.model, memory.revision + 1
    batch.teams = (memory.revision, record.model)
    for token in [token for token in memory.tokens.values() if token.team not in record.model.teams]:
        _take_token(TokenRevoked(token.id), memory, batch)
        why = f"there is no team {token.team} any more"
        batch.audit.append(AuditRow(batch.at, "service", "token revoked", token.id, why))


def _take_token(record: TokenRow | TokenUsed | TokenRevoked, memory: Memory, batch: Batch) -> None:
    if isinstance(record, TokenRow):
        memory.tokens[record.id] = batch.tokens[record.id] = record
        return
    known = memory.tokens.get(record.id)
    if known is None:
        return
    if isinstance(record, TokenUsed):
        memory.tokens[known.id] = batch.tokens[known.id] = replace(known, last_used_at=record.at)
    else:
        del memory.tokens[known.id]
        batch.tokens[known.id] = None


def _refresh(change: Change, machine: QuotaMachine, memory: Memory, touched: Handled) -> None:
    """Bring the rows of touched requests to what the machine says now."""
    infos = {record.id: record for record in change.records if isinstance(record, RequestInfo)}
    starts = {record.id: record for record in change.records if isinstance(record, StartSet)}
    touched.requests.update(
        machine.allocations[allocation_id].request_id
        for allocation_id in touched.allocations
        if allocation_id in machine.allocations
    )
    for request_id in touched.requests:
        request, row = machine.requests.get(request_id), memory.requests.get(request_id)
        if request is None:
            continue
        if row is None:
            if request_id not in infos:
                raise ValueError(f"request {request_id} was submitted without its RequestInfo")
            memory.last_seq += 1
            row = RequestRow(request, infos[request_id], seq=memory.last_seq)
        start = starts[request_id].start if request_id in starts else row.start
        memory.put_request(replace(row, request=request, start=start))
    for action in touched.actions:
        if isinstance(action, RequestMoved) and action.request_id in memory.requests:
            memory.requests[action.request_id] = _moved(memory.requests[action.request_id], action, change)
    _free_servers(memory, touched)


def _moved(row: RequestRow, move: RequestMoved, change: Change) -> RequestRow:
    """Note the end of a request, with its outcome where no record told it."""
    if move.after is RequestStatus.WITHDRAWN:
        return replace(row, ended_at=move.at, message=row.message or change.why)
    if move.after is not RequestStatus.ENDED:
        return row
    outcome = row.outcome or _outcome(change.event)
    return replace(row, ended_at=move.at, outcome=outcome)


def _outcome(event: Event | None) -> str:
    if isinstance(event, AllocationGone) and event.reason in {GoneReason.FINISHED, GoneReason.FAILED}:
        return event.reason.value
    return GoneReason.STOPPED.value


def _free_servers(memory: Memory, touched: Handled) -> None:
    """Let the server of an ended request have its next one, in the same batch already."""
    for request_id in touched.requests:
        row = memory.requests.get(request_id)
        if row is None or row.server is None or is_live(row.request):
            continue
        if memory.servers.get(row.server) == request_id:
            del memory.servers[row.server]


def _put(machine: QuotaMachine, memory: Memory, batch: Batch, touched: Handled) -> None:
    for request_id in touched.requests:
        if request_id in memory.requests:
            batch.requests[request_id] = memory.requests[request_id]
    for allocation_id in touched.allocations:
        if allocation_id in machine.allocations:
            batch.allocations[allocation_id] = machine.allocations[allocation_id]
