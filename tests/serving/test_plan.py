from __future__ import annotations

import pytest

from jupyterhub_mesos import serving
from jupyterhub_mesos.serving.plan import serving_token
from jupyterhub_mesos.tasks import Endpoint, Mount, TaskContext, TaskSpec
from jupyterhub_mesos.wire import ServingPayload
from jupyterhub_mesos_quota.model import AllocationId, NodeId, Placement
from jupyterhub_mesos_quota.resources import Resources

AMOUNT = Resources(cpu_millis=2500, mem_mib=256)


def planned(bundle: str = "~/lake/team/models.git", ref: str | None = "digits/v1") -> TaskSpec:
    ctx = TaskContext(
        allocation_id=AllocationId("r1-1"),
        user="ada",
        team="vision",
        placements=(Placement(0, NodeId("here"), AMOUNT),),
        python="/opt/python",
        mounts=(Mount("/srv/lake/vision", "lake/team"),),
        env={"LAKE_TEAM_URI": "file:///lake", "JOB_SECRET": "s3cret"},
    )
    payload = ServingPayload(name="digits", bundle=bundle, ref=ref)
    return serving.task(payload, ctx, Endpoint("127.0.0.1", {"http": 4321}), resources=AMOUNT)


def after(argv: tuple[str, ...], option: str) -> str:
    return argv[argv.index(option) + 1]


def test_the_plan_is_one_task_that_listens_where_the_endpoint_says() -> None:
    spec = planned()

    assert spec.id == "r1-1-g1-server-0"
    assert spec.argv[:4] == ("/opt/python", "-P", "-m", "jupyterhub_mesos.serving")
    assert (after(spec.argv, "--host"), after(spec.argv, "--port")) == ("127.0.0.1", "4321")
    assert after(spec.argv, "--threads") == "2"
    assert spec.env["LAKE_TEAM_URI"] == "file:///lake"
    assert spec.mounts == (Mount("/srv/lake/vision", "lake/team"),)


@pytest.mark.parametrize(
    ("bundle", "argument"),
    [
        ("~/lake/team/models.git", "{home}/lake/team/models.git"),
        ("~", "{home}"),
        ("https://git.example/~team/models.git", "https://git.example/~team/models.git"),
        ("/models/{odd}", "/models/{{odd}"),
    ],
)
def test_a_home_is_named_as_the_task_sees_it_and_braces_stay_text(bundle: str, argument: str) -> None:
    assert after(planned(bundle).argv, "--bundle") == argument


def test_without_a_ref_the_server_takes_the_main_branch() -> None:
    assert "--ref" not in planned(ref=None).argv


def test_the_server_asks_for_a_token_that_is_not_the_allocations_secret() -> None:
    env = planned().env
    assert env["SERVING_TOKEN"] == serving_token("s3cret")
    assert "s3cret" not in env.values()
    assert serving_token("s3cret") != serving_token("another")
