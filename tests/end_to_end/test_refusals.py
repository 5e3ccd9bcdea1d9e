"""What is refused at the doors, with the sentence that says why."""

from __future__ import annotations

import pytest
import requests

from installation import Installation
from jupyterhub_mesos.errors import CapacityError
from jupyterhub_mesos.wire import (
    Environment,
    Job,
    RequestSubmission,
    ResourcesModel,
    Restart,
    Role,
    TrainingPayload,
)


def training(workers: int, team: str | None = None) -> RequestSubmission:
    role = Role(
        replicas=workers, argv=("python", "-c", "pass"), resources=ResourcesModel(cpu_millis=500, mem_mib=64)
    )
    job = Job(name="job", roles=(role,), restart=Restart(max_restarts=0))
    return RequestSubmission(payload=TrainingPayload(job=job), team=team)


def test_more_than_the_team_may_ever_hold_is_refused_at_once(cloud: Installation) -> None:
    with pytest.raises(CapacityError, match=r"team vision may hold 3\.5 CPU"):
        cloud.client("ann").submit(training(workers=8))


def test_an_unknown_team_is_refused(cloud: Installation) -> None:
    with pytest.raises(CapacityError, match="Team nobody asked for"):
        cloud.client("ann").submit(training(workers=1, team="nobody"))


def test_a_foreign_team_is_refused(cloud: Installation) -> None:
    with pytest.raises(CapacityError, match="vision"):
        cloud.client("ann").submit(training(workers=1, team="speech"))


def test_a_python_that_is_not_on_the_node_fails_the_job_at_once(cloud: Installation) -> None:
    submission = training(workers=1)
    payload = submission.payload
    assert isinstance(payload, TrainingPayload)
    environment = Environment(interpreter="~/envs/gone/bin/python", packages=("numpy==2.0",))
    job = payload.job.model_copy(update={"environment": environment})
    asked = submission.model_copy(update={"payload": TrainingPayload(job=job)})
    view = cloud.until_over("ann", cloud.client("ann").submit(asked).id)
    assert view.outcome == "failed"
    home = cloud.folder.root / "home" / "ann"
    assert f"there is no program '{home}/envs/gone/bin/python' on the node local" in view.message
    assert "Send it from a kernel whose Python is on every node" in view.message


@pytest.mark.parametrize("options", [{"cpu_millis": 64000}, {"team": "speech"}, {"profile": "huge"}])
def test_the_hubs_api_smuggles_nothing_in(cloud: Installation, options: dict[str, object]) -> None:
    ann = cloud.person("ann")
    answer = requests.post(
        f"{cloud.url}hub/api/users/ann/server",
        json=options,
        headers={"Authorization": f"token {ann.token}"},
        timeout=30,
    )
    assert 400 <= answer.status_code < 500, answer.text
    assert str(next(iter(options.values()))) in answer.text or next(iter(options)) in answer.text
    assert not ann.hub_user()["servers"]
    assert not [
        view for view in cloud.client("ann").requests(user="ann") if view.status in {"queued", "active"}
    ]
