"""Between the ledger's columns and its values; stored JSON passes through the models of `wire`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import RowMapping

from jupyterhub_mesos.service.rows import (
    AnyPayload,
    AuditRow,
    JobRow,
    KeptDoc,
    KeptKey,
    KeyName,
    KeyRow,
    RequestInfo,
    RequestRow,
    StartRow,
    TaskPhase,
    TaskRow,
    TokenId,
    TokenRow,
)
from jupyterhub_mesos.service.texts import MOST_CHARACTERS, storable
from jupyterhub_mesos.service.usage.accounting import Held
from jupyterhub_mesos.tasks import Endpoint, TaskId
from jupyterhub_mesos.wire import Payload, PlacementModel, ResourcesModel, StartWish, TeamsModel
from jupyterhub_mesos_quota.forecast import PastWait
from jupyterhub_mesos_quota.model import (
    Allocation,
    AllocationId,
    AllocationState,
    DeviceId,
    NodeId,
    Placement,
    Request,
    RequestId,
    RequestStatus,
    TeamId,
    UserName,
    WorkloadKind,
    allocation_id,
)
from jupyterhub_mesos_quota.resources import Resources
from jupyterhub_mesos_quota.rules import PlacementRule

Row = RowMapping
Columns = Mapping[str, Any]

_PAYLOAD: TypeAdapter[AnyPayload] = TypeAdapter(Payload)


def is_live(request: Request) -> bool:
    """Say whether a request may still wait or run."""
    return request.status not in {RequestStatus.ENDED, RequestStatus.WITHDRAWN}


def request_columns(row: RequestRow) -> Columns:
    """Lay a request out."""
    request, server = row.request, row.server
    return {
        "id": request.id,
        "seq": row.seq,
        "team": request.team,
        "user": request.user,
        "kind": request.kind.value,
        "resources": _resources_json(request.resources),
        "replicas": request.replicas,
        "priority": request.priority,
        "parent": request.parent,
        "submitted_at": request.submitted_at,
        "rank": request.rank,
        "status": request.status.value,
        "is_live": is_live(request),
        "is_ending": request.is_ending,
        "allocations": request.allocations,
        "name": row.info.name,
        "payload": row.info.payload.model_dump(mode="json"),
        "hub": server.hub if server else "",
        "server_name": server.server_name if server else None,
        "outcome": row.outcome,
        "message": row.message,
        "ended_at": row.ended_at,
        "max_seconds": request.max_seconds,
        "placement": _rule_json(request.rule),
        "start": _start_json(row.start),
    }


def request_row(row: Row) -> RequestRow:
    """Read a request back."""
    request = Request(
        id=RequestId(row["id"]),
        team=TeamId(row["team"]),
        user=UserName(row["user"]),
        kind=WorkloadKind(row["kind"]),
        resources=_resources(row["resources"]),
        submitted_at=row["submitted_at"],
        replicas=row["replicas"],
        priority=row["priority"],
        parent=RequestId(row["parent"]) if row["parent"] is not None else None,
        rank=row["rank"],
        status=RequestStatus(row["status"]),
        allocations=row["allocations"],
        is_ending=row["is_ending"],
        max_seconds=row["max_seconds"],
        rule=_rule(row["placement"]),
    )
    info = RequestInfo(request.id, row["name"], _PAYLOAD.validate_python(row["payload"], strict=False))
    start = _start(row["start"])
    return RequestRow(request, info, row["outcome"], row["message"], row["ended_at"], row["seq"], start)


def past_wait(row: Row) -> PastWait | None:
    """Read how long a request waited for its first allocation (`granted_at`); or None."""
    if row["start"] is not None:
        return None  # it waited for more than room
    granted_at = row["granted_at"]
    until = granted_at if granted_at is not None else row["ended_at"]
    if until is None:
        return None
    total = _resources(row["resources"]) * row["replicas"]
    return PastWait(
        TeamId(row["team"]), total.accelerators, row["submitted_at"], until, granted_at is not None
    )


def allocation_columns(allocation: Allocation) -> Columns:
    """Lay an allocation out."""
    return {
        "id": allocation.id,
        "request_id": allocation.request_id,
        "team": allocation.team,
        "state": allocation.state.value,
        "placements": [
            {
                "replica": placement.replica,
                "node": placement.node,
                "resources": _resources_json(placement.resources),
                "devices": list(placement.devices),
            }
            for placement in allocation.placements
        ],
        "borrowed": _resources_json(allocation.borrowed),
        "granted_at": allocation.granted_at,
        "started_at": allocation.started_at,
        "gone_at": allocation.gone_at,
        "ends_at": allocation.ends_at,
        "warned_until": allocation.warned_until,
    }


def held(row: Row) -> Held:
    """Read an allocation with its request's user, kind and time of asking as accounting sees it."""
    found = allocation(row)
    is_first = found.id == allocation_id(found.request_id, 1)
    return Held(
        team=row["team"],
        user=row["user"],
        kind=row["kind"],
        resources=found.total,
        granted_at=found.granted_at,
        gone_at=found.gone_at,
        waited=max(0.0, found.granted_at - row["submitted_at"]) if is_first else None,
    )


def allocation(row: Row) -> Allocation:
    """Read an allocation back."""
    return Allocation(
        id=AllocationId(row["id"]),
        request_id=RequestId(row["request_id"]),
        team=TeamId(row["team"]),
        placements=tuple(
            Placement(
                replica=placed["replica"],
                node=NodeId(placed["node"]),
                resources=_resources(placed["resources"]),
                devices=tuple(DeviceId(device) for device in placed["devices"]),
            )
            for placed in row["placements"]
        ),
        granted_at=row["granted_at"],
        state=AllocationState(row["state"]),
        borrowed=_resources(row["borrowed"]),
        started_at=row["started_at"],
        gone_at=row["gone_at"],
        ends_at=row["ends_at"],
        warned_until=row["warned_until"],
    )


def task_columns(task: TaskRow) -> Columns:
    """Lay a task out."""
    return {
        "id": task.id,
        "allocation_id": task.allocation_id,
        "role": task.role,
        "index": task.index,
        "generation": task.generation,
        "node": task.node,
        "phase": task.phase.value,
        "host": task.endpoint.host,
        "ports": dict(task.endpoint.ports),
        "exit_code": task.exit_code,
        "message": task.message,
        "checkpoint": dict(task.checkpoint),
        "at": task.at,
    }


def task_row(row: Row) -> TaskRow:
    """Read a task back."""
    return TaskRow(
        id=TaskId(row["id"]),
        allocation_id=AllocationId(row["allocation_id"]),
        role=row["role"],
        index=row["index"],
        generation=row["generation"],
        node=NodeId(row["node"]),
        endpoint=Endpoint(row["host"], row["ports"]),
        phase=TaskPhase(row["phase"]),
        exit_code=row["exit_code"],
        message=row["message"],
        checkpoint=row["checkpoint"],
        at=row["at"],
    )


def job_columns(job: JobRow) -> Columns:
    """Lay a job's progress through its generations out."""
    return {
        "allocation_id": job.allocation_id,
        "generation": job.generation,
        "restarts_used": job.restarts_used,
        "not_before": job.not_before,
        "is_stopping": job.is_stopping,
    }


def job_row(row: Row) -> JobRow:
    """Read a job's progress back."""
    return JobRow(
        AllocationId(row["allocation_id"]),
        row["generation"],
        row["restarts_used"],
        row["not_before"],
        row["is_stopping"],
    )


def token_columns(token: TokenRow) -> Columns:
    """Lay a team's token out."""
    return {
        "id": token.id,
        "team": token.team,
        "name": token.name,
        "digest": token.digest,
        "made_by": token.made_by,
        "made_at": token.made_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
    }


def token_row(row: Row) -> TokenRow:
    """Read a team's token back."""
    return TokenRow(
        TokenId(row["id"]),
        row["team"],
        row["name"],
        row["digest"],
        row["made_by"],
        row["made_at"],
        row["expires_at"],
        row["last_used_at"],
    )


def key_columns(row: KeyRow) -> Columns:
    """Lay a write's key out."""
    return {
        "asker": row.name.asker,
        "key": row.name.key,
        "digest": row.digest,
        "at": row.at,
        "subjects": list(row.subjects),
        "status": row.status,
        "location": row.location,
        "answer": row.answer,
    }


def key_row(row: Row) -> KeyRow:
    """Read a write's key back."""
    return KeyRow(
        KeyName(row["asker"], row["key"]),
        row["digest"],
        row["at"],
        tuple(row["subjects"]),
        row["status"],
        row["location"],
        row["answer"],
    )


def kept_columns(key: KeptKey, doc: KeptDoc) -> Columns:
    """Lay a value of the core's out."""
    return {"kind": key.kind, "key": key.key, "doc": doc.json}


def kept_row(row: Row) -> tuple[KeptKey, KeptDoc]:
    """Read a value of the core's back."""
    return KeptKey(row["kind"], row["key"]), KeptDoc(row["doc"])


def audit_columns(row: AuditRow) -> Columns:
    """Lay an audit row out; its `seq` is the database's to give. A refused name may be in it."""
    return {
        "at": row.at,
        "who": storable(row.who, MOST_CHARACTERS),
        "what": row.what,
        "subject": storable(row.subject, MOST_CHARACTERS),
        "why": storable(row.why),
        "data": dict(row.data),
    }


def audit_row(row: Row) -> AuditRow:
    """Read an audit row back."""
    return AuditRow(
        row["at"], row["who"], row["what"], row["subject"], row["why"], row["data"], seq=row["seq"]
    )


def teams_model(row: Row) -> TeamsModel:
    """Read a team tree back."""
    return TeamsModel.model_validate(row["doc"], strict=False)


@lru_cache(maxsize=4096)  # there are few sizes; nobody changes what is on its way into JSON
def _resources_json(resources: Resources) -> Columns:
    return ResourcesModel.of(resources).model_dump(mode="json")


def _rule_json(rule: PlacementRule | None) -> dict[str, Any] | None:
    model = PlacementModel.of(rule)
    return None if model is None else model.model_dump(mode="json")


def _rule(stored: object) -> PlacementRule | None:
    return None if stored is None else PlacementModel.model_validate(stored).value()


def _start_json(start: StartRow | None) -> Columns | None:
    if start is None:
        return None
    wish = start.wish.model_dump(mode="json")
    return {"wish": wish, "confirmed_until": start.confirmed_until, "asked_at": start.asked_at}


def _start(stored: Columns | None) -> StartRow | None:
    if stored is None:
        return None
    wish = StartWish.model_validate(stored["wish"], strict=False)
    return StartRow(wish, stored["confirmed_until"], stored["asked_at"])


def _resources(stored: object) -> Resources:
    return ResourcesModel.model_validate(stored).value()
