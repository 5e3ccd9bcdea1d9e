"""A supervised program: it comes up, comes back, ends when told, and is found again by a successor."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from deadlines import eventually
from jupyterhub_mesos.cli.processes import Child, Program, end_leftovers
from jupyterhub_mesos.errors import Unavailable
from jupyterhub_mesos.statefolder import StateFolder

SECONDS = 20.0


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def program(tmp_path: Path, code: str = "", name: str = "page") -> Program:
    port = StateFolder.at(tmp_path).choose_ports().service
    serve = f"import http.server as h; h.test(h.SimpleHTTPRequestHandler, port={port}, bind='127.0.0.1')"
    return Program(
        name,
        (sys.executable, "-c", code or serve),
        cwd=tmp_path,
        log_file=tmp_path / f"{name}.log",
        health_url=f"http://127.0.0.1:{port}/",
    )


async def test_a_program_that_is_killed_comes_back_and_says_so(tmp_path: Path, run: Path) -> None:
    child = Child(program(tmp_path), run)
    returned = asyncio.Event()

    async def note() -> None:
        returned.set()

    child.on_return = note
    child.start()
    try:
        await child.ready(SECONDS)
        assert not returned.is_set()
        first = child.pid
        assert first
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(SECONDS):
            await returned.wait()
        assert child.pid not in {None, first}
        assert child.starts == 2
    finally:
        await child.stop()
    assert child.pid is None
    assert names(run) == []


async def test_a_program_that_does_not_come_up_is_quoted(tmp_path: Path, run: Path) -> None:
    child = Child(program(tmp_path, "raise SystemExit('no such setting: x')"), run)
    child.start()
    with pytest.raises(Unavailable, match=r"(?s)ended before it answered.*no such setting: x") as caught:
        await child.ready(SECONDS)
    await child.stop()
    assert child.starts == 1
    assert str(tmp_path / "page.log") in str(caught.value)


async def test_a_program_that_never_answers_is_given_up_in_time(tmp_path: Path, run: Path) -> None:
    child = Child(program(tmp_path, "import signal; signal.pause()"), run)
    child.start()
    with pytest.raises(Unavailable, match="did not answer within"):
        await child.ready(0.3)
    await child.stop()


async def test_what_a_killed_supervisor_left_is_ended_and_strangers_are_not(
    tmp_path: Path, run: Path
) -> None:
    left = await asyncio.create_subprocess_exec(sys.executable, "-c", "import signal; signal.pause()")
    stranger = await asyncio.create_subprocess_exec(sys.executable, "-c", "import signal; signal.pause()")
    created = psutil.Process(left.pid).create_time()
    (run / "left.json").write_text(f'{{"pid": {left.pid}, "created": {created}}}')
    (run / "stranger.json").write_text(f'{{"pid": {stranger.pid}, "created": 1.0}}')
    (run / "torn.json").write_text('{"pid": ')
    end_leftovers(run)
    try:
        eventually(lambda: not psutil.pid_exists(left.pid) or _is_over(left.pid), "the leftover ends")
        assert psutil.pid_exists(stranger.pid)
        assert names(run) == []
    finally:
        stranger.kill()
        await asyncio.gather(left.wait(), stranger.wait())


async def test_a_program_whose_note_cannot_be_written_runs_and_is_ended(
    tmp_path: Path, run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (run / "page.json").mkdir()
    child = Child(program(tmp_path), run)
    child.start()
    try:
        await child.ready(SECONDS)
        pid = child.pid
        assert pid
    finally:
        await child.stop()
    assert not psutil.pid_exists(pid)
    assert "a successor will not find process" in caplog.text


async def test_a_program_that_cannot_be_executed_for_a_while_comes_back(tmp_path: Path, run: Path) -> None:
    whole = program(tmp_path)
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    child = Child(replace(whole, argv=(str(link), *whole.argv[1:])), run)
    returned = asyncio.Event()

    async def note() -> None:
        returned.set()

    child.on_return = note
    child.start()
    try:
        await child.ready(SECONDS)
        link.unlink()
        assert child.pid
        os.kill(child.pid, signal.SIGKILL)
        with caught("when it was started") as failed:
            async with asyncio.timeout(SECONDS):
                await failed.wait()
        link.symlink_to(sys.executable)
        async with asyncio.timeout(SECONDS):
            await returned.wait()
    finally:
        await child.stop()


async def test_a_keeper_that_dies_is_told(
    tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_: Child) -> int:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Child, "_run_once", broken)
    child = Child(program(tmp_path), run)
    child.start()
    with pytest.raises(Unavailable, match="ended before it answered"):
        await child.ready(SECONDS)
    assert "page: is not kept running any more" in caplog.text
    with pytest.raises(RuntimeError, match="a bug"):
        await child.stop()


@contextmanager
def caught(text: str) -> Generator[asyncio.Event]:
    """Lend an event that is set when `text` is logged."""
    event = asyncio.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if text in record.getMessage():
                event.set()

    listener, log = Listener(), logging.getLogger("jupyterhub_mesos.cli.processes")
    log.addHandler(listener)
    try:
        yield event
    finally:
        log.removeHandler(listener)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _is_over(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
