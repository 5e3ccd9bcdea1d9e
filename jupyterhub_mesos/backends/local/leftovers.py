"""End what is left of a task whose shim is dead, or cannot be trusted any more."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Final

from jupyterhub_mesos.backends.local import processes
from jupyterhub_mesos.backends.local.cgroups import Cgroups

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 30.0


async def end_leftovers(folder: Path, cgroups: Cgroups, mark: str) -> None:
    """Kill the task in `folder` and its shim; return only when nothing of them runs, however often it fails.

    Without this the task could never be GONE, and what it holds never free: so no failure is the last.
    """
    name = folder.name
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            await processes.kill_until_none(
                lambda: cgroups.members(name) | processes.marked(mark) | processes.keepers(folder)
            )
        except OSError as error:
            log.warning("task %s: what it left cannot be ended (%s); again in %s s", name, error, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        else:
            cgroups.remove(name)
            return
