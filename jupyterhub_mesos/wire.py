"""All JSON that crosses a process: the REST API, the stored payloads, the job spec, the bundle.

Pydantic at this edge and nowhere else: unknown keys are refused, nothing is
coerced, values are frozen. Amounts are whole numbers (`cpu_millis`, `mem_mib`,
accelerators per flavor); times are Unix seconds (UTC).
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from jupyterhub_mesos.giturls import REFUSAL as SECRET_REFUSAL
from jupyterhub_mesos.giturls import holds_secret
from jupyterhub_mesos_quota.model import AllocationState, RequestStatus, WorkloadKind
from jupyterhub_mesos_quota.resources import Flavor, Resources

API_VERSION: Final = "v1"
API_PREFIX: Final = "/api/v1"

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
"""A team, profile, role, model or job: starts with a letter or digit, at most 63 characters."""
Text = Annotated[str, StringConstraints(max_length=4096)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Positive = Annotated[int, Field(ge=1, le=2**31 - 1)]

MAX_REPLICAS: Final = 1024
MAX_SOURCE_BYTES: Final = 8 * 1024 * 1024
"""All files of one job's source together; larger data belongs into the lake."""


class Wire(BaseModel):
    """What every message shares: strict, frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ResourcesModel(Wire):
    """Amounts of CPU (thousandths of a core), memory (MiB) and accelerators per flavor."""

    cpu_millis: Count = 0
    mem_mib: Count = 0
    accelerators: dict[Name, Count] = Field(default_factory=dict)

    def value(self) -> Resources:
        """Return the core's value."""
        return Resources.of(
            self.cpu_millis, self.mem_mib, {Flavor(flavor): n for flavor, n in self.accelerators.items()}
        )

    @classmethod
    def of(cls, resources: Resources) -> Self:
        """Build the message from the core's value (negative amounts, of a shrunken node, read as 0)."""
        return cls(
            cpu_millis=max(0, resources.cpu_millis),
            mem_mib=max(0, resources.mem_mib),
            accelerators={flavor: count for flavor, count in resources.accelerators if count > 0},
        )


# ---- the job spec (training) --------------------------------------------------------------------


_NO_NAMES: Final = frozenset({"", ".", ".."})
MAX_NAME_BYTES: Final = 255
"""Of one file or folder; Linux's NAME_MAX."""


def _stays_inside(path: str) -> str:
    parts = path.split("/")
    if "\0" in path or not _NO_NAMES.isdisjoint(parts):
        raise ValueError(
            f"{path!r} is no file of the job's folder: name a relative path without '.', '..' or empty parts"
        )
    if any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
        raise ValueError(f"{path!r} has a part of more than {MAX_NAME_BYTES} bytes: shorten it")
    return path


def _is_variable(name: str) -> str:
    if not name or "=" in name or "\0" in name:
        raise ValueError(f"{name!r} is no name of an environment variable: it is empty or has '=' or NUL")
    return name


def _has_no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError(f"{text!r} has a zero byte, which no process can be given")
    return text


Argument = Annotated[str, AfterValidator(_has_no_nul)]
"""One argument or one variable's value of a process."""
Variables = dict[Annotated[str, AfterValidator(_is_variable)], Argument]


class SourceFile(Wire):
    """One text file that travels with a job; `path` is relative and stays inside the job's folder."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_stays_inside)]
    text: str


class Source(Wire):
    """What the job runs and where it came from; `sha256` is that of the notebook file."""

    notebook: Text = ""
    commit: str = ""
    is_dirty: bool = False
    sha256: str = ""
    files: tuple[SourceFile, ...] = ()

    @model_validator(mode="after")
    def _each_its_own_place(self) -> Self:
        paths = [file.path for file in self.files]
        folders = {path[:end] for path in paths for end, letter in enumerate(path) if letter == "/"}
        seen: set[str] = set()
        for path in paths:
            if path in seen:
                raise ValueError(f"{path!r} is given twice: name each file once")
            if path in folders:
                raise ValueError(f"{path!r} is given as a file and as a folder of others: rename one")
            seen.add(path)
        return self

    @model_validator(mode="after")
    def _small_enough(self) -> Self:
        size = sum(len(file.text.encode()) for file in self.files)
        if size > MAX_SOURCE_BYTES:
            raise ValueError(
                f"the job's files are {size} bytes together; at most {MAX_SOURCE_BYTES} travel with a job: "
                "put data into the lake and name its path"
            )
        return self


class Role(Wire):
    """`replicas` processes that run the same `argv`; `{job}` in it stands for the job's source folder."""

    name: Name = "worker"
    replicas: Annotated[int, Field(ge=1, le=MAX_REPLICAS)] = 1
    argv: Annotated[tuple[Argument, ...], Field(min_length=1)]
    env: Variables = Field(default_factory=dict)
    resources: ResourcesModel = Field(default_factory=ResourcesModel)
    ports: tuple[Name, ...] = ("peer",)


class Restart(Wire):
    """How a failed generation is followed by the next: `max_restarts` is 0 for never."""

    policy: Literal["gang"] = "gang"
    max_restarts: Annotated[int, Field(ge=0, le=100)] = 3
    backoff_seconds: Annotated[float, Field(ge=0, le=3600)] = 1.0


class Job(Wire):
    """A distributed training job, shaped like TorchX's AppDef.

    One role in this version (the gang is `role.replicas` equal processes);
    `roles` is a tuple so that chief, worker and ps fit in later.
    `checkpoint_uri` is a path under the owner's home or lake mounts.
    """

    name: Name
    source: Source = Field(default_factory=Source)
    roles: Annotated[tuple[Role, ...], Field(min_length=1, max_length=1)]
    framework: Literal["torch", "tensorflow", "jax", "generic"] = "generic"
    restart: Restart = Field(default_factory=Restart)
    checkpoint_uri: str | None = None
    time_limit_seconds: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _restarts_need_a_checkpoint(self) -> Self:
        if self.restart.max_restarts and self.checkpoint_uri is None:
            raise ValueError(
                f"{self.restart.max_restarts} restarts asked for without a checkpoint_uri, so each would "
                "begin at the first step: name a place in the lake (for instance "
                "~/lake/team/checkpoints/NAME), or set restart.max_restarts to 0"
            )
        return self


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


Payload = Annotated[NotebookPayload | TrainingPayload | ServingPayload, Field(discriminator="kind")]


# ---- requests ---------------------------------------------------------------------------------


class RequestSubmission(Wire):
    """`POST /requests`: ask for a workload.

    For a notebook, `resources` come from the profile and may not be given; for training they come from the
    job's roles; for serving they may be given. `team` may be left out by a member of one team only.
    """

    model_config = ConfigDict(hide_input_in_errors=True)  # what is refused may be a password

    team: Name | None = None
    payload: Payload
    resources: ResourcesModel | None = None
    priority: Annotated[int, Field(ge=-100, le=100)] = 0
    parent: str | None = None

    @field_validator("payload")
    @classmethod
    def _keeps_no_secret(cls, payload: Payload) -> Payload:
        """Refused here and not in the payload, so that a ledger with an old one can still be read."""
        if isinstance(payload, ServingPayload) and holds_secret(payload.bundle):
            raise ValueError(f"bundle: {SECRET_REFUSAL}")
        return payload


class ExplanationView(Wire):
    """Why a request waits: `code` for machines, `sentence` for people, `cure` is what would change it.

    `position` counts from 1 among all that wait; `expected_start` is a median with a 90 % bound in Unix
    seconds, or absent while there is not enough history.
    """

    code: str
    sentence: str
    cure: str = ""
    position: int | None = None
    waiting: int = 0
    expected_start: float | None = None
    expected_start_latest: float | None = None


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
    """One time that a request held resources."""

    id: str
    state: AllocationState
    placements: tuple[PlacementView, ...]
    granted_at: float
    started_at: float | None = None
    gone_at: float | None = None
    borrowed: ResourcesModel
    tasks: tuple[TaskView, ...] = ()


class RequestView(Wire):
    """A request as its owner, its team's admins and admins see it.

    Its payload is as it was submitted but for two things: the text of a job's files is empty everywhere
    except in the answer to `GET /requests/ID`, and the values of a role's `env` are `***` for all but the
    request's owner.

    `outcome` is `finished`, `failed` or `stopped` once it has ended; `message` says the rest.
    `url` is where to go when it runs (the notebook, the model's endpoint).
    """

    id: str
    kind: WorkloadKind
    user: str
    team: str
    name: str
    resources: ResourcesModel
    replicas: int
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
    payload: Payload


class RequestPage(Wire):
    """`GET /requests`: newest first; pass `next_cursor` as `cursor` for the next page."""

    items: tuple[RequestView, ...]
    next_cursor: str | None = None


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


class QueueView(Wire):
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


# ---- capacity, teams, profiles --------------------------------------------------------------------


class NodeView(Wire):
    """A node: what it has, what is free."""

    id: str
    capacity: ResourcesModel
    free: ResourcesModel
    is_schedulable: bool


class FactView(Wire):
    """What the backend enforces here, or not, and the cure."""

    name: str
    holds: bool
    detail: str
    cure: str = ""


class CapacityView(Wire):
    """`GET /capacity`: everything together, and node by node."""

    backend: str
    total: ResourcesModel
    free: ResourcesModel
    waiting: int
    nodes: tuple[NodeView, ...]
    facts: tuple[FactView, ...] = ()


class BoundsModel(Wire):
    """Upper bounds; an amount is a whole number or the word `unlimited`, which is the default."""

    cpu_millis: Count | Literal["unlimited"] = "unlimited"
    mem_mib: Count | Literal["unlimited"] = "unlimited"
    accelerators: dict[Name, Count | Literal["unlimited"]] = Field(default_factory=dict)


class TeamModel(Wire):
    """A team as written in teams.yaml and sent to `PUT /teams`; docs/reference/teams.md explains the keys."""

    title: Text = ""
    parent: Name | None = None
    guarantee: ResourcesModel = Field(default_factory=ResourcesModel)
    limit: BoundsModel = Field(default_factory=BoundsModel)
    lend: BoundsModel = Field(default_factory=BoundsModel)
    borrow: BoundsModel = Field(default_factory=BoundsModel)
    weight: Positive = 1
    groups: tuple[str, ...] = ()
    admin_groups: tuple[str, ...] = ()


class TeamsModel(Wire):
    """The whole tree by team id."""

    teams: dict[Name, TeamModel]


class TeamUseView(Wire):
    """A team with what it holds now (its subtree's allocations included)."""

    id: str
    team: TeamModel
    used: ResourcesModel
    borrowed: ResourcesModel
    waiting: int
    is_member: bool
    is_admin: bool


class TeamsView(Wire):
    """`GET /teams`: the teams the asker may see. `revision` grows with every edit."""

    revision: int
    teams: tuple[TeamUseView, ...]


class TeamChange(Wire):
    """One line of the difference that an edit makes."""

    team: str
    field: str
    before: str
    after: str


class TeamsEdit(Wire):
    """`PUT /teams` with `dry_run` or not answers what changes (nothing, when it is in force already)."""

    revision: int
    changes: tuple[TeamChange, ...]
    is_applied: bool


class ProfileModel(Wire):
    """A profile as written in profiles.yaml; `argv` replaces the notebook server's command line."""

    title: Text
    description: Text = ""
    resources: ResourcesModel
    teams: tuple[Name, ...] = ()  # who may use it; empty for everybody
    is_default: bool = False


class ProfilesModel(Wire):
    """All profiles by name."""

    profiles: Annotated[dict[Name, ProfileModel], Field(min_length=1)]


class ProfileView(Wire):
    """A profile with what would become of a start now."""

    name: str
    profile: ProfileModel
    teams: tuple[str, ...]  # the asker's teams that may use it
    fits_now: bool


class ProfilesView(Wire):
    """`GET /profiles`."""

    profiles: tuple[ProfileView, ...]


# ---- the hub's side (authenticated by the hub's key) ------------------------------------------------


class HubStart(Wire):
    """`POST /hub/starts`: the spawner claims the `grant` it was started with, or asks for room.

    `options` is what came through the hub, from a form or its REST API: only `profile` and `team` count
    and anything else is refused, so that nobody smuggles in resources.
    """

    user: str
    groups: tuple[str, ...]
    server_name: str
    options: dict[str, Any] = Field(default_factory=dict)
    grant: str | None = None


class HubClaim(Wire):
    """The allocation is claimed: launch it with `PUT /hub/allocations/ID/launch`."""

    request_id: str
    allocation_id: str
    team: str
    profile: str | None
    resources: ResourcesModel
    port: int
    host: str


class HubLaunch(Wire):
    """`PUT /hub/allocations/ID/launch`: what the hub made; idempotent, retried until answered.

    `env` holds the hub's tokens: it is never logged and never written to the ledger.
    """

    argv: Annotated[tuple[str, ...], Field(min_length=1)]
    env: dict[str, str] = Field(default_factory=dict, repr=False)


class HubServer(Wire):
    """What the service knows of a server: `poll()` answers `exit_code` when it is not alive."""

    is_alive: bool
    exit_code: int | None = None
    message: str = ""
    request_id: str | None = None
    allocation_id: str | None = None
    url: str | None = None


# ---- errors and health ----------------------------------------------------------------------------


class Problem(Wire):
    """An error (RFC 9457, `application/problem+json`); `detail` is for people, `code` for machines."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None = None
    page_url: str | None = None


class Health(Wire):
    """`GET /health`: whether the parts answer."""

    status: Literal["ok", "degraded"]
    version: str
    backend: str
    ledger: str
    waiting: int
    active: int
    message: str = ""


# ---- names ----------------------------------------------------------------------------------------

_UNSAFE = re.compile(r"[^a-z0-9]+")


def slug(text: str, *, fallback: str = "x") -> str:
    """Make a name that is safe in paths, ids and host names from any text (lossy: not an identity)."""
    return _UNSAFE.sub("-", text.lower()).strip("-")[:40] or fallback
