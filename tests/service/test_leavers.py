"""A user whom the hub deletes or renames is followed; a hub that forgets many at once is not believed."""

from __future__ import annotations

from pathlib import Path

import pytest

import service_rig as rig
from jupyterhub_mesos.errors import Unavailable
from jupyterhub_mesos.service.leavers import Leavers
from jupyterhub_mesos_quota.model import RequestId

NAMES = ("ada", "bob", "cyd", "dee", "eve", "fay")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


async def asked(service: rig.Rig, *names: str) -> None:
    for name in names:
        await service.ledger.apply(rig.notebook(service.ledger, name, user=name))


def present(service: rig.Rig) -> set[str]:
    return {str(row.request.user) for row in service.ledger.rows()}


async def test_a_deleted_user_is_let_go_at_the_second_look(path: Path) -> None:
    async with rig.running(path, hub_seconds=3600.0) as service:
        await asked(service, *NAMES)
        hub = rig.FakeHub(deleted={"ada"})
        leavers = Leavers(service.ledger, hub)
        await leavers.look()
        assert present(service) == set(NAMES)
        await leavers.look()
        assert (await service.ended("ada")).request.id == RequestId("ada")
        assert present(service) == set(NAMES) - {"ada"}
        audit = await service.ledger.read(lambda store: store.audit(limit=50))
        assert "the hub has no such user any more" in {row.data.get("because", row.why) for row in audit}


async def test_a_user_who_is_back_at_the_second_look_stays(path: Path) -> None:
    async with rig.running(path, hub_seconds=3600.0) as service:
        await asked(service, *NAMES)
        hub = rig.FakeHub(deleted={"ada"})
        leavers = Leavers(service.ledger, hub)
        await leavers.look()
        hub.deleted.clear()
        await leavers.look()
        hub.deleted.add("ada")
        await leavers.look()
        assert present(service) == set(NAMES)


async def test_a_hub_that_has_forgotten_most_is_not_believed(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig.running(path, hub_seconds=3600.0) as service:
        await asked(service, *NAMES)
        leavers = Leavers(service.ledger, rig.FakeHub(deleted=set(NAMES[:4])))
        for _ in range(3):
            await leavers.look()
        assert present(service) == set(NAMES)
        assert "does not know 4 of 6 users" in caplog.text


async def test_a_hub_that_is_away_says_nothing_of_anybody(path: Path) -> None:
    async with rig.running(path, hub_seconds=3600.0) as service:
        await asked(service, "ada")
        leavers = Leavers(service.ledger, rig.FakeHub(known=None))
        for _ in range(2):
            with pytest.raises(Unavailable):
                await leavers.look()
        assert present(service) == {"ada"}


async def test_a_team_s_robot_is_no_user_of_the_hub(path: Path) -> None:
    async with rig.running(path, hub_seconds=3600.0) as service:
        await service.ledger.apply(rig.notebook(service.ledger, "job", user="team/vision"))
        leavers = Leavers(service.ledger, rig.FakeHub(deleted={"team/vision"}))
        for _ in range(3):
            await leavers.look()
        assert present(service) == {"team/vision"}


@pytest.mark.parametrize("names", [NAMES[:1], NAMES[:3], NAMES[:4]])
async def test_an_empty_hub_lets_nobody_go(path: Path, names: tuple[str, ...]) -> None:
    async with rig.running(path, hub_seconds=3600.0) as service:
        await asked(service, *names)
        for deleted in (set(names), set(names[: (len(names) + 1) // 2])):
            leavers = Leavers(service.ledger, rig.FakeHub(deleted=deleted))
            for _ in range(3):
                await leavers.look()
        assert not any(row.request.is_ending for row in service.ledger.rows())
        assert present(service) == set(names)
