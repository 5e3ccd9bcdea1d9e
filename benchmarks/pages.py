"""How soon a page is painted in a real Chromium, with 200 teams and 2,000 allocations, beside an empty page.

The service runs over a real ledger and a backend in memory, beside the hub of the tests; the browser is a
process of its own. The asker is an admin, who sees everything; each page is opened anew, with nothing kept.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.table import Figure
from jupyterhub_mesos.backends.faulty import MemoryBackend, MemoryWorld
from jupyterhub_mesos.errors import Unavailable
from jupyterhub_mesos.service.app import Parts, RunningService, serving
from jupyterhub_mesos.service.controller import ControllerSettings
from jupyterhub_mesos.service.identity import Identity
from jupyterhub_mesos.service.team_operations import EditTerms
from jupyterhub_mesos.wire import (
    Job,
    RequestSubmission,
    ResourcesModel,
    Restart,
    Role,
    TeamModel,
    TeamsModel,
    TrainingPayload,
)
from jupyterhub_mesos_quota.model import Node, NodeId
from jupyterhub_mesos_quota.resources import Resources

TEAMS: Final = 200
DIVISIONS: Final = 10
ALLOCATIONS: Final = 2000
NODES: Final = 50
NODE_CPU_MILLIS: Final = 64_000
GOAL_MS: Final = 300.0
PAGES: Final = {
    "launch": "",
    "queue": "queue",
    "capacity": "capacity",
    "teams": "teams",
    "usage": "usage",
    "audit": "audit",
}
PAINT: Final = """() => new Promise((told) => new PerformanceObserver((list) => {
  for (const one of list.getEntriesByName("first-contentful-paint")) told(one.startTime);
}).observe({ type: "paint", buffered: true }))"""
CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome")
ROBOT: Final = Identity("bench", groups=frozenset({"all"}), is_admin=True)


def main(quick: bool) -> list[Figure]:
    """Measure each page; raises `Unavailable` where there is no Chromium."""
    chromium = next((path for path in map(shutil.which, CHROMIUM) if path), None)
    if chromium is None:
        raise Unavailable("there is no Chromium: install it (Debian: apt install chromium)")
    looks = 5 if quick else 15
    painted = asyncio.run(_measure(chromium, looks))
    empty = painted.pop("empty")
    return [
        Figure(
            f"first paint of the page {name}",
            "ms",
            value,
            f"median of {looks} looks: navigation to first contentful paint, {TEAMS} teams, {ALLOCATIONS:,} "
            "allocations, as an admin, over loopback",
            empty,
            "a page that is not there, of the same service",
            at_most=GOAL_MS,
        )
        for name, value in painted.items()
    ]


async def _measure(chromium: str, looks: int) -> dict[str, float]:
    cases, hubs = _test_modules()
    hub = hubs.SmallHub(cases.people())
    hub.open()
    nodes = [
        Node(NodeId(f"n{number:02}"), Resources.of(NODE_CPU_MILLIS, 512 * 1024)) for number in range(NODES)
    ]
    parts = Parts(MemoryBackend(MemoryWorld(nodes)), cases.NoLake(), ControllerSettings())
    try:
        with tempfile.TemporaryDirectory(prefix="bench-pages-") as folder:
            most = ALLOCATIONS + 1
            settings = replace(cases.settings_for(hub, Path(folder)), max_live_requests_per_user=most)
            async with serving(settings, parts) as service:
                await _fill(service)
                return await asyncio.to_thread(_paint, chromium, service.url, looks)
    finally:
        await hub.close()


def _test_modules() -> tuple[Any, Any]:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    try:
        import small_hub  # noqa: PLC0415 - after the path
        import web_cases  # noqa: PLC0415
    finally:
        del sys.path[0]
    return web_cases, small_hub


async def _fill(service: RunningService) -> None:
    """Make the teams, and start the allocations."""
    context = service.context
    await context.teams.edit(ROBOT, _tree(), EditTerms(why="a benchmark"))
    names = [name for name, team in _tree().teams.items() if team.groups]
    for number in range(ALLOCATIONS):
        await context.operations.submit(ROBOT, _job(names[number % len(names)]))
    await service.ledger.until(lambda: _all_run(service) or None)


def _all_run(service: RunningService) -> bool:
    return len(service.ledger.machine.allocations) >= ALLOCATIONS


def _tree() -> TeamsModel:
    teams: dict[str, TeamModel] = {}
    for division in range(DIVISIONS):
        teams[f"d{division}"] = TeamModel(guarantee=ResourcesModel(cpu_millis=200_000))
        for number in range(TEAMS // DIVISIONS - 1):
            guarantee = ResourcesModel(cpu_millis=10_000)
            teams[f"d{division}-{number:02}"] = TeamModel(
                parent=f"d{division}", guarantee=guarantee, groups=("all",)
            )
    return TeamsModel(teams=teams)


def _job(team: str) -> RequestSubmission:
    role = Role(replicas=1, argv=("python",), resources=ResourcesModel(cpu_millis=1000, mem_mib=1024))
    job = Job(name="digits", roles=(role,), restart=Restart(max_restarts=0))
    return RequestSubmission(team=team, payload=TrainingPayload(job=job))


def _paint(chromium: str, url: str, looks: int) -> dict[str, float]:
    """Return the median paint of each page in ms."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - a benchmark's alone

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        painted: dict[str, float] = {}
        for name, path in {"empty": "nosuchpage", **PAGES}.items():

            def look(path: str = path) -> float:
                context = browser.new_context(extra_http_headers={"Authorization": "token admin"})
                page = context.new_page()
                page.goto(url + path)
                found = float(page.evaluate(PAINT))
                context.close()
                return found

            painted[name] = _median(look, looks)
        browser.close()
    return painted


def _median(look: Callable[[], float], looks: int) -> float:
    look()  # the first one starts what the others have
    return median(look() for _ in range(looks))
