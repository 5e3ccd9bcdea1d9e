"""The plan of a pipeline: one task that runs its steps, with a token of its own."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from jupyterhub_mesos.pipeline import plan
from jupyterhub_mesos.tasks import Endpoint, Mount, TaskContext, TaskSpec
from jupyterhub_mesos.wire import PipelinePayload
from jupyterhub_mesos_quota.model import AllocationId, NodeId, Placement
from jupyterhub_mesos_quota.resources import Resources

AMOUNT = Resources(cpu_millis=2500, mem_mib=256)
COMMIT = "0123456789" * 4
ACCESS = plan.Access("http://127.0.0.1:8090/services/capacity/", "r1")


def planned(repository: str = "~/lake/team/pipelines/digits.git", **more: Any) -> TaskSpec:
    ctx = TaskContext(
        allocation_id=AllocationId("r1-1"),
        user="ada",
        team="vision",
        placements=(Placement(0, NodeId("here"), AMOUNT),),
        python="/opt/python",
        mounts=(Mount("/srv/lake/vision", "lake/team"),),
        env={"LAKE_TEAM_URI": "file:///lake", "JOB_SECRET": "s3cret"},
    )
    payload = PipelinePayload(name="digits", repository=repository, commit=COMMIT, **more)
    return plan.task(payload, ctx, Endpoint("127.0.0.1"), resources=AMOUNT, access=ACCESS)


def after(argv: tuple[str, ...], option: str) -> list[str]:
    return [value for name, value in pairwise(argv) if name == option]


def test_the_plan_is_one_task_that_runs_the_commit() -> None:
    spec = planned(ref="main", steps=("test", "store"))
    assert spec.id == "r1-1-g1-pipeline-0"
    assert spec.argv[:5] == ("/opt/python", "-P", "-m", "jupyterhub_mesos.pipeline", "run")
    assert after(spec.argv, "--commit") == [COMMIT]
    assert after(spec.argv, "--ref") == ["main"]
    assert after(spec.argv, "--step") == ["test", "store"]
    assert spec.mounts == (Mount("/srv/lake/vision", "lake/team"),)
    assert spec.env["OMP_NUM_THREADS"] == "2"


def test_without_a_ref_and_steps_neither_is_said() -> None:
    argv = planned().argv
    assert "--ref" not in argv
    assert "--step" not in argv


@pytest.mark.parametrize(
    ("repository", "argument"),
    [
        ("~/lake/team/digits.git", "{home}/lake/team/digits.git"),
        ("https://git.example/~team/digits.git", "https://git.example/~team/digits.git"),
        ("/odd/{task}", "/odd/{{task}"),
    ],
)
def test_a_home_is_named_as_the_task_sees_it_and_braces_stay_text(repository: str, argument: str) -> None:
    assert after(planned(repository).argv, "--repository") == [argument]


def test_the_task_knows_where_to_ask_as_whom_and_not_the_secret_behind_its_token() -> None:
    env = planned().env
    assert env["CAPACITY_API_URL"] == ACCESS.api_url
    assert (env["CAPACITY_TEAM"], env["CAPACITY_REQUEST"]) == ("vision", "r1")
    assert env["CAPACITY_TOKEN"] == plan.workload_token(AllocationId("r1-1"), "s3cret")
    assert not any("s3cret" in value for value in env.values())


def test_a_token_names_its_allocation_and_is_another_for_each() -> None:
    one, other = (plan.workload_token(AllocationId(name), "s3cret") for name in ("r1-1", "r1-2"))
    assert plan.allocation_of(one) == "r1-1"
    assert one != other
    assert plan.workload_token(AllocationId("r1-1"), "another") != one


def test_the_run_has_time_to_end_its_training() -> None:
    assert planned().stop_grace_seconds == plan.STOP_GRACE_SECONDS > 10
