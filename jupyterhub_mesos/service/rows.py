"""What the ledger keeps beside the core's own objects, and what a change may carry into one commit.

No row holds a token or key of ours: what a task is started with (a hub's token,
an allocation's secret) stays in memory, or at the node. A payload is kept as its
owner wrote it, the `env` of a job's role included: only the owner sees the values
again, but whoever can read the ledger's file can too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, NamedTuple, NewType

from jupyterhub_mesos.tasks import Endpoint, TaskId, TaskState, TaskStatus
from jupyterhub_mesos.wire import (
    NotebookPayload,
    PipelinePayload,
    ServingPayload,
    StartWish,
    TeamsModel,
    TrainingPayload,
)
from jupyterhub_mesos_quota.model import Allocation, AllocationId, NodeId, Request, RequestId, UserName

TokenId = NewType("TokenId", str)
AnyPayload = NotebookPayload | TrainingPayload | ServingPayload | PipelinePayload


class ServerKey(NamedTuple):
    """A notebook server as its hub names it; at most one live request stands for it."""

    hub: str
    user: str
    server_name: str


class KeptKey(NamedTuple):
    """Which value of the core's a row of `kept` holds: a field of its `Kept`, and which one of that."""

    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class KeptDoc:
    """Such a value as JSON; laid out and read back by `keeping`."""

    json: Any


class TaskPhase(StrEnum):
    """Where a task stands for the ledger: a backend's states, and the one before them."""

    RESERVED = "reserved"  # its endpoint is chosen; no launch was begun
    STARTING = "starting"  # a launch was begun; it may have to be repeated
    RUNNING = "running"  # its process runs
    LOST = "lost"  # its node does not answer
    GONE = "gone"  # nothing of it runs any more


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """What a request runs, as it was submitted; it never changes."""

    id: RequestId
    name: str
    payload: AnyPayload

    def server(self, user: str) -> ServerKey | None:
        """Return the notebook server that this request of `user` stands for, if it is one."""
        if isinstance(self.payload, NotebookPayload):
            return ServerKey(self.payload.hub, user, self.payload.server_name)
        return None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended (`finished`, `failed`, `stopped`), or, with None, only a word for its page."""

    request_id: RequestId
    outcome: str | None
    message: str = ""


@dataclass(frozen=True, slots=True)
class StartRow:
    """How a request wants to start; times in Unix seconds.

    Before `confirmed_until` its owner's word holds. At `asked_at` its owner was asked; there is room since.
    """

    wish: StartWish
    confirmed_until: float | None = None
    asked_at: float | None = None


@dataclass(frozen=True, slots=True)
class StartSet:
    """A request wants to start so from now on; None: by itself, at any hour."""

    id: RequestId
    start: StartRow | None


@dataclass(frozen=True, slots=True)
class RequestRow:
    """Everything that is kept of one request, live or ended; `seq` grows with each new request."""

    request: Request
    info: RequestInfo
    outcome: str | None = None
    message: str = ""
    ended_at: float | None = None
    seq: int = 0
    start: StartRow | None = None

    @property
    def id(self) -> RequestId:
        """The request's id."""
        return self.request.id

    @property
    def server(self) -> ServerKey | None:
        """The notebook server that this request stands for, if it is one."""
        return self.info.server(self.request.user)


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task of an allocation; `checkpoint` is what the backend yielded, `at` the last write."""

    id: TaskId
    allocation_id: AllocationId
    role: str
    index: int
    generation: int
    node: NodeId
    endpoint: Endpoint
    phase: TaskPhase = TaskPhase.RESERVED
    exit_code: int | None = None
    message: str = ""
    checkpoint: Mapping[str, str] = field(default_factory=dict[str, str])
    at: float = 0.0

    @property
    def is_gone(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.phase is TaskPhase.GONE

    @property
    def status(self) -> TaskStatus:
        """What the backend said last; a task that was not launched yet counts as starting."""
        state = TaskState.STARTING if self.phase is TaskPhase.RESERVED else TaskState(self.phase.value)
        return TaskStatus(self.id, self.allocation_id, state, self.exit_code, self.message)


@dataclass(frozen=True, slots=True)
class TaskUpdate:
    """A piece of news about a task; news that arrives late or twice changes nothing."""

    id: TaskId
    phase: TaskPhase | None = None
    exit_code: int | None = None
    message: str = ""
    checkpoint: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(cls, status: TaskStatus) -> TaskUpdate:
        """Put what a backend says into the ledger's words."""
        return cls(status.id, TaskPhase(status.state.value), status.exit_code, status.message)

    def applied(self, row: TaskRow, at: float) -> TaskRow:
        """Return the row after the news; the very same row where nothing changes."""
        new = row
        if self.checkpoint and not self.checkpoint.items() <= row.checkpoint.items():
            new = replace(new, checkpoint={**row.checkpoint, **self.checkpoint}, at=at)
        if self.phase is not None and self.phase is not row.phase and self.phase in PHASE_MOVES[row.phase]:
            new = replace(new, phase=self.phase, exit_code=self.exit_code, message=self.message, at=at)
        return new


PHASE_MOVES: Final[Mapping[TaskPhase, frozenset[TaskPhase]]] = {
    TaskPhase.RESERVED: frozenset(TaskPhase),
    # back to RESERVED: a launch was begun and the backend knows nothing of it
    TaskPhase.STARTING: frozenset(TaskPhase),
    TaskPhase.RUNNING: frozenset({TaskPhase.LOST, TaskPhase.GONE}),
    TaskPhase.LOST: frozenset({TaskPhase.RUNNING, TaskPhase.GONE}),
    TaskPhase.GONE: frozenset(),
}


@dataclass(frozen=True, slots=True)
class JobRow:
    """How far the generations of an allocation have come; the next one starts at `not_before` (Unix seconds).

    `is_stopping` holds the reason for which everything of the allocation is being stopped.
    """

    allocation_id: AllocationId
    generation: int = 1
    restarts_used: int = 0
    not_before: float = 0.0
    is_stopping: str = ""


@dataclass(frozen=True, slots=True)
class TeamsRecord:
    """The team tree as an admin wrote it; `expected` is the revision that the editor saw, if that matters."""

    model: TeamsModel
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A team's token: of its secret only the `digest` (sha256); times in Unix seconds."""

    id: TokenId
    team: str
    name: str
    digest: str = field(repr=False)
    made_by: str
    made_at: float
    expires_at: float
    last_used_at: float | None = None


@dataclass(frozen=True, slots=True)
class TokenUsed:
    """A team's token was shown."""

    id: TokenId
    at: float


@dataclass(frozen=True, slots=True)
class MarkSet:
    """A named text of the ledger's own, such as how far somebody has read the audit."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class TokenRevoked:
    """A team's token is none any more."""

    id: TokenId


KEY_SECONDS: Final = 86400.0
"""How long the key of a write is kept: a day, longer than a client goes on trying."""


class KeyName(NamedTuple):
    """An idempotency key, of somebody who asks."""

    asker: str
    key: str


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A write that was done under a key at `at` (Unix seconds), about the requests `subjects`.

    `digest` is of what was asked; `status`, `location` and `answer` are what was answered, None until then.
    """

    name: KeyName
    digest: str
    at: float
    subjects: tuple[str, ...] = ()
    status: int | None = None
    location: str | None = None
    answer: str | None = field(default=None, repr=False)


Record = (
    RequestInfo
    | StartSet
    | MarkSet
    | Outcome
    | TaskRow
    | TaskUpdate
    | JobRow
    | TeamsRecord
    | TokenRow
    | TokenUsed
    | TokenRevoked
    | KeyRow
)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One thing that happened: who did or caused what to which subject, and why; `seq` is 0 until stored."""

    at: float
    who: str
    what: str
    subject: str
    why: str
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    seq: int = 0


@dataclass(frozen=True, slots=True)
class RequestQuery:
    """Which requests to list: of these users *or* of these teams, newest first, below the seq `before`.

    Of those only what is charged to the team `within`, what was asked for by the request `parent`,
    what has `text` in its name, and what was submitted from `since` on and before `until` (Unix seconds).
    """

    users: frozenset[str] | None = None
    teams: frozenset[str] | None = None
    within: str | None = None
    parent: str | None = None
    kinds: frozenset[str] | None = None
    statuses: frozenset[str] | None = None
    before: int | None = None
    limit: int = 50
    text: str | None = None
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which audit rows to list, newest first, below the seq `before`; those of any of `subjects`."""

    who: str | None = None
    what: str | None = None
    subjects: frozenset[str] | None = None
    text: str | None = None
    since: float | None = None
    until: float | None = None
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything live, as read at the start."""

    teams: TeamsModel
    revision: int
    requests: tuple[RequestRow, ...]
    allocations: tuple[Allocation, ...]
    tasks: tuple[TaskRow, ...]
    jobs: tuple[JobRow, ...]
    tokens: tuple[TokenRow, ...] = ()
    kept: Mapping[KeptKey, KeptDoc] = field(default_factory=dict[KeptKey, KeptDoc])


@dataclass(slots=True)
class Batch:
    """What one commit writes: at most one row per object, as it stands after the batch; None removes it."""

    teams: tuple[int, TeamsModel] | None = None
    at: float = 0.0
    requests: dict[RequestId, RequestRow] = field(default_factory=dict[RequestId, RequestRow])
    allocations: dict[AllocationId, Allocation] = field(default_factory=dict[AllocationId, Allocation])
    tasks: dict[TaskId, TaskRow] = field(default_factory=dict[TaskId, TaskRow])
    jobs: dict[AllocationId, JobRow] = field(default_factory=dict[AllocationId, JobRow])
    tokens: dict[TokenId, TokenRow | None] = field(default_factory=dict[TokenId, TokenRow | None])
    kept: dict[KeptKey, KeptDoc | None] = field(default_factory=dict[KeptKey, KeptDoc | None])
    keys: dict[KeyName, KeyRow] = field(default_factory=dict[KeyName, KeyRow])
    marks: dict[str, str] = field(default_factory=dict[str, str])
    audit: list[AuditRow] = field(default_factory=list[AuditRow])

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        rows = self.requests, self.allocations, self.tasks, self.jobs, self.tokens, self.kept, self.audit
        return self.teams is None and not any(rows) and not self.keys and not self.marks


def server_key(user: str, server_name: str, hub: str = "") -> ServerKey:
    """Name a notebook server."""
    return ServerKey(hub, str(UserName(user)), server_name)
