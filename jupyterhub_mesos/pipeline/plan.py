"""The plan of a pipeline workload: the one task that runs a project's steps."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from jupyterhub_mesos.tasks import Endpoint, TaskContext, TaskSpec, in_home, task_id, verbatim
from jupyterhub_mesos.wire import PipelinePayload
from jupyterhub_mesos_quota.model import AllocationId
from jupyterhub_mesos_quota.resources import Resources

PORTS: Final = ()
"""Nobody calls a pipeline: it asks others."""
ROLE: Final = "pipeline"
GENERATION: Final = 1
"""The only one: a run that failed is run again as a new request, which skips what is done."""
STOP_GRACE_SECONDS: Final = 30.0
"""Between SIGTERM and SIGKILL: the runner asks for its training job's end, stops its step and says so."""
TOKEN_PREFIX: Final = "capwork_"  # noqa: S105 - how such a token begins, not a secret
"""How a pipeline's own token begins, so that it can be told from the hub's and from a team's."""
TOKEN_VARIABLE: Final = "CAPACITY_TOKEN"  # noqa: S105 - the variable's name
SECRET_VARIABLE: Final = "JOB_SECRET"  # noqa: S105 - as above
"""In `ctx.env`: the allocation's secret, from which the token is derived; it stays out of the task."""


@dataclass(frozen=True, slots=True)
class Access:
    """How the task reaches the capacity service: its address (with its prefix), and as which request."""

    api_url: str
    request_id: str


def workload_token(allocation_id: AllocationId, secret: str) -> str:
    """Derive the token by which a pipeline's task asks the service, from its allocation's secret."""
    return (
        f"{TOKEN_PREFIX}{allocation_id}.{hmac.new(secret.encode(), b'workload', hashlib.sha256).hexdigest()}"
    )


def allocation_of(token: str) -> AllocationId:
    """Return the allocation that a pipeline's token names; that the token is genuine is not said."""
    return AllocationId(token.removeprefix(TOKEN_PREFIX).rpartition(".")[0])


def task(
    payload: PipelinePayload, ctx: TaskContext, endpoint: Endpoint, *, resources: Resources, access: Access
) -> TaskSpec:
    """Plan the one task of a pipeline's run.

    `ctx.env` has to hold `JOB_SECRET`: there is no run without a token.
    """
    env = dict(ctx.env)
    token = workload_token(ctx.allocation_id, env.pop(SECRET_VARIABLE))
    placement = ctx.placements[0]
    return TaskSpec(
        id=task_id(ctx.allocation_id, GENERATION, ROLE, 0),
        allocation_id=ctx.allocation_id,
        user=ctx.user,
        team=ctx.team,
        node=placement.node,
        argv=_argv(payload, ctx),
        resources=resources,
        endpoint=endpoint,
        devices=placement.devices,
        env={
            "PYTHONUNBUFFERED": "1",  # its steps are read while it runs
            # Numeric libraries start a thread per core of the machine, not of the grant.
            "OMP_NUM_THREADS": str(max(1, resources.cpu_millis // 1000)),
            **env,
            TOKEN_VARIABLE: token,
            "CAPACITY_API_URL": verbatim(access.api_url),
            "CAPACITY_TEAM": verbatim(ctx.team),
            "CAPACITY_REQUEST": verbatim(access.request_id),
        },
        mounts=ctx.mounts,
        stop_grace_seconds=STOP_GRACE_SECONDS,
    )


def _argv(payload: PipelinePayload, ctx: TaskContext) -> tuple[str, ...]:
    ref = ("--ref", verbatim(payload.ref)) if payload.ref else ()
    steps = (word for step in payload.steps for word in ("--step", step))
    # -P: a numpy.py in the owner's home must not be taken for numpy.
    return (
        *(verbatim(ctx.python), "-P", "-m", "jupyterhub_mesos.pipeline", "run"),
        *("--repository", in_home(payload.repository), "--commit", payload.commit),
        *ref,
        *steps,
    )
