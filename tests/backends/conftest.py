"""A stage for real tasks, and local backends that end whatever they started."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from backends.puppet import DEADLINE_SECONDS, Stage
from backends.waiting import gone
from jupyterhub_mesos.backends.local import LocalBackend
from jupyterhub_mesos.backends.local.cgroups import CGROUP_ROOT
from jupyterhub_mesos.tasks import TaskState
from requirements import require

OpenLocal = Callable[..., Awaitable[LocalBackend]]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    server = await asyncio.start_server(stage.dialled, "127.0.0.1", 0)
    stage.port = server.sockets[0].getsockname()[1]
    yield stage
    server.close()
    await stage.close()


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that everybody may read and no sandbox hides by itself, as `/tmp` and homes are."""
    require("root, for a folder in /opt", os.getuid() == 0)
    place = Path(tempfile.mkdtemp(prefix="jupyterhub-mesos-test-", dir="/opt"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.fixture
async def open_local(tmp_path: Path, stage: Stage) -> AsyncIterator[OpenLocal]:
    """Open local backends over `tmp_path/state`; at the end their tasks are gone and forgotten."""
    opened: list[LocalBackend] = []

    async def open_one(
        isolation: str = "sandbox", state: Path = tmp_path / "state", **options: object
    ) -> LocalBackend:
        if isolation == "sandbox":
            require("root, bubblewrap and setpriv", can_sandbox_as_root())
        backend = LocalBackend(state, isolation=isolation, **options)  # type: ignore[arg-type]
        await backend.open()
        opened.append(backend)
        return backend

    yield open_one
    if opened:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await _end(opened[-1])
    for backend in opened:
        await backend.close()
    for backend in opened:
        left = CGROUP_ROOT.glob(f"*/jupyterhub-mesos/{backend._mark}")
        assert list(left) == [], "a control group is left"


async def _end(backend: LocalBackend) -> None:
    if backend._spawning is None:  # the test closed it
        await backend.open()
    for status in await backend.tasks():
        if status.state is not TaskState.GONE:
            await backend.stop(status.id, 0.0)
            await gone(backend, status.id)
        await backend.forget(status.id)


def can_sandbox_as_root() -> bool:
    return os.getuid() == 0 and shutil.which("bwrap") is not None and shutil.which("setpriv") is not None
