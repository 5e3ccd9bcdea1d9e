"""The plan of a serving workload: which task a backend has to run for it."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

from jupyterhub_mesos.tasks import Endpoint, TaskContext, TaskSpec, in_home, task_id, verbatim

if TYPE_CHECKING:  # pydantic's models of the whole API cost the model server 8 MiB that it never needs
    from jupyterhub_mesos.wire import ServingPayload
    from jupyterhub_mesos_quota.resources import Resources

PORTS: Final = ("http",)
"""What `Backend.reserve` has to reserve before `task` is called."""
ROLE: Final = "server"
GENERATION: Final = 1
"""The first; whoever restarts a server counts on and names the task anew."""
READY_PATH: Final = "/v2/health/ready"
"""Answers 200 once the bundle is verified and the model loaded, 503 before; it asks for no token."""
TOKEN_VARIABLE: Final = "SERVING_TOKEN"  # noqa: S105 - the variable's name, not a secret
"""What every other route asks for: any account of the node can reach the port."""
SECRET_VARIABLE: Final = "JOB_SECRET"  # noqa: S105 - as above
"""In `ctx.env`: the allocation's secret, from which the token is derived; it stays out of the task."""


def serving_token(secret: str) -> str:
    """Derive the model server's token from its allocation's secret, which also serves other ends."""
    return hmac.new(secret.encode(), b"serving", hashlib.sha256).hexdigest()


def task(payload: ServingPayload, ctx: TaskContext, endpoint: Endpoint, *, resources: Resources) -> TaskSpec:
    """Plan the one task of a model server that listens on `endpoint`'s port `http`.

    `ctx.env` has to hold `JOB_SECRET`: there is no model server without a token.
    """
    env = dict(ctx.env)
    token = serving_token(env.pop(SECRET_VARIABLE))
    placement = ctx.placements[0]
    return TaskSpec(
        id=task_id(ctx.allocation_id, GENERATION, ROLE, 0),
        allocation_id=ctx.allocation_id,
        user=ctx.user,
        team=ctx.team,
        node=placement.node,
        argv=_argv(payload, ctx, endpoint, threads=max(1, resources.cpu_millis // 1000)),
        resources=resources,
        endpoint=endpoint,
        devices=placement.devices,
        # numpy's own threads would only wait beside onnxruntime's, and each holds a buffer.
        env={"OPENBLAS_NUM_THREADS": "1", **env, TOKEN_VARIABLE: token},
        mounts=ctx.mounts,
    )


def _argv(payload: ServingPayload, ctx: TaskContext, endpoint: Endpoint, *, threads: int) -> tuple[str, ...]:
    ref = ("--ref", verbatim(payload.ref)) if payload.ref else ()
    # -P: a numpy.py in the owner's home must not be taken for numpy.
    return (
        *(ctx.python, "-P", "-m", "jupyterhub_mesos.serving"),
        *("--bundle", in_home(payload.bundle), *ref),
        *("--name", payload.name, "--threads", str(threads)),
        *("--host", endpoint.host, "--port", str(endpoint.ports["http"])),
    )
