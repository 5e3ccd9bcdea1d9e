"""What the core and the ledger hold, as the messages of `wire`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import quote

from jupyterhub_mesos.backends.base import Fact
from jupyterhub_mesos.service.rows import AnyPayload, RequestRow, TaskRow
from jupyterhub_mesos.service.settings import CapacitySettings
from jupyterhub_mesos.service.words import LIVES
from jupyterhub_mesos.wire import (
    AllocationView,
    ExpectedStartView,
    ExplanationView,
    FactView,
    NodeView,
    NotebookPayload,
    PlacementModel,
    PlacementView,
    RequestView,
    ResourcesModel,
    StartView,
    TaskView,
    TrainingPayload,
    WarningView,
)
from jupyterhub_mesos_quota.model import Allocation, Node, WorkloadKind
from jupyterhub_mesos_quota.resources import Resources


class Explained(Protocol):
    """What the core says about a request that waits (`jupyterhub_mesos_quota.explain`)."""

    @property
    def code(self) -> str: ...  # noqa: D102 - as in ExplanationView
    @property
    def sentence(self) -> str: ...  # noqa: D102
    @property
    def cure(self) -> str: ...  # noqa: D102
    @property
    def position(self) -> int | None: ...  # noqa: D102
    @property
    def waiting(self) -> int: ...  # noqa: D102
    @property
    def possible_at(self) -> float | None: ...  # noqa: D102


class Links:
    """Where things of the service and of the hub are found, as paths on the public host."""

    def __init__(self, settings: CapacitySettings) -> None:
        self.prefix = settings.prefix
        self._hub = settings.hub.base_url

    def page(self, request_id: str) -> str:
        """Return the page of a request."""
        return f"{self.prefix}requests/{quote(request_id)}"

    def server(self, user: str, server_name: str) -> str:
        """Return the address of a notebook server."""
        own = f"{self._hub}user/{quote(user)}/"
        return f"{own}{quote(server_name)}/" if server_name else own

    def model(self, request_id: str) -> str:
        """Return the address of a model server."""
        return f"{self.prefix}api/v1/serving/{quote(request_id)}/"

    def of(self, row: RequestRow, allocation: Allocation | None) -> str | None:
        """Return where to go for what a request runs, while it runs."""
        if allocation is None or allocation.state not in LIVES:
            return None
        request = row.request
        if isinstance(row.info.payload, NotebookPayload):
            return self.server(request.user, row.info.payload.server_name)
        return self.model(request.id) if request.kind is WorkloadKind.SERVING else None


def explanation_view(explained: Explained, expected: ExpectedStartView | None) -> ExplanationView:
    """Say why a request waits, and when it may start."""
    return ExplanationView(
        code=str(explained.code),
        sentence=explained.sentence,
        cure=explained.cure,
        position=explained.position,
        waiting=explained.waiting,
        possible_at=explained.possible_at,
        expected_start=expected,
    )


def task_view(task: TaskRow) -> TaskView:
    """Show one process tree."""
    return TaskView(
        id=task.id,
        role=task.role,
        index=task.index,
        generation=task.generation,
        state=task.phase.value,
        node=task.node,
        exit_code=task.exit_code,
        message=task.message,
    )


def allocation_view(allocation: Allocation, tasks: Sequence[TaskRow]) -> AllocationView:
    """Show one time that a request held resources."""
    return AllocationView(
        id=allocation.id,
        state=allocation.state,
        placements=tuple(
            PlacementView(replica=placed.replica, node=placed.node, devices=tuple(placed.devices))
            for placed in allocation.placements
        ),
        granted_at=allocation.granted_at,
        started_at=allocation.started_at,
        gone_at=allocation.gone_at,
        borrowed=ResourcesModel.of(allocation.borrowed),
        ends_at=allocation.ends_at,
        tasks=tuple(task_view(task) for task in tasks),
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """How much of a payload is shown: the values of its environment, the text of its files."""

    env_values: bool = False
    file_texts: bool = False


HIDDEN: Final = "***"


def shown_payload(payload: AnyPayload, shown: Shown) -> AnyPayload:
    """Return the payload as it is shown; what it names stays, what it says may be left out."""
    if not isinstance(payload, TrainingPayload):
        return payload
    job = payload.job
    if not shown.file_texts:
        files = tuple(file.model_copy(update={"text": ""}) for file in job.source.files)
        hidden = {"files": files, "diff": ""}
        job = job.model_copy(update={"source": job.source.model_copy(update=hidden)})
    if not shown.env_values:
        roles = tuple(role.model_copy(update={"env": dict.fromkeys(role.env, HIDDEN)}) for role in job.roles)
        job = job.model_copy(update={"roles": roles})
    return payload.model_copy(update={"job": job})


def request_view(
    row: RequestRow,
    links: Links,
    explanation: ExplanationView | None,
    held: tuple[Allocation | None, Sequence[TaskRow]],
    shown: Shown,
    warning: WarningView | None = None,
) -> RequestView:
    """Show a request to somebody who may see it, with what it holds or held last."""
    request, (allocation, tasks) = row.request, held
    return RequestView(
        id=request.id,
        kind=request.kind,
        user=request.user,
        team=request.team,
        name=row.info.name,
        resources=ResourcesModel.of(request.resources),
        replicas=request.replicas,
        placement=PlacementModel.of(request.rule),
        priority=request.priority,
        submitted_at=request.submitted_at,
        ended_at=row.ended_at,
        status=request.status,
        is_ending=request.is_ending,
        outcome=row.outcome,
        message=row.message,
        parent=request.parent,
        url=links.of(row, allocation),
        page_url=links.page(request.id),
        explanation=explanation,
        allocation=None if allocation is None else allocation_view(allocation, tasks),
        warning=warning,
        start=_start_view(row),
        payload=shown_payload(row.info.payload, shown),
    )


def _start_view(row: RequestRow) -> StartView | None:
    if row.start is None:
        return None
    return StartView(wish=row.start.wish, confirmed_until=row.start.confirmed_until)


def node_view(node: Node, free: Resources) -> NodeView:
    """Show a node."""
    return NodeView(
        id=node.id,
        capacity=ResourcesModel.of(node.capacity),
        free=ResourcesModel.of(free),
        is_schedulable=node.is_schedulable,
        zone=node.zone,
        labels=dict(node.labels),
    )


def fact_view(fact: Fact) -> FactView:
    """Show what a backend enforces, or not."""
    return FactView(name=fact.name, holds=fact.holds, detail=fact.detail, cure=fact.cure)
