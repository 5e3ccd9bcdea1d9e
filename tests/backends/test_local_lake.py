"""The lake as tasks of two people of one team, and of another team, see it."""

from __future__ import annotations

from pathlib import Path

from backends.conftest import OpenLocal
from backends.puppet import Stage, spec
from backends.waiting import launched
from jupyterhub_mesos.lake import Lake

PEOPLE = (("ann", "vision"), ("bob", "vision"), ("eve", "speech"))


async def test_a_team_shares_its_lake_and_nobody_elses(
    open_local: OpenLocal, stage: Stage, tmp_path: Path
) -> None:
    lake = Lake(tmp_path / "state/lake")
    backend = await open_local()
    for user, team in PEOPLE:
        lake.prepare(team)
        await launched(
            backend,
            spec(
                user,
                *stage.argv(user),
                user=user,
                team=team,
                mounts=lake.mounts(team, user),
                env=lake.env(team),
                groups=lake.groups(team),
            ),
        )
    await stage.play("ann", "mkdir ~/lake/team/runs; echo ann > ~/lake/team/runs/f")
    await stage.play("bob", "echo bob >> ${LAKE_TEAM_URI#file://}/runs/f; echo new > ~/lake/team/runs/g")
    assert await stage.play("ann", "cat ~/lake/team/runs/f ~/lake/team/runs/g") == "ann\nbob\nnew"
    assert await stage.play("eve", "ls ~/lake/team") == ""
    assert not await stage.can_read("eve", lake.path("vision") / "runs/f")
    _, status = await stage.play_status("ann", "touch ${LAKE_SHARED_URI#file://}/x")
    assert status != 0
