"""Processes by pid without taking one for another: a pid is given anew, a start time tells."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
_PIECE: Final = 4096
TASK_MARK: Final = "JUPYTERHUB_MESOS_TASK"
"""The environment variable that every process of a task carries: its id, and the mark of the state folder."""


def start_time(pid: int) -> int | None:
    """Return when `pid` started, in clock ticks since boot; None where there is no such process."""
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def _stat(pid: int) -> list[str]:
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    return [] if fields[0] in "ZX" else fields


def open_pidfd(pid: int, started: int) -> int | None:
    """Return a descriptor of the process `pid` that started at `started`; None where it is over."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if start_time(pid) == started:  # asked after the descriptor holds the process
        return pidfd
    os.close(pidfd)
    return None


def marked(mark: str) -> set[int]:
    """Return the processes that carry the mark in their environment.

    Not by session: after a container's restart its id may be another's. A process
    that wiped its environment is found by its control group alone.
    """
    wanted = f"{TASK_MARK}={mark}".encode()
    return {
        int(entry.name)
        for entry in PROC.iterdir()
        if entry.name.isdecimal() and wanted in _environment(entry).split(b"\0")
    }


def keepers(folder: Path) -> set[int]:
    """Return the shims that keep the task in `folder`, of whatever release they are."""
    wanted = os.fsencode(folder)
    return {
        int(entry.name)
        for entry in PROC.iterdir()
        if entry.name.isdecimal() and _is_keeper(_command_line(entry), wanted)
    }


def _is_keeper(words: list[bytes], folder: bytes) -> bool:
    return folder in words and any(word.endswith(b"/shim.py") for word in words)


def _command_line(entry: Path) -> list[bytes]:
    try:
        return (entry / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def _environment(entry: Path) -> bytes:
    try:
        return (entry / "environ").read_bytes()
    except OSError:
        return b""


async def ended(pidfd: int) -> None:
    """Wait until the process of the descriptor is over."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()

    def say_over() -> None:
        loop.remove_reader(pidfd)
        if not over.done():
            over.set_result(None)

    loop.add_reader(pidfd, say_over)
    try:
        await over
    finally:
        loop.remove_reader(pidfd)


async def kill_until_none(find: Callable[[], set[int]]) -> None:
    """Kill what `find` finds, and wait for its end, until it finds nothing."""
    while pids := await asyncio.to_thread(find):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                await _kill(pid, find)


async def _kill(pid: int, find: Callable[[], set[int]]) -> None:
    pidfd = os.pidfd_open(pid)
    try:
        if pid in await asyncio.to_thread(find):  # else the pid is somebody else's by now
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            await ended(pidfd)
    finally:
        os.close(pidfd)


async def read_to_end(descriptor: int) -> bytes:
    """Read a pipe until its writers are gone, and close it."""
    loop = asyncio.get_running_loop()
    said = bytearray()
    over = loop.create_future()

    def read() -> None:
        piece = os.read(descriptor, _PIECE)
        said.extend(piece)
        if not piece and not over.done():
            over.set_result(None)

    loop.add_reader(descriptor, read)
    try:
        await over
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return bytes(said)


def reap(pid: int) -> None:
    """Let go of a process that is over, if it is our child."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
