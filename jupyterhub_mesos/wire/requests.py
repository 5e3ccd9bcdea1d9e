"""Requests: what is asked for, why it waits, what it holds and what it says."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, field_validator

from jupyterhub_mesos.giturls import REFUSAL as SECRET_REFUSAL
from jupyterhub_mesos.giturls import holds_secret
from jupyterhub_mesos.wire.base import Name, Paged, ResourcesModel, Wire
from jupyterhub_mesos.wire.jobs import Job
from jupyterhub_mesos.wire.pipelines import PipelinePayload
from jupyterhub_mesos.wire.placement import PlacementModel
from jupyterhub_mesos.wire.starts import StartView, StartWish
from jupyterhub_mesos_quota.model import AllocationState, RequestStatus, WorkloadKind

# ---- payloads: what a request of each kind runs ---------------------------------------------------


class NotebookPayload(Wire):
    """A notebook server of `user` on `hub`; `server_name` is empty for the default server."""

    kind: Literal["notebook"] = "notebook"
    hub: str = ""
    server_name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]{0,255}$")] = ""
    profile: Name | None = None


class TrainingPayload(Wire):
    """A distributed training job."""

    kind: Literal["training"] = "training"
    job: Job


class ServingPayload(Wire):
    """A model server for one bundle, read from a git repository or a folder as the owner sees it."""

    kind: Literal["serving"] = "serving"
    name: Name
    bundle: Annotated[str, StringConstraints(min_length=1, max_length=4096)]
    ref: str | None = None


Payload = Annotated[
    NotebookPayload | TrainingPayload | ServingPayload | PipelinePayload, Field(discriminator="kind")
]


# ---- requests ---------------------------------------------------------------------------------


class RequestSubmission(Wire):
    """`POST /requests`: ask for a workload.

    For a notebook, `resources` and `placement` come from the profile and may not be given; for training they
    come from the job; for serving and a pipeline they may be given. `team` may be left out by a member of
    one team only. `start` says when it may start where that is not by itself, at any hour.
    """

    model_config = ConfigDict(hide_input_in_errors=True)  # what is refused may be a password

    team: Name | None = None
    payload: Payload
    resources: ResourcesModel | None = None
    placement: PlacementModel | None = None
    priority: Annotated[int, Field(ge=-100, le=100)] = 0
    parent: str | None = None
    start: StartWish | None = None

    @field_validator("payload")
    @classmethod
    def _keeps_no_secret(cls, payload: Payload) -> Payload:
        """Refused here and not in the payload, so that a ledger with an old one can still be read."""
        if isinstance(payload, ServingPayload) and holds_secret(payload.bundle):
            raise ValueError(f"bundle: {SECRET_REFUSAL}")
        if isinstance(payload, PipelinePayload) and holds_secret(payload.repository):
            raise ValueError(f"repository: {SECRET_REFUSAL}")
        return payload


class ExpectedStartView(Wire):
    """When a request may start, in seconds from now: half of those like it did in `median_seconds`.

    Nine of ten did in `within_seconds`. Either is absent where it cannot be said; `learnt_from` counts the
    starts that it was learnt from, and `sentence` says it to people.
    """

    median_seconds: float | None = None
    within_seconds: float | None = None
    learnt_from: int = 0
    sentence: str


class ExplanationView(Wire):
    """Why a request waits: `code` for machines, `sentence` for people, `cure` is what would change it.

    `position` counts from 1 among all that wait; before `possible_at`, in Unix seconds, it cannot start.
    """

    code: str
    sentence: str
    cure: str = ""
    position: int | None = None
    waiting: int = 0
    possible_at: float | None = None
    expected_start: ExpectedStartView | None = None


class TaskView(Wire):
    """One process tree of an allocation."""

    id: str
    role: str
    index: int
    generation: int
    state: str
    node: str
    exit_code: int | None = None
    message: str = ""


class PlacementView(Wire):
    """Where one replica stands."""

    replica: int
    node: str
    devices: tuple[str, ...] = ()


class AllocationView(Wire):
    """One time that a request held resources; `ends_at` is when its time limit is reached."""

    id: str
    state: AllocationState
    placements: tuple[PlacementView, ...]
    granted_at: float
    started_at: float | None = None
    gone_at: float | None = None
    borrowed: ResourcesModel
    ends_at: float | None = None
    tasks: tuple[TaskView, ...] = ()


class WarningView(Wire):
    """What runs is stopped at `until`, in Unix seconds, unless something changes before.

    `code` is `reclaimed` (another has a right to its room: a lender, a reservation, a higher priority),
    `over-budget` or `time-limit`; `why` is a sentence.
    """

    until: float
    code: str
    why: str


class RequestView(Wire):
    """A request as its owner, its team's admins and admins see it.

    Its payload is as it was submitted but for two things: the text of a job's files and its difference to
    the commit are empty everywhere except in the answer to `GET /requests/ID`, and the values of a role's
    `env` are `***` for all but the request's owner.

    `outcome` is `finished`, `failed` or `stopped` once it has ended; `message` says the rest.
    `url` is where to go when it runs (the notebook, the model's endpoint). `start` is absent where it starts
    by itself, at any hour.
    """

    id: str
    kind: WorkloadKind
    user: str
    team: str
    name: str
    resources: ResourcesModel
    replicas: int
    placement: PlacementModel | None = None
    priority: int
    submitted_at: float
    ended_at: float | None = None
    status: RequestStatus
    is_ending: bool = False
    outcome: str | None = None
    message: str = ""
    parent: str | None = None
    url: str | None = None
    page_url: str
    explanation: ExplanationView | None = None
    allocation: AllocationView | None = None
    warning: WarningView | None = None
    start: StartView | None = None
    payload: Payload


class RequestPage(Paged):
    """`GET /requests`: newest first; pass `next_cursor` as `cursor` for the next page."""

    items: tuple[RequestView, ...]


class QueueEntry(Wire):
    """A request that waits, as the other members of its team see it: that it waits, not what it runs."""

    id: str
    kind: WorkloadKind
    user: str
    team: str
    resources: ResourcesModel
    replicas: int
    submitted_at: float
    is_mine: bool
    explanation: ExplanationView


class QueueView(Paged):
    """`GET /queue`: what waits in the asker's teams, next first, and how many wait in all teams."""

    items: tuple[QueueEntry, ...]
    waiting: int


class LogView(Wire):
    """`GET /requests/ID/logs?task=…&offset=…`: a piece of a task's output."""

    task: str
    text: str
    offset: int
    next_offset: int
    is_complete: bool


class ProgressEvent(Wire):
    """One line of progress that a job printed, with the task it came from."""

    task: str
    generation: int
    index: int
    data: dict[str, Any]


class ProgressView(Wire):
    """`GET /requests/ID/progress?after=N`: what the job's tasks printed as progress, in order."""

    events: tuple[ProgressEvent, ...]
    next_after: int
