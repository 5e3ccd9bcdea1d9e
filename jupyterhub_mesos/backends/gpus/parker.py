"""Parks processes and wakes them from within the service: the program of `parking.py`, bounded in time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping, Sequence
from typing import Final

from jupyterhub_mesos.backends.gpus.parking import Outcome

log = logging.getLogger(__name__)

LOCK_SECONDS: Final = 10.0
"""How long a process may go on with what it computes before it is not parked after all."""
LIMIT_SECONDS: Final = 300.0
"""Measured: 70 s for 120 GiB to the host, 19 s back. What takes longer than this hangs."""

END_SECONDS: Final = 5.0


class Parker:
    """Moves the GPU memory of processes to the host and back; one call about a process at a time.

    Whoever parks sees to it that the host, and the task's memory limit, have room: what was on the GPU
    counts as the process's own memory then.
    """

    def __init__(
        self, environment: Mapping[str, str] | None = None, *, limit_seconds: float = LIMIT_SECONDS
    ) -> None:
        self._environment = None if environment is None else dict(environment)
        self._limit_seconds = limit_seconds

    async def park(self, pids: Sequence[int], lock_seconds: float = LOCK_SECONDS) -> Outcome:
        """Move the GPU memory of all processes to the host, or of none; their calls into CUDA wait then."""
        return await self._run("park", pids, "--lock-seconds", str(lock_seconds))

    async def wake(self, pids: Sequence[int]) -> Outcome:
        """Give all processes their GPU memory back and let them compute, or none."""
        return await self._run("wake", pids)

    async def _run(self, what: str, pids: Sequence[int], *options: str) -> Outcome:
        if not pids:
            return Outcome()
        program = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "jupyterhub_mesos.backends.gpus.parking", what, *map(str, pids), *options),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            env=self._environment,
        )
        try:
            async with asyncio.timeout(self._limit_seconds):
                said, complaint = await program.communicate()
        except TimeoutError:
            return Outcome(failure=f"the driver did not {what} it within {self._limit_seconds:g} s")
        finally:
            if program.returncode is None:
                await _end(program)
        return self._outcome(what, pids, said, complaint)

    def _outcome(self, what: str, pids: Sequence[int], said: bytes, complaint: bytes) -> Outcome:
        try:
            outcome = Outcome.of(said.decode())
        except (ValueError, TypeError, KeyError):
            last = complaint.decode(errors="replace").strip().splitlines()[-1:]
            outcome = Outcome(failure=f"the program that parks failed: {''.join(last) or 'it said nothing'}")
        log.info("processes %s: %s: %s", " ".join(map(str, pids)), what, outcome.failure or "done")
        return outcome


async def _end(program: asyncio.subprocess.Process) -> None:
    """Kill it; one that the driver holds in the kernel does not even end of that, and is left behind."""
    program.kill()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(END_SECONDS):
            await program.wait()
