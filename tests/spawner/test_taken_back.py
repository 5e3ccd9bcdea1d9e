"""A notebook on lent room, with the real hub: warned, stopped for the lender, and started again by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from deadlines import eventually
from jupyterhub_mesos.cli.supervisor import Supervisor, SupervisorSettings
from jupyterhub_mesos.wire import RequestView
from jupyterhub_mesos_quota.model import RequestStatus
from requirements import require
from spawner.test_with_the_service import SECONDS, Someone, has_proxy

CONFIG = Path(__file__).resolve().parent.parent / "taken_back_config.py"


def request_of(who: Someone, server: str) -> RequestView:
    (view,) = [view for view in who.requests.requests() if view.name == server]
    return view


def a_day_of(ann: Someone, eva: Someone) -> None:
    # vision is guaranteed two of the three cores, and borrows speech's
    for server, profile in (("one", "large"), ("two", "medium")):
        assert ann.call("POST", f"/servers/{server}", {"profile": profile}).status_code in {201, 202}
        eventually(lambda server=server: ann.is_ready(server), f"{server} runs", SECONDS)
    assert request_of(ann, "two").url is not None

    # speech wants its core back: the younger is told, and can still be used
    assert eva.call("POST", "/servers/mine", {"profile": "medium"}).status_code == 409
    warned = eventually(lambda: request_of(ann, "two").warning, "two is warned", SECONDS)
    assert warned is not None
    assert (warned.code, "team speech takes its guarantee back" in warned.why) == ("reclaimed", True)
    assert request_of(ann, "one").warning is None

    # then it is stopped, the lender starts by itself, and two waits at its old place
    eventually(lambda: eva.is_ready("mine"), "the lender's server starts by itself", SECONDS)
    taken = request_of(ann, "two")
    assert (taken.status, "its files are not" in taken.message) == (RequestStatus.QUEUED, True)
    eventually(lambda: not ann.is_ready("two"), "the hub notices", SECONDS)
    assert ann.is_ready("one")

    # and comes back by itself under the same name
    assert eva.call("DELETE", "/servers/mine").status_code in {202, 204}
    eventually(lambda: ann.is_ready("two"), "two starts again by itself", SECONDS)
    back = request_of(ann, "two")
    assert back.id == taken.id
    assert back.allocation is not None
    assert back.allocation.id == f"{taken.id}-2"
    assert (back.warning, back.message) == (None, "")


@pytest.mark.timeout(240)
async def test_a_notebook_is_warned_stopped_for_the_lender_and_comes_back_by_itself(tmp_path: Path) -> None:
    require("configurable-http-proxy (make set-up installs it)", has_proxy())
    settings = SupervisorSettings(state=tmp_path / "state", config=CONFIG, stop_notebooks=True)
    async with Supervisor(settings) as up:
        ann = await asyncio.to_thread(Someone, up, "ann", "vision")
        eva = await asyncio.to_thread(Someone, up, "eva", "speech")
        await asyncio.to_thread(a_day_of, ann, eva)
