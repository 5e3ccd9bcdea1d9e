"""A task's life in a given isolation; run by `test_local_isolation.py` as another account."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from backends.puppet import spec
from backends.waiting import gone, launched, whole_log
from jupyterhub_mesos.backends.local import LocalBackend, processes
from jupyterhub_mesos.tasks import TaskId


async def main(mode: str, state: Path) -> None:
    backend = LocalBackend(state, isolation=mode)
    await backend.open()
    await launched(backend, spec("t-1", "/bin/sh", "-c", "id -u; exit 4"))
    ended = await gone(backend, "t-1")
    sys.stdout.write(f"uid {(await whole_log(backend, 't-1')).strip()}\nexit {ended.exit_code}\n")
    checkpoints = await launched(backend, spec("t-2", "/bin/sh", "-c", "setsid sleep 1000 & sleep 1000"))
    os.kill(int(dict(checkpoints[-1].data)["pid"]), signal.SIGKILL)
    killed = await gone(backend, "t-2")
    left = processes.marked(f"{backend._mark}/t-2")
    sys.stdout.write(f"killed {killed.exit_code}\nleft {len(left)}\n")
    traced = {"LD_DEBUG": "libs", "LD_DEBUG_OUTPUT": str(state / "trace")}
    await launched(backend, spec("t-3", "/bin/true", env={} if mode == "shared" else traced))
    await gone(backend, "t-3")
    sys.stdout.write(f"traces {_traces(state)}\n")
    for name in ("t-1", "t-2", "t-3"):
        await backend.forget(TaskId(name))
    await backend.close()


def _traces(state: Path) -> int:
    return len(list(state.glob("trace*")))


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
