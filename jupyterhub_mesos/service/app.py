"""The capacity service: wires ledger, backend, lake, controller and web, and owns every task.

One `TaskGroup` owns what runs; SIGTERM and SIGINT end the service and leave
people's workloads alone: the next start finds them again.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from jupyterhub_mesos.backends.base import Backend
from jupyterhub_mesos.configuration import load_profiles, load_teams, team_values
from jupyterhub_mesos.errors import TakenOver
from jupyterhub_mesos.lake.sessions import Sessions
from jupyterhub_mesos.service.batches import Batches
from jupyterhub_mesos.service.controller import Controller, ControllerSettings, jitter
from jupyterhub_mesos.service.holding.wishes import Wishes
from jupyterhub_mesos.service.hub_api import HubApi
from jupyterhub_mesos.service.hub_side import HubSide
from jupyterhub_mesos.service.idempotency import IdempotencyKeys
from jupyterhub_mesos.service.lake import LakeOperations
from jupyterhub_mesos.service.launcher import LakeMounts
from jupyterhub_mesos.service.ledger import Change, Ledger
from jupyterhub_mesos.service.levers import Levers
from jupyterhub_mesos.service.metrics.counting import MeasuredHub, MeasuredStore, Measures
from jupyterhub_mesos.service.metrics.standing import Standing
from jupyterhub_mesos.service.notices.mail import Mail
from jupyterhub_mesos.service.notices.model import Channel
from jupyterhub_mesos.service.notices.sender import Sender
from jupyterhub_mesos.service.notices.webhook import Webhook
from jupyterhub_mesos.service.operations import Operations
from jupyterhub_mesos.service.rates import ITEMS_PER_WRITE, WriteRates
from jupyterhub_mesos.service.rows import TeamsRecord
from jupyterhub_mesos.service.settings import CapacitySettings
from jupyterhub_mesos.service.standby import EndedWaiting, owning
from jupyterhub_mesos.service.team_edits import TeamEdits
from jupyterhub_mesos.service.team_operations import TeamOperations
from jupyterhub_mesos.service.tokens import ServiceTokens, TeamTokens
from jupyterhub_mesos.service.usage.operations import Usage
from jupyterhub_mesos.service.views import Links
from jupyterhub_mesos.service.web.api_teams import missing
from jupyterhub_mesos.service.web.auth import HubIdentities
from jupyterhub_mesos.service.web.base import WebContext
from jupyterhub_mesos.service.web.events import Feed
from jupyterhub_mesos.service.web.pages import environment
from jupyterhub_mesos.service.web.routes import application
from jupyterhub_mesos.statefolder import LOOPBACK
from jupyterhub_mesos.wire import ProfilesModel
from jupyterhub_mesos_quota.events import TeamsReplaced

log = logging.getLogger(__name__)

WHOLE_BODY_FACTOR = 2
"""A body up to this many times the limit is read and answered 413; a larger one is cut off."""
_EVERY_ADDRESS: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not listened on


@dataclass(frozen=True, slots=True)
class Parts:
    """What stands below the service; tests hand in their own."""

    backend: Backend
    lake: LakeMounts
    controller: ControllerSettings
    sessions: Sessions = field(default_factory=lambda: Sessions(time.time))


@dataclass(frozen=True, slots=True)
class RunningService:
    """The service while it serves, at `url` (its prefix included)."""

    url: str
    context: WebContext
    ledger: Ledger
    controller: Controller


@asynccontextmanager
async def serving(
    settings: CapacitySettings, parts: Parts, stopped: asyncio.Event | None = None
) -> AsyncGenerator[RunningService]:
    """Serve while the context is open; leaving it stops the service and no workload.

    Waits until no other service has the ledger; raises `EndedWaiting` when `stopped` is set before.
    """
    async with AsyncExitStack() as stack:
        ownership = await stack.enter_async_context(owning(settings, stopped or asyncio.Event()))
        sockets = _bind(settings, stack)
        measures = Measures()
        store = MeasuredStore(settings.database, measures)
        ledger = Ledger(store, time.time, settings.policy, measures.deciding)
        await ledger.open()
        stack.push_async_callback(ledger.close)
        await seed_teams(ledger, settings)
        for complaint in parts.controller.connections.complaints(ledger.teams.teams):
            log.warning("lake: %s", complaint)
        await parts.backend.open()
        stack.push_async_callback(parts.backend.close)
        hub = HubApi(settings.hub.api_url, settings.hub.api_token)
        stack.callback(hub.close)
        profiles = load_profiles(settings.profiles_file) if settings.profiles_file else None
        how = replace(
            parts.controller,
            api_url=settings.tasks_api_url or _own_url(settings, sockets),
            environments=_environments(profiles),
        )
        controller = Controller(ledger, parts.backend, parts.lake, MeasuredHub(hub, measures), how)
        await controller.open()
        stack.push_async_callback(controller.close)
        notices = _sender(settings, ledger)
        await notices.open()
        context = _web_context(settings, ledger, controller, parts, profiles, measures)
        await context.levers.notes.open()
        await context.operations.expectations.open()
        stack.push_async_callback(context.identities.close)
        stack.callback(ledger.subscribe(context.feed.notify))
        stack.callback(ledger.subscribe(lambda commit: measures.committed(commit, ledger.row)))
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(ownership.watch(ledger))
            reconcile = tasks.create_task(controller.run())
            telling = tasks.create_task(notices.run())
            server = _listen(settings, context, sockets)
            try:
                yield RunningService(_url(settings, settings.ip, sockets), context, ledger, controller)
            finally:
                context.feed.close()
                server.stop()
                await server.close_all_connections()
                reconcile.cancel()
                telling.cancel()
                watch.cancel()


async def run(settings: CapacitySettings, parts: Parts) -> None:
    """Serve until SIGTERM or SIGINT; raises `TakenOver` where another service has the ledger now."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        async with serving(settings, parts, stopped) as service:
            log.info("service: listening at %s", service.url)
            ledger = service.ledger
            waits = {asyncio.create_task(stopped.wait()), asyncio.create_task(ledger.taken_over())}
            _, others = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for other in others:
                other.cancel()
            log.info("service: stopping; workloads go on")
    except EndedWaiting:
        log.info("service: ended while it waited as a standby")
        return
    if ledger.is_taken_over:
        raise TakenOver(
            f"the ledger {settings.database.shown} was taken over by another capacity service, so this one "
            "has ended: run one of the two, or one as a standby"
        )


async def seed_teams(ledger: Ledger, settings: CapacitySettings) -> None:
    """Put teams.yaml in force where the ledger has no teams yet."""
    if ledger.revision or settings.teams_file is None:
        return
    model = load_teams(settings.teams_file)
    event = TeamsReplaced(ledger.clock(), team_values(model))
    await ledger.apply(Change(event, (TeamsRecord(model, 0),), who="service", why=str(settings.teams_file)))
    log.info("teams: %d seeded from %s", len(model.teams), settings.teams_file)


def _sender(settings: CapacitySettings, ledger: Ledger) -> Sender:
    how = settings.notices
    channels: list[Channel] = [] if how.mail is None else [Mail(how.mail)]
    if how.webhook_url:
        channels.append(Webhook(how.webhook_url, how.webhook_secret.encode(), time.time))
    home = f"{how.hub_url.rstrip('/')}{settings.prefix}"
    return Sender(ledger, channels, how.kinds, lambda path: f"{home}{path}", jitter)


def _environments(profiles: ProfilesModel | None) -> dict[str, str]:
    found = profiles.profiles if profiles else {}
    return {name: profile.environment for name, profile in found.items() if profile.environment}


def _web_context(
    settings: CapacitySettings,
    ledger: Ledger,
    controller: Controller,
    parts: Parts,
    profiles: ProfilesModel | None,
    measures: Measures,
) -> WebContext:
    most = settings.max_live_requests_per_user
    operations = Operations(ledger, controller, parts.backend, profiles, Links(settings), max_live=most)
    feed = Feed()
    measures.registry.register(Standing(ledger, lambda: feed.listeners, lambda: len(missing(operations))))
    teams = TeamOperations(ledger, parts.backend, profiles)
    return WebContext(
        settings=settings,
        identities=HubIdentities(settings, ServiceTokens(ledger, controller.secret)),
        operations=operations,
        teams=teams,
        team_edits=TeamEdits(ledger, teams),
        usage=Usage(ledger),
        hub_side=HubSide(operations, controller.notebooks),
        feed=feed,
        measures=measures,
        templates=environment(),
        rates=WriteRates(settings.writes_per_minute, time.monotonic),
        item_rates=WriteRates(settings.writes_per_minute * ITEMS_PER_WRITE, time.monotonic, "batch items"),
        batches=Batches(operations),
        keys=IdempotencyKeys(ledger),
        tokens=TeamTokens(ledger),
        lake=LakeOperations(ledger, controller.connections, parts.sessions),
        levers=Levers.over(operations),
        wishes=Wishes(ledger, operations, controller.keeper),
    )


def _bind(settings: CapacitySettings, stack: AsyncExitStack) -> list[socket.socket]:
    """Take the port, before anything is opened: the ledger's tables are not touched by who cannot listen."""
    sockets = bind_sockets(settings.port, settings.ip)
    for one in sockets:
        stack.callback(one.close)
    return sockets


def _listen(settings: CapacitySettings, context: WebContext, sockets: list[socket.socket]) -> HTTPServer:
    server = HTTPServer(
        application(context), max_body_size=settings.max_body_bytes * WHOLE_BODY_FACTOR, xheaders=True
    )
    server.add_sockets(sockets)
    return server


def _own_url(settings: CapacitySettings, sockets: list[socket.socket]) -> str:
    """Return where a task of this machine reaches the service."""
    return _url(settings, LOOPBACK if settings.ip in _EVERY_ADDRESS else settings.ip, sockets)


def _url(settings: CapacitySettings, host: str, sockets: list[socket.socket]) -> str:
    port: int = sockets[0].getsockname()[1]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{settings.prefix}"
