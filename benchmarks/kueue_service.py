"""The capacity service of the benchmark over HTTP: a pool of cores, and an end for what is granted."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import yaml

from benchmarks.kueue_generators import CORE, Generator
from jupyterhub_mesos.backends.faulty import MemoryBackend, MemoryWorld
from jupyterhub_mesos.service.app import Parts, serving
from jupyterhub_mesos.service.controller import ControllerSettings
from jupyterhub_mesos.service.ledger import Change, Commit, Ledger
from jupyterhub_mesos.service.settings import CapacitySettings, HubSettings
from jupyterhub_mesos.tasks import Mount
from jupyterhub_mesos.wire import NotebookPayload
from jupyterhub_mesos_quota.events import EndRequested, Grant
from jupyterhub_mesos_quota.model import Node, NodeId, RequestId
from jupyterhub_mesos_quota.policy import Policy
from jupyterhub_mesos_quota.resources import Resources
from jupyterhub_mesos_quota.strategies import FIFO

ASKER: Final = "asker"
GROUP: Final = "bench"
MEMORY_MIB: Final = 16
"""Of each workload: Kueue's ask for cores alone."""
PLENTY_MIB: Final = 10**7
LOOK_SECONDS: Final = 0.1


class _NoLake:
    def prepare(self, team: str) -> Path:
        return Path("/nowhere") / team

    def mounts(self, team: str, user: str) -> tuple[Mount, ...]:
        return ()

    def groups(self, team: str) -> tuple[int, ...]:
        return ()

    def env(self, team: str) -> Mapping[str, str]:
        return {}


class _Runs:
    """Ends what is granted after its run time."""

    def __init__(self, ledger: Ledger, generator: Generator) -> None:
        self._ledger = ledger
        self._seconds = {each.name: each.runtime_ms / 1000 for each in generator.sets}
        self._ending: set[asyncio.Task[object]] = set()

    def see(self, commit: Commit) -> None:
        """Begin to wait for what a commit granted."""
        loop = asyncio.get_running_loop()
        for action in commit.actions:
            if isinstance(action, Grant):
                request = action.allocation.request_id
                row = self._ledger.row(request)
                if row is not None and isinstance(row.info.payload, NotebookPayload):
                    loop.call_later(self._seconds[row.info.payload.profile or ""], self._end, request)

    def _end(self, request: RequestId) -> None:
        ended = Change(EndRequested(self._ledger.clock(), request), who="bench", why="its time is over")
        task = asyncio.ensure_future(self._ledger.apply(ended))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


def serve_hub(pipe: Connection) -> None:
    """Be the hub that knows the asker, and takes every start, in this process, until told to end."""
    asyncio.run(_serve_hub(pipe))


async def _serve_hub(pipe: Connection) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from small_hub import ACCESS, Person, SmallHub  # noqa: PLC0415 - a helper of the tests

    hub = SmallHub({ASKER: Person(ASKER, (GROUP,), (ACCESS,))})
    hub.open()
    pipe.send(hub.api_url)
    await _until_told(pipe)
    await hub.close()


def serve(pipe: Connection, hub: str, folder: Path, generator: Generator) -> None:
    """Serve in this process until something comes through the pipe; say the URL through it first."""
    asyncio.run(_serve(pipe, hub, folder, generator))


async def _serve(pipe: Connection, hub: str, folder: Path, generator: Generator) -> None:
    node = Node(NodeId("pool"), Resources.of(cpu_millis=generator.cores * CORE, mem_mib=PLENTY_MIB))
    parts = Parts(MemoryBackend(MemoryWorld(nodes=(node,))), _NoLake(), ControllerSettings(post_window=0))
    async with serving(_settings(hub, folder, generator), parts) as service:
        service.ledger.subscribe(_Runs(service.ledger, generator).see)
        pipe.send(service.url)
        await _until_told(pipe)


async def _until_told(pipe: Connection) -> None:
    while not pipe.poll():  # noqa: ASYNC110 - another process says it
        await asyncio.sleep(LOOK_SECONDS)


def _settings(hub: str, folder: Path, generator: Generator) -> CapacitySettings:
    return CapacitySettings(
        state_dir=folder,
        ip="127.0.0.1",
        port=0,
        prefix="/services/capacity/",
        hub=HubSettings(hub, "the-service-s-token", public_host=hub.removesuffix("/hub/api")),
        hub_key="the-hub-s-key",
        cookie_secret="for-cookies",
        teams_file=_written(folder / "teams.yaml", {"teams": _teams(generator)}),
        profiles_file=_written(folder / "profiles.yaml", {"profiles": _profiles(generator)}),
        writes_per_minute=0,
        max_live_requests_per_user=0,
        policy=Policy(FIFO),  # as the same generator is replayed in virtual time
    )


def _teams(generator: Generator) -> dict[str, object]:
    teams: dict[str, object] = {}
    for team in generator.teams():
        cores = {"cpu_millis": team.guarantee.cpu_millis}
        if team.parent is None:
            memory = generator.queues * generator.quota * MEMORY_MIB
            teams[team.id] = {"guarantee": cores | {"mem_mib": memory}, "limit": cores}
        else:
            teams[team.id] = {
                "parent": str(team.parent),
                "groups": [GROUP],
                "admin_groups": [GROUP],
                "guarantee": cores | {"mem_mib": generator.quota * MEMORY_MIB},
                "borrow": {"cpu_millis": generator.borrowing_limit * CORE},
            }
    return teams


def _profiles(generator: Generator) -> dict[str, object]:
    return {
        each.name: {"title": each.name, "resources": {"cpu_millis": each.cores * CORE, "mem_mib": MEMORY_MIB}}
        for each in generator.sets
    }


def _written(path: Path, what: object) -> Path:
    path.write_text(yaml.safe_dump(what), encoding="utf-8")
    return path
