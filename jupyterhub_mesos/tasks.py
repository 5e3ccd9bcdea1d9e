"""What to run, in words that no cluster owns.

A *task* is one process tree (or container) of one replica of an allocation.
Its id is made from the allocation's, so that a repeated launch finds the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NewType

from jupyterhub_mesos_quota.model import AllocationId, DeviceId, NodeId, Placement
from jupyterhub_mesos_quota.resources import Resources

TaskId = NewType("TaskId", str)

STOP_GRACE_SECONDS: Final = 10.0
"""Between SIGTERM and SIGKILL; enough for a notebook server to write its files."""


PROGRAM_CURE: Final = "install it, or name another"
"""What to do about a program that is not on the node, where its workload knows nothing better."""


def task_id(allocation_id: AllocationId, generation: int, role: str, index: int) -> TaskId:
    """Name the task of one replica: `<allocation>-g<generation>-<role>-<index>`."""
    return TaskId(f"{allocation_id}-g{generation}-{role}-{index}")


def verbatim(text: str) -> str:
    """Spell a text so that no brace in it means a place of the task."""
    return text.replace("{", "{{")


def in_home(path: str) -> str:
    """Spell a path as its owner wrote it: a leading `~` is the home, as the task sees it."""
    if path == "~" or path.startswith("~/"):
        return "{home}" + verbatim(path[1:])
    return verbatim(path)


class TaskState(StrEnum):
    """What a backend says of a task."""

    STARTING = "starting"  # accepted; not known to run yet
    RUNNING = "running"  # its process runs
    LOST = "lost"  # its node does not answer
    GONE = "gone"  # nothing of it runs any more


class MountMode(StrEnum):
    """Whether a mount may be written to."""

    READ_WRITE = "rw"
    READ_ONLY = "ro"


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder of the node (`source`, absolute) that the task sees at `target`.

    A relative `target` stands under the task owner's home.
    """

    source: str
    target: str
    mode: MountMode = MountMode.READ_WRITE


@dataclass(frozen=True, slots=True)
class TaskFile:
    """A file laid into the task's own folder before it starts; `path` is relative, without `..`."""

    path: str
    content: bytes
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a task listens: a host that its peers and the hub can reach, and a port per name."""

    host: str
    ports: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """Everything a backend needs to run one task.

    `env` may hold secrets (a hub token): a backend keeps it in memory or in a
    file that only the task's account can read, and never logs it. `argv`,
    `env` and `workdir` may use `{task}` for the task's own folder and
    `{home}` for the owner's home, as the task sees them; `{{` stands for `{`.
    `program_cure` says what to do where the node has no program `argv[0]`.
    `groups` are the node's group ids that the task belongs to besides its
    account's own, so that members of a team can write each other's files.
    """

    id: TaskId
    allocation_id: AllocationId
    user: str
    team: str
    node: NodeId
    argv: tuple[str, ...]
    resources: Resources
    endpoint: Endpoint
    devices: tuple[DeviceId, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    files: tuple[TaskFile, ...] = field(default=(), repr=False)
    mounts: tuple[Mount, ...] = ()
    workdir: str = "{home}"
    stop_grace_seconds: float = STOP_GRACE_SECONDS
    groups: tuple[int, ...] = ()
    program_cure: str = PROGRAM_CURE


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """What a backend says of a task, now.

    `exit_code` is set when it is GONE and the backend learnt it (128 + n for
    signal n); `message` says the rest in a person's words (killed for memory).
    """

    id: TaskId
    allocation_id: AllocationId
    state: TaskState
    exit_code: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What a workload's plan needs besides its payload, the same on every backend.

    `env` is what every task of the team gets (the lake's URIs); `python` is the
    interpreter in which our own modules run on the node; `groups` goes into
    each `TaskSpec` (the team's group id), and so do `files`, beside the plan's own.
    """

    allocation_id: AllocationId
    user: str
    team: str
    placements: tuple[Placement, ...]
    python: str
    mounts: tuple[Mount, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    groups: tuple[int, ...] = ()
    files: tuple[TaskFile, ...] = ()
