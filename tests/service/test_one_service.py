"""One active service per ledger: the next one waits, takes over when that one dies, and loses nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

import service_rig as rig
from jupyterhub_mesos.configuration.databases import Database
from jupyterhub_mesos.errors import LedgerError, TakenOver
from jupyterhub_mesos.service import standby
from jupyterhub_mesos.service.ledger import Ledger
from jupyterhub_mesos.service.ownership import AdvisoryLock, FileLock, Lock, lock_of
from jupyterhub_mesos.service.standby import Ownership
from postgres import PostgresServer
from relay import Relay
from service_processes import Services, files_of, job, pids_of, services, until
from small_hub import SmallHub
from web_cases import people

TAKE_OVER_SECONDS = 10.0


@pytest.fixture
async def hub() -> AsyncIterator[SmallHub]:
    hub = SmallHub(people())
    hub.open()
    yield hub
    await hub.close()


@pytest.fixture
def several(hub: SmallHub, tmp_path: Path, url: str) -> Iterator[Services]:
    with services(tmp_path, hub, url) as several:
        yield several


@pytest.fixture
def locks(url: str) -> Iterator[tuple[Lock, Lock]]:
    pair = lock_of(Database.at(url)), lock_of(Database.at(url))
    yield pair
    for lock in pair:
        lock.release()


def test_a_ledger_has_one_holder_whom_others_are_told(locks: tuple[Lock, Lock]) -> None:
    first, second = locks
    assert first.take() is None
    assert first.take() is None  # it is ours already
    holder = second.take()
    assert holder is not None
    assert (holder.pid, abs(holder.since - time.time()) < 60) == (os.getpid(), True)
    first.look()
    first.release()
    assert second.take() is None


def test_a_lock_is_free_as_soon_as_its_holder_is_killed(locks: tuple[Lock, Lock], url: str) -> None:
    code = (
        "import sys, signal; from jupyterhub_mesos.configuration.databases import Database; "
        "from jupyterhub_mesos.service.ownership import lock_of; "
        "lock = lock_of(Database.at(sys.argv[1])); assert lock.take() is None; "
        "print('taken', flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"taken\n"
        holder = locks[0].take()
        assert holder is not None
        assert holder.pid == other.pid
        other.kill()
        other.wait()
        deadline = time.monotonic() + TAKE_OVER_SECONDS
        while locks[0].take() is not None:
            assert time.monotonic() < deadline


def test_a_lock_whose_connection_broke_is_taken_again(postgresql: PostgresServer) -> None:
    with postgresql.database() as url:
        lock, other = AdvisoryLock(Database.at(url)), AdvisoryLock(Database.at(url))
        assert lock.take() is None
        postgresql.cut(str(Database.at(url).url.database))
        lock.look()
        assert other.take() is not None
        for each in (lock, other):
            each.release()


def test_a_lock_that_another_one_took_in_between_is_lost(postgresql: PostgresServer) -> None:
    with postgresql.database() as url, Relay(url) as relay:
        lock, other = AdvisoryLock(Database.at(relay.url)), AdvisoryLock(Database.at(url))
        assert lock.take() is None
        relay.is_closed_to_new = True
        relay.cut()
        with pytest.raises(LedgerError, match="cannot be locked"):
            lock.look()
        deadline = time.monotonic() + TAKE_OVER_SECONDS
        while other.take() is not None:
            assert time.monotonic() < deadline
        relay.is_closed_to_new = False
        with pytest.raises(TakenOver, match=r"now another one has it: process \d+ on"):
            lock.look()
        for each in (lock, other):
            each.release()


def test_a_file_lock_stays_with_its_file(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "ledger.sqlite")
    assert lock.take() is None
    assert (tmp_path / "ledger.sqlite.lock").stat().st_mode & 0o777 == 0o600
    assert not lock.can_be_lost
    lock.release()


@pytest.mark.timeout(300)
async def test_a_standby_serves_soon_after_a_kill_and_what_runs_is_untouched(
    several: Services, tmp_path: Path
) -> None:
    first = several.start()
    await first.says("ready", 204)
    asked = []
    for name in ("one", "two"):
        answer = await first.ask("POST", "api/v1/requests", job(tmp_path, name))
        assert answer is not None
        assert answer.code == 201, answer.body
        asked.append(json.loads(answer.body)["id"])
    await until(lambda: len(pids_of(tmp_path)) == 2, "two jobs")
    running = sorted(pids_of(tmp_path))
    second = several.start()
    health = await second.says("health", 200)
    assert json.loads(health.body)["status"] == "standby"
    assert (await second.says("ready", 503)).headers["Retry-After"]
    assert str(first.process.pid) in second.log
    first.kill()
    began = time.monotonic()
    await second.says("ready", 204)
    assert time.monotonic() - began < TAKE_OVER_SECONDS
    page = await second.json("requests")
    assert [view["id"] for view in page["items"]] == asked[::-1]
    assert {view["status"] for view in page["items"]} == {"active"}
    answer = await second.ask("POST", "api/v1/requests", job(tmp_path, "three"))
    assert answer is not None
    assert answer.code == 201
    await until(lambda: len(pids_of(tmp_path, "three")) == 1, "the third job")
    assert sorted(pids_of(tmp_path, "one") + pids_of(tmp_path, "two")) == running


@pytest.mark.timeout(300)
async def test_a_kill_under_load_loses_nothing_that_was_answered_and_doubles_nothing(
    several: Services, tmp_path: Path
) -> None:
    first = several.start()
    await first.says("ready", 204)
    second = several.start()
    await second.says("ready", 503)
    names, answered = [f"job-{number}" for number in range(40)], list[str]()

    window = asyncio.Semaphore(8)  # together they would be one commit, answered at once

    async def submit(name: str) -> None:
        async with window:
            answer = await first.ask("POST", "api/v1/requests", job(tmp_path, name))
        if answer is not None and answer.code == 201:
            answered.append(name)
        if len(answered) == 5:
            first.kill()

    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(submit(name))
    assert len(answered) < len(names)  # the kill met some of them on their way
    await second.says("ready", 204)
    held = [view["name"] for view in (await second.json("requests?limit=200"))["items"]]
    for name in set(names) - set(held):  # what was never heard of is asked for again
        answer = await second.ask("POST", "api/v1/requests", job(tmp_path, name))
        assert answer is not None
        assert answer.code == 201
    assert set(answered) <= set(held)
    held = [view["name"] for view in (await second.json("requests?limit=200"))["items"]]
    assert sorted(held) == sorted(names)
    await until(lambda: len(pids_of(tmp_path)) == len(names), "every job's process")
    noted = [len(path.read_text().split()) for path in files_of(tmp_path, "job-*")]
    assert noted == [1] * len(names)  # none was ever started twice


@pytest.mark.timeout(300)
async def test_a_standby_at_the_same_port_waits_for_it_too(several: Services) -> None:
    first = several.start()
    await first.says("ready", 204)
    second = several.start(port=first.port)
    await second.logs("standby")
    await second.logs("answers nobody while it waits")
    first.kill()
    await second.says("ready", 204)


async def test_a_service_that_may_not_wait_says_who_has_the_ledger(several: Services) -> None:
    first = several.start()
    await first.says("ready", 204)
    second = several.start("--no-wait")
    assert await second.ended() == 1
    assert f"another capacity service has the ledger: process {first.process.pid} on" in second.log
    assert "Traceback" not in second.log


async def test_a_waiting_service_ends_when_it_is_told_to(several: Services) -> None:
    first = several.start()
    await first.says("ready", 204)
    second = several.start()
    await second.logs("standby")
    second.process.send_signal(signal.SIGTERM)
    assert await second.ended() == 0
    await first.says("ready", 204)


@pytest.mark.timeout(300)
async def test_a_service_that_was_cut_off_ends_and_its_successor_serves(
    hub: SmallHub, tmp_path: Path, postgresql: PostgresServer
) -> None:
    with postgresql.database() as url, Relay(url) as relay, services(tmp_path, hub, url) as several:
        first = several.start(ledger_url=relay.url)
        await first.says("ready", 204)
        second = several.start()
        await second.logs("standby")
        relay.is_closed_to_new = True
        relay.cut()
        await first.says("ready", 503)
        await second.says("ready", 204)
        relay.is_closed_to_new = False
        assert await first.ended() == 1
        assert "was taken over by another capacity service" in first.log
        assert "Traceback" not in first.log
        await second.says("ready", 204)


async def test_a_service_goes_on_where_its_connections_alone_were_cut(
    hub: SmallHub, tmp_path: Path, postgresql: PostgresServer
) -> None:
    with postgresql.database() as url, services(tmp_path, hub, url) as several:
        service = several.start()
        await service.says("ready", 204)
        postgresql.cut(str(Database.at(url).url.database))
        answer = await service.ask("POST", "api/v1/requests", job(tmp_path, "one"))
        if answer is not None and answer.code != 201:  # it met the broken connection
            assert answer.code == 503
            answer = await service.ask("POST", "api/v1/requests", job(tmp_path, "one"))
        assert answer is not None
        assert answer.code == 201, answer.body
        await until(lambda: len(pids_of(tmp_path)) == 1, "the job")
        await service.says("ready", 204)


async def watched(lock: Ownership, ledger: Ledger, holds: Callable[[], object]) -> None:
    """Keep watch over a ledger until something holds."""
    watch = asyncio.create_task(lock.watch(ledger))
    await until(holds, "what the watch should have noticed")
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)


@pytest.fixture
def quick_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(standby, "GIVE_UP_SECONDS", 0.5)


@pytest.mark.usefixtures("quick_watch")
async def test_a_holder_of_whom_nobody_can_tell_for_long_gives_up(postgresql: PostgresServer) -> None:
    with postgresql.database() as url, Relay(url) as relay:
        lock = Ownership(Database.at(relay.url))
        assert await lock.take() is None
        async with rig.opened(url) as ledger:
            relay.is_closed_to_new = True
            relay.cut()
            await watched(lock, ledger, lambda: ledger.is_taken_over)
            assert "nobody could be asked" in ledger.failure
        await lock.release()


@pytest.mark.usefixtures("quick_watch")
async def test_a_holder_acts_on_nothing_until_it_has_its_lock_back_and_read_the_ledger_anew(
    postgresql: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby, "GIVE_UP_SECONDS", rig.DEADLINE_SECONDS)
    with postgresql.database() as url, Relay(url) as relay:
        lock = Ownership(Database.at(relay.url))
        assert await lock.take() is None
        async with rig.opened(relay.url) as ledger:
            await ledger.apply(rig.notebook(ledger, "r1"))
            machine = ledger.machine
            relay.is_closed_to_new = True
            relay.cut()
            await watched(lock, ledger, lambda: ledger.is_in_doubt)
            with pytest.raises(LedgerError):
                await ledger.settled()
            relay.is_closed_to_new = False
            await watched(lock, ledger, lambda: not ledger.is_in_doubt)
            await ledger.settled()
            assert ledger.machine is not machine  # read anew
            assert [row.id for row in ledger.rows()] == ["r1"]
        await lock.release()
