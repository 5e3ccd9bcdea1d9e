"""The life of a training job as pure decisions: which tasks a generation is, and what follows it.

The unit is a *generation*: all replicas of the job, started together with
endpoints known beforehand. One failure ends it; the next one gets new ports.
Nothing here has a clock or does I/O; the controller carries the decisions out.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jupyterhub_mesos.tasks import (
    PROGRAM_CURE,
    Endpoint,
    TaskContext,
    TaskFile,
    TaskSpec,
    TaskState,
    TaskStatus,
    task_id,
)
from jupyterhub_mesos.training.environment import LOCK_FILE, START_FILE, start_files
from jupyterhub_mesos.training.render import Member, environment
from jupyterhub_mesos.wire import Job, Role
from jupyterhub_mesos_quota.model import Placement

JOB_FOLDER: Final = "job"
"""Where the job's source lies in the task's own folder."""
MAX_BACKOFF_SECONDS: Final = 300.0
"""Doubling stops here (or at the job's own back-off, if that is longer): a person still sees it move."""
PYTHONS: Final = frozenset({"python", "python3"})
"""Command names that stand for the interpreter of the node."""


@dataclass(frozen=True, slots=True)
class Wait:
    """The generation runs; nothing is to be done."""


@dataclass(frozen=True, slots=True)
class StopRest:
    """A replica failed while others live: stop every task of this generation, then ask again."""

    message: str


@dataclass(frozen=True, slots=True)
class NextGeneration:
    """Everything is gone and a restart is left: start generation `number` after the delay, on new ports."""

    number: int
    delay_seconds: float
    message: str


@dataclass(frozen=True, slots=True)
class Finished:
    """Every replica ended with exit code 0."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Everything is gone and no restart is left; `message` is for the job's owner."""

    message: str


Decision = Wait | StopRest | NextGeneration | Finished | Failed


def plan(job: Job, ctx: TaskContext, generation: int, endpoints: Sequence[Endpoint]) -> tuple[TaskSpec, ...]:
    """Describe the tasks of one generation: one per placement, in the order of the replicas.

    `endpoints` are freshly reserved with the role's `ports`, one per placement in
    the order of `ctx.placements`. A `JOB_SECRET` in `ctx.env`, the same for all
    replicas, keeps strangers out of the workers' exchange.
    """
    role = job.roles[0]
    if len(endpoints) != len(ctx.placements):
        raise ValueError(f"{len(ctx.placements)} placements but {len(endpoints)} endpoints")
    return tuple(
        _task(job, ctx, placement, member=_member(job, role, index, generation, endpoints))
        for index, placement in enumerate(ctx.placements)
    )


def ports(job: Job) -> tuple[str, ...]:
    """Name the ports to reserve for each replica."""
    return job.roles[0].ports


def after(
    job: Job, generation: int, statuses: Sequence[TaskStatus], *, expected: int, restarts_used: int
) -> Decision:
    """Decide what follows from the statuses of a generation's tasks.

    `statuses` may hold other generations' tasks; they do not count. `expected` is
    how many tasks were launched: one without a status may still run. A task that
    is LOST holds everything up until its node answers or policy says GONE.
    """
    mine = _of_generation(job, generation, statuses)
    failures = [failure for index, status in mine if (failure := _failure(job, index, status))]
    gone = sum(status.state is TaskState.GONE for _, status in mine)
    if gone < expected:
        return StopRest(_story(generation, failures)) if failures else Wait()
    if not failures:
        return Finished()
    if restarts_used < job.restart.max_restarts:
        return NextGeneration(generation + 1, _backoff(job, restarts_used), _story(generation, failures))
    return Failed(_last_words(job, generation, failures))


# ---- the tasks of a generation ------------------------------------------------------------------


def _member(job: Job, role: Role, index: int, generation: int, endpoints: Sequence[Endpoint]) -> Member:
    port = role.ports[0] if role.ports else "peer"
    return Member(job.name, job.framework, role.name, index, generation, endpoints, port)


def _task(job: Job, ctx: TaskContext, placement: Placement, *, member: Member) -> TaskSpec:
    role = job.roles[0]
    return TaskSpec(
        id=task_id(ctx.allocation_id, member.generation, role.name, member.index),
        allocation_id=ctx.allocation_id,
        user=ctx.user,
        team=ctx.team,
        node=placement.node,
        argv=_argv(job, ctx.python),
        program_cure=_cure(job),
        resources=placement.resources,
        endpoint=member.endpoints[member.index],
        devices=placement.devices,
        env=_env(job, ctx, placement, member),
        files=_files(job),
        mounts=ctx.mounts,
        workdir=f"{{task}}/{JOB_FOLDER}" if job.source.files else "{task}",
    )


def _argv(job: Job, python: str) -> tuple[str, ...]:
    """Spell the command; the job's own Python first compares its packages with the job's lock."""
    program, *arguments = job.roles[0].argv
    rest = [_in_job(argument) for argument in arguments]
    if program not in PYTHONS:
        return (_in_job(program), *rest)
    interpreter = _at_home(job.environment.interpreter) or _literal(python)
    start = (f"{{task}}/{START_FILE}", f"{{task}}/{LOCK_FILE}") if job.environment.packages else ()
    return (interpreter, *start, *rest)


def _files(job: Job) -> tuple[TaskFile, ...]:
    is_python = job.roles[0].argv[0] in PYTHONS
    source = tuple(TaskFile(f"{JOB_FOLDER}/{file.path}", file.content()) for file in job.source.files)
    return (*source, *start_files(job.environment)) if is_python else source


def _cure(job: Job) -> str:
    """Say what to do where the job's program is not on its node."""
    interpreter = job.environment.interpreter
    if not interpreter or job.roles[0].argv[0] not in PYTHONS:
        return PROGRAM_CURE
    return (
        f"it is the Python that job {job.name} was sent from. Send it from a kernel whose Python is on every "
        "node (the default kernel's is), or train(environment=Environment()) for the node's own"
    )


def _env(job: Job, ctx: TaskContext, placement: Placement, member: Member) -> dict[str, str]:
    """Put the environment together; what we render stands last, so that a job cannot misname its peers."""
    own = {
        "PYTHONUNBUFFERED": "1",  # progress lines are read while the job runs
        # Numeric libraries start a thread per core of the machine, not of the grant.
        "OMP_NUM_THREADS": str(max(1, placement.resources.cpu_millis // 1000)),
        **job.roles[0].env,
    }
    env = {key: _literal(value) for key, value in own.items()}
    env.update(ctx.env)  # the service's own words, written for the backend already
    env.update({key: _literal(value) for key, value in environment(member).items()})
    if job.checkpoint_uri is not None:
        env["JOB_CHECKPOINT"] = _at_home(job.checkpoint_uri)
    return env


def _literal(text: str) -> str:
    """Escape `{`, which a TaskSpec gives a meaning to."""
    return text.replace("{", "{{")


def _in_job(argument: str) -> str:
    """Let `{job}` stand for the source folder, and any other brace for itself."""
    return f"{{task}}/{JOB_FOLDER}".join(_literal(part) for part in argument.split("{job}"))


def _at_home(path: str) -> str:
    """Spell a leading `~/` so that the backend puts the owner's home there, as the task sees it."""
    return "{home}/" + _literal(path[2:]) if path.startswith("~/") else _literal(path)


# ---- what follows a generation --------------------------------------------------------------------


def _of_generation(job: Job, generation: int, statuses: Sequence[TaskStatus]) -> list[tuple[int, TaskStatus]]:
    """Return `(replica, latest status)` of this generation's tasks, by replica."""
    found: dict[int, TaskStatus] = {}
    for status in statuses:
        prefix = task_id(status.allocation_id, generation, job.roles[0].name, 0).removesuffix("0")
        index = status.id.removeprefix(prefix)
        if index != status.id and index.isdecimal():
            found[int(index)] = status
    return sorted(found.items())


def _failure(job: Job, index: int, status: TaskStatus) -> str | None:
    """Say how a replica failed, or nothing if it lives or ended well."""
    if status.state is not TaskState.GONE or status.exit_code == 0:
        return None
    detail = f" ({status.message})" if status.message else ""
    return f"{job.roles[0].name} {index} {_ending(status.exit_code)}{detail}"


def _ending(exit_code: int | None) -> str:
    if exit_code is None:
        return "ended without an exit code"
    if exit_code > 128 and exit_code - 128 in set(signal.Signals):
        return f"was ended by {signal.Signals(exit_code - 128).name}, exit code {exit_code}"
    return f"ended with exit code {exit_code}"


def _story(generation: int, failures: Sequence[str]) -> str:
    return f"generation {generation}: {'; '.join(failures)}"


def _last_words(job: Job, generation: int, failures: Sequence[str]) -> str:
    allowed = job.restart.max_restarts
    restarts = f"all {allowed} restarts are used" if allowed else "the job allows no restart"
    return (
        f"{_story(generation, failures)}; {restarts}. "
        "Its output stands on the request's page, and in Client().logs(REQUEST_ID, task=TASK_ID)."
    )


def _backoff(job: Job, restarts_used: int) -> float:
    first = job.restart.backoff_seconds
    return min(first * 2.0**restarts_used, max(first, MAX_BACKOFF_SECONDS))
