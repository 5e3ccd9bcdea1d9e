"""The hub's side, authenticated by the hub's key."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from jupyterhub_mesos.wire.base import ResourcesModel, Wire


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
