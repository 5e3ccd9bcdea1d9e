"""What has to hold once things have calmed down, and at the end; each raises `Broken` with what was seen."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

import requests

from jupyterhub_mesos.errors import CapacityError
from jupyterhub_mesos.service.ledger import Ledger
from jupyterhub_mesos.service.store import Store
from jupyterhub_mesos.wire import RequestView
from jupyterhub_mesos_quota.model import RequestStatus
from soak.world import World, is_running, job_of, server_of

CALM_SECONDS: Final = 60.0
"""Orphans on either side are found and ended, or adopted, within a minute."""
LOOK_SECONDS: Final = 0.5


class Broken(AssertionError):
    """Something was lost, doubled or leaked."""


def calm_down(world: World) -> float:
    """Wait until all that must agree does; return how long that took, in seconds."""
    began, last = time.monotonic(), "nothing was looked at"
    while time.monotonic() - began < CALM_SECONDS:
        try:
            last = "what was asked for is not answered" if not world.settle_asked() else disagreement(world)
        except (CapacityError, requests.RequestException, OSError) as error:
            last = f"it does not answer: {error}"
        if not last:
            return time.monotonic() - began
        time.sleep(LOOK_SECONDS)
    raise Broken(f"not calm within {CALM_SECONDS:.0f} s: {last}")


def disagreement(world: World) -> str:
    """Say in which point service, hub and process table disagree; nothing where they do not."""
    views = world.views()
    servers, jobs = world.processes()
    running = [view for view in views if is_running(view)]
    starting = [view for view in views if view.status is RequestStatus.ACTIVE and not is_running(view)]
    if starting:
        return f"on their way: {[view.id for view in starting]}"
    due_servers = Counter(server for view in running if (server := server_of(view)) is not None)
    due_jobs = Counter(job for view in running if (job := job_of(view)) is not None)
    pairs = (
        ("servers with a process", servers, due_servers),
        ("jobs with a process", jobs, due_jobs),
        ("servers of the hub", world.hub_servers(), due_servers),
    )
    wrong = [
        f"{what}: {dict(seen)}, the service says {dict(due)}" for what, seen, due in pairs if seen != due
    ]
    return "; ".join(wrong) or _capacity(world, views)


def _capacity(world: World, views: list[RequestView]) -> str:
    capacity = world.client("admin").capacity()
    used = capacity.total.cpu_millis - capacity.free.cpu_millis
    due = sum(
        view.resources.cpu_millis * view.replicas for view in views if view.status is RequestStatus.ACTIVE
    )
    waits = sum(view.status is RequestStatus.QUEUED for view in views)
    if used != due:
        return f"{used} thousandths of a core are held, {due} by requests that are active"
    return "" if waits == capacity.waiting else f"{waits} requests wait, the queue has {capacity.waiting}"


def nothing_lost_or_doubled(world: World) -> None:
    """See that each answered request is there once, and each server has one live request at most."""
    ids = Counter(view.id for view in world.views())
    answered = {asked.request_id for asked in world.asked.values() if asked.request_id}
    lost, doubled = answered - set(ids), [id_ for id_, count in ids.items() if count > 1]
    jobs = Counter(job for view in world.views() if (job := job_of(view)) is not None)
    servers = Counter(server_of(view) for view in world.live() if server_of(view) is not None)
    twice = [each for each, count in (jobs + servers).items() if count > 1]
    if lost or doubled or twice:
        raise Broken(f"lost: {lost}; listed twice: {doubled}; twice: {twice}")


def places(world: World) -> list[str]:
    """Return who waits, by submission, of each team in the order of its queue."""
    return [entry.id for entry in world.client("admin").queue().items]


def kept_places(before: list[str], after: list[str], views: list[RequestView]) -> None:
    """See that of those who waited before and after, of one team and size, nobody passed another."""
    by_id = {view.id: view for view in views}
    groups: dict[object, list[str]] = {}
    for id_ in (each for each in before if each in set(after)):
        view = by_id[id_]
        groups.setdefault((view.team, view.resources.model_dump_json()), []).append(id_)
    for group in groups.values():
        now = [id_ for id_ in after if id_ in group]
        if now != group:
            raise Broken(f"places moved: {group} became {now}")


def eventually_over(world: World) -> None:
    """End everything, and see that nothing is held and nothing runs."""
    for view in world.live():
        world.end("admin", view.id)
    began = time.monotonic()
    left = "everything"
    while left and time.monotonic() - began < CALM_SECONDS:
        left = _left(world)
        time.sleep(LOOK_SECONDS)
    if left:
        raise Broken(f"left at the end: {left}")


def _left(world: World) -> str:
    for view in world.live():
        world.end("admin", view.id)
    servers, jobs = world.processes()
    capacity = world.client("admin").capacity()
    found: list[tuple[str, Callable[[], bool]]] = [
        (f"requests {[view.id for view in world.live()]}", lambda: bool(world.live())),
        (f"processes {dict(servers)} {dict(jobs)}", lambda: bool(servers or jobs)),
        (f"capacity {capacity.total} against {capacity.free}", lambda: capacity.total != capacity.free),
    ]
    return "; ".join(what for what, is_so in found if is_so())


def ledger_holds(url: str) -> None:
    """Rebuild the decision core from the ledger, which no service has open, and check all its invariants."""
    asyncio.run(_ledger_holds(url))


async def _ledger_holds(url: str) -> None:
    ledger = Ledger(Store(url), time.time)
    await ledger.open()
    try:
        ledger.machine.audit_state()
        if ledger.rows() or ledger.machine.allocations:
            raise Broken(f"live at the end: {ledger.rows()} {dict(ledger.machine.allocations)}")
    finally:
        await ledger.close()
