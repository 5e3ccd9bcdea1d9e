"""What a start asks of the service: the claim of the grant it was started with, or room.

The grant's id is an argument of the service's own POST to the hub and of
nobody else's; it is never among the options, which the hub keeps and replays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from tornado.web import RequestHandler

from jupyterhub_mesos.errors import Queued, Unavailable
from jupyterhub_mesos.wire import HubClaim, HubStart
from jupyterhub_mesos_spawner.client import HubSide, Refusal
from jupyterhub_mesos_spawner.doors import StartQueued, refused, unreachable
from jupyterhub_mesos_spawner.hub import HubUser
from jupyterhub_mesos_spawner.pauses import Pauses

GRANT_ARGUMENT: Final = "grant"
CLAIM_SECONDS: Final = 30.0
"""For a service that is being restarted: its supervisor takes a few seconds, a row of crashes more."""


def given_grant(handler: RequestHandler | None, service_name: str) -> str | None:
    """Return the grant in the request, where the capacity service itself asks; else None."""
    if handler is None:
        return None
    asker = handler.current_user
    if getattr(asker, "kind", "") != "service" or asker.name != service_name:
        return None
    return handler.get_argument(GRANT_ARGUMENT, None)


def start_of(user: HubUser, server_name: str, options: Mapping[str, Any], grant: str | None) -> HubStart:
    """Write down a start of `user`, with the groups that the hub knows now."""
    groups = tuple(sorted(group.name for group in user.groups))
    return HubStart(
        user=user.name, groups=groups, server_name=server_name, options=dict(options), grant=grant
    )


async def claimed(hub_side: HubSide, ask: HubStart, *, is_page: bool) -> HubClaim:
    """Return the claimed allocation. Raises `StartDenied` in the words of the door that was used.

    A grant is claimed again while the service is away: it may have died with the claim stored and its answer
    not sent, and comes back to find that very grant. Whoever asks for room is told at once.
    """
    try:
        if ask.grant is None:
            return await hub_side.start(ask)
        return await _persistently(hub_side, ask)
    except Queued as queued:
        raise StartQueued(queued, is_page=is_page) from queued
    except Refusal as refusal:
        raise refused(refusal) from refusal
    except Unavailable as error:
        raise unreachable(error) from error


async def _persistently(hub_side: HubSide, ask: HubStart) -> HubClaim:
    clock, pauses = asyncio.get_running_loop().time, Pauses()
    last = clock() + CLAIM_SECONDS
    while True:
        try:
            return await hub_side.start(ask)
        except Unavailable:
            if clock() > last:
                raise
        await pauses.wait()
