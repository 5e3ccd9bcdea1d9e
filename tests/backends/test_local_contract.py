from __future__ import annotations

from pathlib import Path

import pytest

from backends.conftest import OpenLocal
from backends.contract import BackendContract
from backends.puppet import Stage, spec
from jupyterhub_mesos.backends.local import LocalBackend
from jupyterhub_mesos.tasks import TaskSpec


class LocalSubject:
    def __init__(self, backend: LocalBackend, stage: Stage, reopen: OpenLocal, isolation: str) -> None:
        self.backend = backend
        self._stage = stage
        self._reopen = reopen
        self._isolation = isolation

    def spec(self, name: str) -> TaskSpec:
        return spec(name, *self._stage.argv(name))

    async def end(self, name: str, exit_code: int) -> None:
        await self._stage.order(name, f"exit {exit_code}")

    async def print(self, name: str, text: str) -> None:
        await self._stage.play(name, f"echo {text} >&4")

    async def restart(self) -> LocalBackend:
        await self.backend.close()
        self.backend = await self._reopen(self._isolation)
        return self.backend


class TestLocalBackend(BackendContract):
    @pytest.fixture(params=["sandbox", "shared"])
    async def subject(
        self, request: pytest.FixtureRequest, open_local: OpenLocal, stage: Stage, tmp_path: Path
    ) -> LocalSubject:
        return LocalSubject(await open_local(request.param), stage, open_local, request.param)
