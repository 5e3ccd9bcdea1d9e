"""Serving: one model server, restarted a bounded number of times, found by its endpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

import service_rig as rig
from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos.wire import ServingPayload
from jupyterhub_mesos_quota.events import EndRequested
from jupyterhub_mesos_quota.model import AllocationState, RequestId


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("jupyterhub_mesos.service.servers.FIRST_DELAY_SECONDS", 0.0)
    return tmp_path / "ledger.sqlite"


async def served(service: rig.Rig) -> None:
    payload = ServingPayload(name="digits", bundle="~/models/digits")
    await service.ledger.apply(rig.asking(service.ledger, "r1", payload))


async def test_a_model_server_has_an_endpoint_while_it_runs(path: Path) -> None:
    async with rig.running(path) as service:
        assert service.controller.endpoint(RequestId("r1")) is None
        await served(service)
        name = await service.task("r1-1", "server")
        await service.allocation("r1", AllocationState.RUNNING)
        endpoint = service.controller.endpoint(RequestId("r1"))
        assert endpoint is not None
        assert service.backend.spec(name).endpoint.ports == endpoint.ports
        await service.ledger.apply(Change(EndRequested(1.0, RequestId("r1"))))
        await service.ended("r1")
        assert service.controller.endpoint(RequestId("r1")) is None


async def test_a_model_server_that_crashes_four_times_has_failed(path: Path) -> None:
    async with rig.running(path) as service:
        await served(service)
        for generation in range(1, 5):
            service.backend.finish(await service.task("r1-1", "server", 0, generation), 1)
        row = await service.ended("r1")
        assert row.outcome == "failed"
        assert "ended 4 times, at last: it ended with exit code 1" in row.message
