from __future__ import annotations

import json

import pytest

from jupyterhub_mesos.tasks import Endpoint, TaskContext, TaskState, TaskStatus, task_id
from jupyterhub_mesos.training.generation import (
    MAX_BACKOFF_SECONDS,
    Decision,
    Failed,
    Finished,
    NextGeneration,
    StopRest,
    Wait,
    after,
    plan,
    ports,
)
from jupyterhub_mesos.wire import Environment, Job, Restart, Role, Source, SourceFile
from jupyterhub_mesos_quota.model import AllocationId, NodeId, Placement
from jupyterhub_mesos_quota.resources import Resources

ALLOCATION = AllocationId("r1-1")
ENDPOINTS = (Endpoint("10.0.0.1", {"peer": 4001}), Endpoint("10.0.0.2", {"peer": 4002}))


def a_job(**changes: object) -> Job:
    fields: dict[str, object] = {
        "name": "digits",
        "source": Source(files=(SourceFile(path="train.py", text="print('hello')"),)),
        "roles": (Role(argv=("python", "{job}/train.py", "--set", '{"a": 1}'), replicas=2),),
        "checkpoint_uri": "~/lake/team/checkpoints/digits",
    }
    return Job.model_validate(fields | changes)


def a_context(**env: str) -> TaskContext:
    placements = tuple(
        Placement(replica, NodeId(f"n{replica}"), Resources.of(2000, 512)) for replica in range(2)
    )
    return TaskContext(ALLOCATION, "ann", "vision", placements, "/opt/python", env=env)


def status(index: int, state: str, exit_code: int | None = None, generation: int = 1) -> TaskStatus:
    name = task_id(ALLOCATION, generation, "worker", index)
    return TaskStatus(name, ALLOCATION, TaskState(state), exit_code)


# ---- plan -----------------------------------------------------------------------------------------


def test_each_placement_becomes_a_task_with_an_id_made_of_the_allocation() -> None:
    specs = plan(a_job(), a_context(), 3, ENDPOINTS)
    assert [spec.id for spec in specs] == ["r1-1-g3-worker-0", "r1-1-g3-worker-1"]
    assert [spec.node for spec in specs] == ["n0", "n1"]
    assert [spec.endpoint for spec in specs] == list(ENDPOINTS)


def test_the_job_folder_and_the_interpreter_are_put_into_the_command_and_other_braces_stay() -> None:
    spec = plan(a_job(), a_context(), 1, ENDPOINTS)[0]
    assert spec.argv == ("/opt/python", "{task}/job/train.py", "--set", '{{"a": 1}')
    assert spec.workdir == "{task}/job"
    assert [(file.path, file.content) for file in spec.files] == [("job/train.py", b"print('hello')")]


def test_generic_workers_learn_their_place_their_peers_and_their_checkpoint() -> None:
    env = plan(a_job(), a_context(JOB_SECRET="s"), 2, ENDPOINTS)[1].env
    assert env["JOB_PEERS"] == "10.0.0.1:4001,10.0.0.2:4002"
    assert (env["JOB_ROLE"], env["JOB_INDEX"], env["JOB_REPLICAS"]) == ("worker", "1", "2")
    assert (env["JOB_NAME"], env["JOB_GENERATION"], env["JOB_SECRET"]) == ("digits", "2", "s")
    assert env["JOB_CHECKPOINT"] == "{home}/lake/team/checkpoints/digits"
    assert env["OMP_NUM_THREADS"] == "2"


def test_torch_is_told_its_rank_and_the_first_workers_address() -> None:
    env = plan(a_job(framework="torch"), a_context(), 1, ENDPOINTS)[1].env
    wanted = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    assert wanted.items() <= env.items()
    assert (env["MASTER_ADDR"], env["MASTER_PORT"]) == ("10.0.0.1", "4001")


def test_tensorflow_is_told_the_cluster_in_json() -> None:
    env = plan(a_job(framework="tensorflow"), a_context(), 1, ENDPOINTS)[1].env
    assert json.loads(env["TF_CONFIG"].replace("{{", "{")) == {
        "cluster": {"worker": ["10.0.0.1:4001", "10.0.0.2:4002"]},
        "task": {"type": "worker", "index": 1},
    }


def test_jax_is_told_its_coordinator() -> None:
    env = plan(a_job(framework="jax"), a_context(), 1, ENDPOINTS)[1].env
    assert env["JAX_COORDINATOR_ADDRESS"] == "10.0.0.1:4001"
    assert (env["JAX_NUM_PROCESSES"], env["JAX_PROCESS_ID"]) == ("2", "1")


def test_a_job_cannot_misname_its_peers() -> None:
    role = Role(argv=("python",), env={"JOB_INDEX": "7", "MINE": "{home}"})
    env = plan(a_job(roles=(role,)), a_context(), 1, ENDPOINTS)[0].env
    assert env["JOB_INDEX"] == "0"
    assert env["MINE"] == "{{home}"


def test_a_job_without_files_runs_in_its_task_folder() -> None:
    assert plan(a_job(source=Source()), a_context(), 1, ENDPOINTS)[0].workdir == "{task}"


def test_as_many_endpoints_as_placements_are_needed() -> None:
    with pytest.raises(ValueError, match="2 placements but 1 endpoints"):
        plan(a_job(), a_context(), 1, ENDPOINTS[:1])
    assert ports(a_job()) == ("peer",)


# ---- the environment ---------------------------------------------------------------------------


def planned(environment: Environment) -> tuple[tuple[str, ...], list[str], str]:
    spec = plan(a_job(environment=environment), a_context(), 1, ENDPOINTS)[0]
    return spec.argv, [file.path for file in spec.files], spec.program_cure


def test_the_jobs_own_python_runs_it_and_compares_itself_first() -> None:
    environment = Environment(interpreter="~/my {env}/bin/python", packages=("numpy==2.0",))
    argv, files, cure = planned(environment)
    assert argv[:4] == (
        "{home}/my {{env}/bin/python", "{task}/start/start.py", "{task}/start/environment.lock",
        "{task}/job/train.py",
    )  # fmt: skip
    assert files == ["job/train.py", "start/environment.lock", "start/start.py"]
    assert "the Python that job digits was sent from" in cure


def test_without_an_interpreter_the_nodes_own_runs_it() -> None:
    argv, files, cure = planned(Environment())
    assert argv[:2] == ("/opt/python", "{task}/job/train.py")
    assert files == ["job/train.py"]
    assert cure == "install it, or name another"


# ---- after ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "wanted"),
    [
        ([], Wait),
        ([status(0, "starting")], Wait),
        ([status(0, "running"), status(1, "running")], Wait),
        ([status(0, "gone", 0), status(1, "running")], Wait),
        ([status(0, "gone", 0)], Wait),  # the other was launched and has not been heard of
        ([status(0, "lost"), status(1, "gone", 0)], Wait),
        ([status(0, "gone", 1), status(1, "running")], StopRest),
        ([status(0, "gone", 137), status(1, "lost")], StopRest),
        ([status(0, "gone", None), status(1, "running")], StopRest),
        ([status(0, "gone", 0), status(1, "gone", 0)], Finished),
        ([status(0, "gone", 0), status(1, "gone", 1)], NextGeneration),
        ([status(0, "gone", 143), status(1, "gone", 137)], NextGeneration),
        # another generation's tasks say nothing about this one
        ([status(0, "gone", 1, generation=2), status(0, "running"), status(1, "running")], Wait),
        ([status(0, "gone", 1, generation=11), status(0, "gone", 0), status(1, "gone", 0)], Finished),
    ],
)
def test_what_follows_from_the_statuses(statuses: list[TaskStatus], wanted: type[Decision]) -> None:
    assert isinstance(after(a_job(), 1, statuses, expected=2, restarts_used=0), wanted)


def test_the_next_generation_waits_twice_as_long_each_time_up_to_a_bound() -> None:
    job = a_job(restart=Restart(max_restarts=100, backoff_seconds=1.0))
    statuses = [status(0, "gone", 1), status(1, "gone", 143)]
    delays = [decision.delay_seconds for used in (0, 1, 2, 50) if (decision := _next(job, statuses, used))]
    assert delays == [1.0, 2.0, 4.0, MAX_BACKOFF_SECONDS]


def _next(job: Job, statuses: list[TaskStatus], used: int) -> NextGeneration:
    decision = after(job, 1, statuses, expected=2, restarts_used=used)
    assert isinstance(decision, NextGeneration)
    assert decision.number == 2
    return decision


def test_the_last_failure_names_each_worker_its_end_and_where_its_log_is() -> None:
    statuses = [status(0, "gone", 1), status(1, "gone", 137)]
    decision = after(a_job(), 1, statuses, expected=2, restarts_used=3)
    assert isinstance(decision, Failed)
    for words in ("worker 0 ended with exit code 1", "worker 1 was ended by SIGKILL", "logs(", "3 restarts"):
        assert words in decision.message
