"""What durability costs: admissions through the ledger, one grant alone, and a start over a full ledger.

    python -m benchmarks ledger [--quick]

Beside each latency stands the time that the disk itself takes: 4 KiB appended to a file and flushed
(`fdatasync`), in the same folder, in turn with what is measured. PostgreSQL is one of our own on the same
disk, with `fsync` on; `LEDGER_TEST_POSTGRESQL`, the URL of a database whose role may create others, names
another one. Memory is really read back: each start opens a new ledger over what the last one wrote.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.table import Figure
from jupyterhub_mesos.configuration.teams import team_values
from jupyterhub_mesos.service.ledger import Change, Ledger
from jupyterhub_mesos.service.rows import RequestInfo, TeamsRecord
from jupyterhub_mesos.service.store import Store, store_url
from jupyterhub_mesos.wire import NotebookPayload, TeamModel, TeamsModel
from jupyterhub_mesos_quota.events import (
    AllocationClaimed,
    AllocationStarted,
    NodeSeen,
    RequestSubmitted,
    TeamsReplaced,
)
from jupyterhub_mesos_quota.model import (
    Node,
    NodeId,
    Request,
    RequestId,
    TeamId,
    UserName,
    WorkloadKind,
    allocation_id,
)
from jupyterhub_mesos_quota.resources import Resources

TEAMS: Final = 10
ADMISSIONS: Final = 10_000
GRANTS: Final = 2_000
SESSIONS: Final = 10_000
RUNNING: Final = 1_000
NODES: Final = 125
PER_NODE: Final = 80
QUICK: Final = 5
"""A quick run does a fifth of each."""
SMALL: Final = Resources.of(cpu_millis=100, mem_mib=128)
SQLITE_MS: Final = (1.0, 15.0)
POSTGRESQL_MS: Final = 5.0
PAGE: Final = b"\0" * 4096


def main(quick: bool) -> list[Figure]:
    """Measure."""
    factor = QUICK if quick else 1
    with tempfile.TemporaryDirectory(prefix="bench-ledger-") as name:
        folder = Path(name)
        figures = asyncio.run(_throughput(folder, ADMISSIONS // factor))
        figures += asyncio.run(_latency("SQLite", store_url(folder / "one.sqlite"), folder, GRANTS // factor))
        with _postgresql() as url:
            if url is not None:
                figures += asyncio.run(_latency("PostgreSQL", url, folder, GRANTS // factor))
        return figures + asyncio.run(_recovery(folder, SESSIONS // factor, RUNNING // factor))


async def _throughput(folder: Path, count: int) -> list[Figure]:
    """Ask for everything at once: group commit makes batches of it."""
    ledger = await _opened(store_url(folder / "many.sqlite"))
    await _add_nodes(ledger, count // PER_NODE + 1)
    asked = [_asking(ledger, number) for number in range(count)]
    began = time.perf_counter()
    await asyncio.gather(*map(ledger.apply, asked))
    seconds = time.perf_counter() - began
    granted = len(ledger.machine.allocations)
    assert granted == count, f"{granted} of {count} were granted"
    await ledger.close()
    definition = (
        f"{count:,} requests of {TEAMS} teams that arrive at once, each granted, with their audit, in SQLite "
        "on this disk: until the last caller hears of it, its commit flushed."
    )
    return [
        Figure("durable admissions", "1/s", count / seconds, definition, at_least=5_000),
    ]


async def _latency(kind: str, url: str, folder: Path, count: int) -> list[Figure]:
    """Ask for one after the other, in turn with a flush of the disk."""
    ledger = await _opened(url)
    await _add_nodes(ledger, count // PER_NODE + 1)
    grants, flushes = list[float](), list[float]()
    with (folder / "flushed").open("ab", buffering=0) as file:
        for number in range(count):
            change = _asking(ledger, number)
            began = time.perf_counter()
            await ledger.apply(change)
            answered = time.perf_counter()
            file.write(PAGE)
            os.fdatasync(file.fileno())
            flushes.append(time.perf_counter() - answered)
            grants.append(answered - began)
    assert len(ledger.machine.allocations) == count
    await ledger.close()
    most = SQLITE_MS if kind == "SQLite" else (POSTGRESQL_MS, None)
    definition = f"One request alone, from its submission until its durable grant is answered, {kind}: "
    return [
        Figure(
            f"durable grant, {kind}, {word}",
            "ms",
            _percentile(grants, percent),
            f"{definition}the {word} of {count:,}.",
            baseline=_percentile(flushes, percent),
            baseline_is=f"4 KiB appended and flushed (`fdatasync`) in the same folder, in turn, the {word}",
            at_most=goal,
        )
        for word, percent, goal in (("median", 50, most[0]), ("99th percentile", 99, most[1]))
    ]


async def _recovery(folder: Path, sessions: int, running: int) -> list[Figure]:
    """Open a ledger in which many wait and some run."""
    url = store_url(folder / "full.sqlite")
    ledger = await _opened(url)
    await _add_nodes(ledger, running // PER_NODE + 1)
    granted = (running // PER_NODE + 1) * PER_NODE
    await asyncio.gather(*(ledger.apply(_asking(ledger, number)) for number in range(sessions + running)))
    for number in range(running):
        name = allocation_id(RequestId(f"r{number}"), 1)
        await ledger.apply(Change(AllocationClaimed(2.0, name)), Change(AllocationStarted(3.0, name)))
    await ledger.close()
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        again = Ledger(Store(url), time.time)
        await again.open()
        seconds.append(time.perf_counter() - began)
        assert len(again.rows()) == sessions + running
        assert len(again.machine.allocations) == granted
        await again.close()
    definition = (
        f"Opening a ledger of {sessions + running:,} live requests, {running:,} of them running, until the "
        "decision core is rebuilt; SQLite, the median of 3."
    )
    return [Figure("start over a full ledger", "s", statistics.median(seconds), definition, at_most=2.0)]


async def _opened(url: str) -> Ledger:
    ledger = Ledger(Store(url), time.time)
    await ledger.open()
    model = TeamsModel(teams={f"t{number}": TeamModel() for number in range(TEAMS)})
    await ledger.apply(Change(TeamsReplaced(1.0, team_values(model)), (TeamsRecord(model),), who="bench"))
    return ledger


async def _add_nodes(ledger: Ledger, count: int) -> None:
    room = Resources.of(cpu_millis=100 * PER_NODE, mem_mib=128 * PER_NODE)
    for number in range(count):
        await ledger.apply(Change(NodeSeen(1.0, Node(NodeId(f"n{number}"), room))))


def _asking(ledger: Ledger, number: int) -> Change:
    request = Request(
        id=RequestId(f"r{number}"),
        team=TeamId(f"t{number % TEAMS}"),
        user=UserName(f"u{number % 500}"),
        kind=WorkloadKind.NOTEBOOK,
        resources=SMALL,
        submitted_at=ledger.clock(),
    )
    payload = NotebookPayload(server_name=f"s{number}", profile="small")
    event = RequestSubmitted(ledger.clock(), request)
    return Change(event, (RequestInfo(request.id, "small", payload),), who=request.user, why="asked for")


def _percentile(seconds: list[float], percent: int) -> float:
    """Return a percentile in milliseconds."""
    return statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1] * 1000


@contextmanager
def _postgresql() -> Iterator[str | None]:
    """Lend a database of a PostgreSQL that flushes; None, said on stderr, where there is none."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    try:
        from postgres import VARIABLE, PostgresServer, cluster, missing  # noqa: PLC0415 - a helper of the tests
    finally:
        del sys.path[0]
    if VARIABLE in os.environ:
        with PostgresServer(os.environ[VARIABLE]).database() as url:
            yield url
    elif (reason := missing()) is not None:
        print(f"PostgreSQL is not measured: {reason}", file=sys.stderr)
        yield None
    else:
        with cluster(is_durable=True) as server, server.database() as url:
            yield url
