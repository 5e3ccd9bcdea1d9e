"""A program that is kept running: started, watched, restarted with back-off, ended by its pid.

What was started is noted in a file with the process's start time, so that a
supervisor that was killed leaves nothing that its successor cannot find; a pid
that was used again by a stranger is left alone.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from jupyterhub_mesos.errors import Unavailable

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.1
"""Between two looks at a program that comes up."""

LOOK_TIMEOUT_SECONDS: Final = 5.0
FIRST_BACKOFF_SECONDS: Final = 0.5
LONGEST_BACKOFF_SECONDS: Final = 30.0
"""Before a restart: doubled each time, back to the first once the program was healthy for the longest."""

TERM_SECONDS: Final = 15.0
"""Between SIGTERM and SIGKILL; the hub and the service commit and close within a second or two."""

TAIL_BYTES: Final = 2000
"""How much of a log is quoted when its program did not come up."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and the URL that answers 200 once it is healthy."""

    name: str
    argv: tuple[str, ...]
    cwd: Path
    log_file: Path
    health_url: str
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    health_headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


class Child:
    """One program under supervision, from `start` to `stop`."""

    def __init__(self, program: Program, run_folder: Path) -> None:
        self.program = program
        self.starts = 0
        self.on_return: Callable[[], Awaitable[None]] = _nothing
        """Awaited when it is healthy again after a restart."""
        self._note = run_folder / f"{program.name}.json"
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._healthy = asyncio.Event()
        self._was_healthy = False
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The program's process now; None while it is being restarted."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Begin to keep it running; the task is awaited by `stop`."""
        self._task = asyncio.create_task(self._keep(), name=self.program.name)
        self._task.add_done_callback(self._report)

    def _report(self, task: asyncio.Task[None]) -> None:
        """Say at once that nobody keeps the program any more, where that was not asked for."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("%s: is not kept running any more", self.program.name, exc_info=error)

    async def ready(self, seconds: float) -> None:
        """Wait until it is healthy. Raises `Unavailable` with the end of its log when it is not in time."""
        look = asyncio.create_task(self._healthy.wait())
        tasks = {look, self._task} if self._task else {look}
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        look.cancel()
        if not self._healthy.is_set():
            is_over = self._task is not None and self._task.done()
            what = "ended before it answered" if is_over else f"did not answer within {seconds:g} s"
            log_file = self.program.log_file
            raise Unavailable(f"The {self.program.name} {what}. The end of {log_file}:\n{_tail(log_file)}")

    async def stop(self) -> None:
        """End it: SIGTERM, SIGKILL after a while; it is not started again."""
        self._stopping.set()
        if self._process is not None:
            await _end_child(self._process)
        if self._task is not None:
            await self._task

    async def _keep(self) -> None:
        """Run the program, again and again, until it is stopped or does not come up the first time.

        A program that could not even be executed (no memory, too many files) ended like any other.
        """
        backoff = FIRST_BACKOFF_SECONDS
        clock = asyncio.get_running_loop().time
        while not self._stopping.is_set():
            began = clock()
            try:
                end = f"exit code {await self._run_once()}"
            except OSError as error:
                end = f"{error} when it was started"
            if self._stopping.is_set() or not self._was_healthy:
                return
            if clock() - began > LONGEST_BACKOFF_SECONDS:
                backoff = FIRST_BACKOFF_SECONDS
            log.warning("%s: ended with %s; started again in %.1f s", self.program.name, end, backoff)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), backoff)
            backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)

    async def _run_once(self) -> int:
        """Start it and return its exit code, having said when it was healthy; raises `OSError`."""
        process = self._process = await self._started()
        self._write_note(process.pid)
        async with asyncio.TaskGroup() as group:
            look = group.create_task(self._look())
            if self._stopping.is_set():  # asked for while it was being started
                await _end_child(process)
            code = await process.wait()
            look.cancel()
        self._process = None
        self._healthy.clear()
        self._remove_note()
        return code

    async def _started(self) -> asyncio.subprocess.Process:
        program = self.program
        with program.log_file.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *program.argv,
                cwd=program.cwd,
                env={**os.environ, **program.env},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is the supervisor's: it stops them in order
            )
        self.starts += 1
        log.info("%s: started as process %d", program.name, process.pid)
        return process

    def _write_note(self, pid: int) -> None:
        """Note the process for a successor; without the note it runs all the same."""
        try:
            created = psutil.Process(pid).create_time()
            self._note.write_text(json.dumps({"pid": pid, "created": created}))
        except psutil.NoSuchProcess:
            return
        except OSError as error:
            log.warning("%s: a successor will not find process %d: %s", self.program.name, pid, error)

    def _remove_note(self) -> None:
        try:
            self._note.unlink(missing_ok=True)
        except OSError as error:  # it names a process that is over, which is left alone
            log.warning("%s: its note stays: %s", self.program.name, error)

    async def _look(self) -> None:
        while not await self._is_healthy():  # noqa: ASYNC110 - another process says it, over HTTP
            await asyncio.sleep(LOOK_SECONDS)
        log.info("%s: answers", self.program.name)
        has_returned, self._was_healthy = self._was_healthy, True
        self._healthy.set()
        if has_returned:
            await self.on_return()

    async def _is_healthy(self) -> bool:
        program = self.program
        request = HTTPRequest(
            program.health_url,
            headers=dict(program.health_headers),
            request_timeout=LOOK_TIMEOUT_SECONDS,
            follow_redirects=False,
        )
        try:
            await AsyncHTTPClient().fetch(request)
        except (HTTPClientError, OSError):
            return False
        return True


async def _nothing() -> None:
    """Do nothing."""


async def _end_child(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(TERM_SECONDS):
            await process.wait()
    except TimeoutError:
        log.warning("process %d: killed, it did not end within %g s", process.pid, TERM_SECONDS)
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def end_stranger(pid: int, created: float) -> None:
    """End a process that is no child of ours and had `pid` at that start time; returns when it is gone."""
    try:
        process = psutil.Process(pid)
        if process.create_time() != created:
            return
        process.terminate()
        _, alive = psutil.wait_procs([process], timeout=TERM_SECONDS)
        for left in alive:
            log.warning("process %d: killed, it did not end within %g s", pid, TERM_SECONDS)
            left.kill()
            left.wait()
    except psutil.NoSuchProcess:
        return


def end_leftovers(run_folder: Path) -> None:
    """End what a supervisor that was killed left running."""
    for note in sorted(run_folder.glob("*.json")):
        try:
            known = json.loads(note.read_text())
            end_stranger(int(known["pid"]), float(known["created"]))
        except (ValueError, KeyError, TypeError):
            log.warning("%s: not readable, left out", note)
        note.unlink(missing_ok=True)


def _tail(path: Path) -> str:
    try:
        return path.read_bytes()[-TAIL_BYTES:].decode(errors="replace").strip()
    except FileNotFoundError:
        return "(nothing)"
