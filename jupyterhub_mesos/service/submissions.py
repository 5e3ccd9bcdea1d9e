"""What may be asked for: a submission or a hub's options become a core request, or are refused.

Options that come through the hub, its REST API included, carry a profile and a
team and nothing else, so that nobody asks for resources past the form.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import ValidationError

from jupyterhub_mesos.errors import InvalidInput, NotAllowed, TooMany
from jupyterhub_mesos.service.rows import AnyPayload, RequestInfo, RequestRow
from jupyterhub_mesos.wire import (
    NotebookPayload,
    PipelinePayload,
    PlacementModel,
    ProfileModel,
    ProfilesModel,
    RequestSubmission,
    ResourcesModel,
    ServingPayload,
    TeamModel,
    TrainingPayload,
)
from jupyterhub_mesos_quota.model import Request, RequestId, TeamId, UserName, WorkloadKind

HUB_OPTIONS: Final = ("profile", "team")
LEAST_CPU_MILLIS: Final = 10
"""The least share of a core with which a Python process starts in reasonable time."""
LEAST_MEM_MIB: Final = 16
"""A Python interpreter alone takes about this much."""
SERVING_DEFAULT: Final = ResourcesModel(cpu_millis=500, mem_mib=512)
"""What a model server of ours takes with a small model (69 MiB measured), with room for the model."""
PIPELINE_DEFAULT: Final = ResourcesModel(cpu_millis=500, mem_mib=1024)
"""The runner itself only waits; its test and optimisation load a model and its data."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a submission asks for, before a team and an id are known."""

    kind: WorkloadKind
    name: str
    payload: AnyPayload
    resources: ResourcesModel
    replicas: int = 1
    placement: PlacementModel | None = None
    max_session_minutes: int | None = None

    def request(
        self, request_id: str, user: str, team: str, submission: RequestSubmission, at: float
    ) -> Request:
        """Return the core's request."""
        return Request(
            id=RequestId(request_id),
            team=TeamId(team),
            user=UserName(user),
            kind=self.kind,
            resources=self.resources.value(),
            submitted_at=at,
            replicas=self.replicas,
            priority=submission.priority,
            parent=RequestId(submission.parent) if submission.parent else None,
            rule=None if self.placement is None else self.placement.value(),
            max_seconds=None if self.max_session_minutes is None else self.max_session_minutes * 60.0,
        )

    def info(self, request_id: str) -> RequestInfo:
        """Return what the ledger keeps of the payload."""
        return RequestInfo(RequestId(request_id), self.name, self.payload)


class Places:
    """How many requests one user may have that wait or run."""

    def __init__(self, most: int, rows: Callable[[], Iterable[RequestRow]]) -> None:
        """`rows` returns what is live; a `most` of 0 is no limit."""
        self._most = most
        self._rows = rows
        self._held: dict[RequestId, UserName] = {}

    @contextmanager
    def hold(self, request: Request) -> Generator[None]:
        """Hold a place while a request becomes durable; raises `TooMany` where its user has none left."""
        with self.hold_many([request]) as full:
            if request.id in full:
                raise full[request.id]
            yield

    @contextmanager
    def hold_many(self, requests: Sequence[Request]) -> Generator[Mapping[RequestId, TooMany]]:
        """Hold places for one user's requests while they become durable; yield why some have none."""
        if not self._most:
            yield {}
            return
        full: dict[RequestId, TooMany] = {}
        users = {request.user for request in requests}
        taken = {user: self._taken(user) for user in users}
        held: list[RequestId] = []
        for request in requests:
            if len(taken[request.user]) >= self._most:
                full[request.id] = self._refusal(request.user, len(taken[request.user]))
                continue
            taken[request.user].add(request.id)
            self._held[request.id] = request.user
            held.append(request.id)
        try:
            yield full
        finally:
            for request_id in held:
                del self._held[request_id]

    def _taken(self, user: UserName) -> set[RequestId]:
        taken = {row.id for row in self._rows() if row.request.user == user}
        return taken | {request_id for request_id, holder in self._held.items() if holder == user}

    def _refusal(self, user: UserName, taken: int) -> TooMany:
        return TooMany(
            f"{user} has {taken} requests that wait or run; {self._most} are possible at once: "
            "end some of them, or wait until some are over."
        )


def hub_submission(server_name: str, options: Mapping[str, Any]) -> RequestSubmission:
    """Read a hub's options; raises `InvalidInput` that names a key that does not belong there."""
    unknown = sorted(set(options) - set(HUB_OPTIONS))
    if unknown:
        raise InvalidInput(
            f"{unknown[0]!r} is no option; a server is started with {' and '.join(HUB_OPTIONS)} only, "
            "and the profile says what it gets",
            where=f"options.{unknown[0]}",
        )
    chosen: dict[str, str | None] = {}
    for key in HUB_OPTIONS:
        value = options.get(key)
        if value is not None and not isinstance(value, str):
            raise InvalidInput(f"{value!r} is no text; name a {key}", where=f"options.{key}")
        chosen[key] = value or None
    try:
        payload = NotebookPayload(server_name=server_name, profile=chosen["profile"])
        return RequestSubmission(team=chosen["team"], payload=payload)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InvalidInput(first["msg"], where=".".join(map(str, first["loc"]))) from error


def asked(submission: RequestSubmission, profiles: ProfilesModel | None, team: str) -> Asked:
    """Return what is asked for in the name of `team`; raises `InvalidInput` and `NotAllowed`."""
    payload = submission.payload
    match payload:
        case NotebookPayload():
            return _notebook(submission, payload, profiles, team)
        case TrainingPayload():
            return _training(submission, payload)
        case ServingPayload():
            resources = submission.resources or SERVING_DEFAULT
            _check_least(resources, "resources")
            placement = _for_one(submission.placement)
            return Asked(WorkloadKind.SERVING, payload.name, payload, resources, placement=placement)
        case PipelinePayload():
            resources = submission.resources or PIPELINE_DEFAULT
            _check_least(resources, "resources")
            placement = _for_one(submission.placement)
            return Asked(WorkloadKind.PIPELINE, payload.name, payload, resources, placement=placement)


def usable_profiles(profiles: ProfilesModel | None, team: str) -> Mapping[str, ProfileModel]:
    """Return the profiles that `team` may use, in the order of their file."""
    known = profiles.profiles if profiles else {}
    return {name: profile for name, profile in known.items() if not profile.teams or team in profile.teams}


def _notebook(
    submission: RequestSubmission, payload: NotebookPayload, profiles: ProfilesModel | None, team: str
) -> Asked:
    if submission.resources is not None:
        raise InvalidInput("a notebook's resources come from its profile: leave them out", where="resources")
    if submission.placement is not None:
        raise InvalidInput("a notebook's nodes are its profile's choice: leave it out", where="placement")
    if payload.hub:
        raise InvalidInput(f"there is no hub {payload.hub!r} here: leave it empty", where="payload.hub")
    usable = usable_profiles(profiles, team)
    if not usable:
        raise InvalidInput(
            f"no profile is open to team {team}: ask an admin to add one", where="payload.profile"
        )
    name = payload.profile or next(
        (name for name, one in usable.items() if one.is_default), next(iter(usable))
    )
    if name not in usable:
        if profiles and name in profiles.profiles:
            raise NotAllowed(f"Profile {name} is not open to team {team}; it may use {', '.join(usable)}.")
        raise InvalidInput(
            f"there is no profile {name!r}; choose {', '.join(usable)}", where="payload.profile"
        )
    chosen = payload.model_copy(update={"profile": name})
    profile = usable[name]
    return Asked(
        WorkloadKind.NOTEBOOK,
        payload.server_name,
        chosen,
        profile.resources,
        placement=profile.placement,
        max_session_minutes=_bound(profile.max_session_minutes),
    )


def within_session(wanted: Asked, teams: Iterable[TeamModel]) -> Asked:
    """Let a notebook run for as long as its profile and all of `teams` allow: the shortest counts."""
    if wanted.kind is not WorkloadKind.NOTEBOOK:
        return wanted
    limits = [wanted.max_session_minutes, *(_bound(team.max_session_minutes) for team in teams)]
    shortest = min((limit for limit in limits if limit is not None), default=None)
    return replace(wanted, max_session_minutes=shortest)


def _bound(written: int | str) -> int | None:
    return written if isinstance(written, int) else None


def _training(submission: RequestSubmission, payload: TrainingPayload) -> Asked:
    if submission.resources is not None:
        raise InvalidInput("a job's resources stand in its roles: leave them out here", where="resources")
    if submission.placement is not None:
        raise InvalidInput("a job says itself where it runs: use payload.job.placement", where="placement")
    role = payload.job.roles[0]
    _check_least(role.resources, "payload.job.roles.0.resources")
    job = payload.job
    return Asked(WorkloadKind.TRAINING, job.name, payload, role.resources, role.replicas, job.placement)


def _for_one(placement: PlacementModel | None) -> PlacementModel | None:
    """Refuse what says nothing of a single process."""
    if placement is not None and placement.zones != "any":
        raise InvalidInput(
            f"{placement.zones!r} asked for of one process, which stands in one zone: leave it out, or name "
            "a prefer_zone",
            where="placement.zones",
        )
    return placement


def _check_least(resources: ResourcesModel, where: str) -> None:
    if resources.cpu_millis < LEAST_CPU_MILLIS or resources.mem_mib < LEAST_MEM_MIB:
        raise InvalidInput(
            f"{resources.cpu_millis} cpu_millis and {resources.mem_mib} mem_mib asked for; a process needs "
            f"{LEAST_CPU_MILLIS} and {LEAST_MEM_MIB} at least",
            where=where,
        )
