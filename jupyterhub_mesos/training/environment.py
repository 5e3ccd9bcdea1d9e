"""The Python that a job's code was written in: what travels of it, and how a worker starts in it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jupyterhub_mesos.tasks import TaskFile
from jupyterhub_mesos.training import lock
from jupyterhub_mesos.wire import Environment

LOCK_FILE: Final = "start/environment.lock"
START_FILE: Final = "start/start.py"
"""In a task's own folder; the second compares the node's packages with the first, then runs the program."""
_START: Final = Path(lock.__file__).read_bytes()


def own_environment() -> Environment:
    """Return the environment of the Python that runs this: a kernel's, where a notebook calls `train`."""
    return Environment(python=lock.version(), interpreter=lock.interpreter(), packages=tuple(lock.locked()))


def start_files(environment: Environment) -> tuple[TaskFile, ...]:
    """Return what a task needs to compare its packages with the lock; nothing where there is no lock."""
    if not environment.packages:
        return ()
    python = (f"python=={environment.python}",) if environment.python else ()
    lines = "\n".join((*python, *environment.packages, ""))
    return TaskFile(LOCK_FILE, lines.encode()), TaskFile(START_FILE, _START)
