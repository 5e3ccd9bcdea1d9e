"""A team's robot is a user whose name no person has: the backend gives it a home of its own all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.conftest import OpenLocal
from backends.puppet import Stage, spec
from backends.waiting import launched
from jupyterhub_mesos.service.identity import robot_name


@pytest.mark.parametrize("isolation", ["shared", "sandbox"])
async def test_the_robot_of_a_team_has_a_home_that_nobody_else_has(
    open_local: OpenLocal, stage: Stage, tmp_path: Path, isolation: str
) -> None:
    backend = await open_local(isolation)
    for name, user in (("t-1", robot_name("vision")), ("t-2", "team_vision")):
        await launched(backend, spec(name, *stage.argv(name), user=user))
        assert await stage.play(name, "echo mine > ~/note; echo $USER") == user
    homes = sorted(path.name for path in (tmp_path / "state" / "home").iterdir())
    assert len(homes) == 2
    assert homes[0] == "team_vision"
    assert homes[1].startswith("team_vision~")
