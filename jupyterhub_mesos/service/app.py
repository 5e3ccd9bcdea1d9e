"""The capacity service: wires ledger, backend, lake, controller and web, and owns every task.

One `TaskGroup` owns what runs; SIGTERM and SIGINT end the service and leave
people's workloads alone: the next start finds them again.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from jupyterhub_mesos.backends.base import Backend
from jupyterhub_mesos.configuration import load_profiles, load_teams, team_values
from jupyterhub_mesos.errors import TakenOver
from jupyterhub_mesos.service.controller import Controller, ControllerSettings
from jupyterhub_mesos.service.hub_api import HubApi
from jupyterhub_mesos.service.hub_side import HubSide
from jupyterhub_mesos.service.launcher import LakeMounts
from jupyterhub_mesos.service.ledger import Change, Ledger
from jupyterhub_mesos.service.operations import Operations
from jupyterhub_mesos.service.rates import WriteRates
from jupyterhub_mesos.service.rows import TeamsRecord
from jupyterhub_mesos.service.settings import CapacitySettings
from jupyterhub_mesos.service.store import Store, store_url
from jupyterhub_mesos.service.team_operations import TeamOperations
from jupyterhub_mesos.service.views import Links
from jupyterhub_mesos.service.web.auth import HubIdentities
from jupyterhub_mesos.service.web.base import WebContext
from jupyterhub_mesos.service.web.events import Feed
from jupyterhub_mesos.service.web.pages import environment
from jupyterhub_mesos.service.web.routes import application
from jupyterhub_mesos.wire import ProfilesModel
from jupyterhub_mesos_quota.events import TeamsReplaced

log = logging.getLogger(__name__)

WHOLE_BODY_FACTOR = 2
"""A body up to this many times the limit is read and answered 413; a larger one is cut off."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What stands below the service; tests hand in their own."""

    backend: Backend
    lake: LakeMounts
    controller: ControllerSettings


@dataclass(frozen=True, slots=True)
class RunningService:
    """The service while it serves, at `url` (its prefix included)."""

    url: str
    context: WebContext
    ledger: Ledger
    controller: Controller


@asynccontextmanager
async def serving(settings: CapacitySettings, parts: Parts) -> AsyncGenerator[RunningService]:
    """Serve while the context is open; leaving it stops the service and no workload."""
    async with AsyncExitStack() as stack:
        ledger = Ledger(Store(store_url(settings.ledger_file)), time.time)
        await ledger.open()
        stack.push_async_callback(ledger.close)
        await seed_teams(ledger, settings)
        await parts.backend.open()
        stack.push_async_callback(parts.backend.close)
        hub = HubApi(settings.hub.api_url, settings.hub.api_token)
        stack.callback(hub.close)
        profiles = load_profiles(settings.profiles_file) if settings.profiles_file else None
        chosen = replace(parts.controller, environments=_environments(profiles))
        controller = Controller(ledger, parts.backend, parts.lake, hub, chosen)
        await controller.open()
        stack.push_async_callback(controller.close)
        context = _web_context(settings, ledger, controller, parts.backend, profiles)
        stack.push_async_callback(context.identities.close)
        stack.callback(ledger.subscribe(context.feed.notify))
        async with asyncio.TaskGroup() as tasks:
            reconcile = tasks.create_task(controller.run())
            server, url = _listen(settings, context)
            try:
                yield RunningService(url, context, ledger, controller)
            finally:
                context.feed.close()
                server.stop()
                await server.close_all_connections()
                reconcile.cancel()


async def run(settings: CapacitySettings, parts: Parts) -> None:
    """Serve until SIGTERM or SIGINT; raises `TakenOver` where another service has the ledger now."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with serving(settings, parts) as service:
        log.info("service: listening at %s", service.url)
        ledger = service.ledger
        waits = {asyncio.create_task(stopped.wait()), asyncio.create_task(ledger.taken_over())}
        _, others = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel()
        log.info("service: stopping; workloads go on")
    if ledger.is_taken_over:
        raise TakenOver(
            f"the ledger {settings.ledger_file} was taken over by another capacity service, so this one has "
            "ended: run one of the two"
        )


async def seed_teams(ledger: Ledger, settings: CapacitySettings) -> None:
    """Put teams.yaml in force where the ledger has no teams yet."""
    if ledger.revision or settings.teams_file is None:
        return
    model = load_teams(settings.teams_file)
    event = TeamsReplaced(ledger.clock(), team_values(model))
    await ledger.apply(Change(event, (TeamsRecord(model, 0),), who="service", why=str(settings.teams_file)))
    log.info("teams: %d seeded from %s", len(model.teams), settings.teams_file)


def _environments(profiles: ProfilesModel | None) -> dict[str, str]:
    found = profiles.profiles if profiles else {}
    return {name: profile.environment for name, profile in found.items() if profile.environment}


def _web_context(
    settings: CapacitySettings,
    ledger: Ledger,
    controller: Controller,
    backend: Backend,
    profiles: ProfilesModel | None,
) -> WebContext:
    most = settings.max_live_requests_per_user
    operations = Operations(ledger, controller, backend, profiles, Links(settings), max_live=most)
    return WebContext(
        settings=settings,
        identities=HubIdentities(settings),
        operations=operations,
        teams=TeamOperations(ledger, backend, profiles),
        hub_side=HubSide(operations, controller.notebooks),
        feed=Feed(),
        templates=environment(),
        rates=WriteRates(settings.writes_per_minute, time.monotonic),
    )


def _listen(settings: CapacitySettings, context: WebContext) -> tuple[HTTPServer, str]:
    server = HTTPServer(
        application(context), max_body_size=settings.max_body_bytes * WHOLE_BODY_FACTOR, xheaders=True
    )
    sockets = bind_sockets(settings.port, settings.ip)
    server.add_sockets(sockets)
    port: int = sockets[0].getsockname()[1]
    return server, f"http://{settings.ip}:{port}{settings.prefix}"
