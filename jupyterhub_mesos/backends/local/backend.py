"""The local backend: tasks are process groups of this machine that outlive the service and are found again.

What runs is known from the task folders (`folders.py`) alone: a shim that lives
holds its folder's lock, and one that is over has written `exit.json`. One that
is over without it was killed: what it left is killed before the task is GONE.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from jupyterhub_mesos.backends.base import Checkpoint, Fact, LogChunk
from jupyterhub_mesos.backends.feed import StatusFeed
from jupyterhub_mesos.backends.gpus import NO_GPUS, Gpus
from jupyterhub_mesos.backends.local import cgroups, isolation, processes
from jupyterhub_mesos.backends.local.accounts import Accounts
from jupyterhub_mesos.backends.local.endings import (
    DAMAGED,
    KEEPER_KILLED,
    KILLED_EXIT_CODE,
    NEVER_STARTED,
    ending,
)
from jupyterhub_mesos.backends.local.folders import TaskFolder, found_folders
from jupyterhub_mesos.backends.local.leftovers import end_leftovers
from jupyterhub_mesos.backends.local.ports import HOST, Ports
from jupyterhub_mesos.backends.local.records import read_last_words, read_record, read_shim
from jupyterhub_mesos.backends.local.spawning import Spawned, Spawning
from jupyterhub_mesos.backends.local.tasklog import read_log
from jupyterhub_mesos.errors import BackendError, InvalidInput, NotFound
from jupyterhub_mesos.safe_names import safe_name
from jupyterhub_mesos.tasks import Endpoint, TaskId, TaskSpec, TaskState, TaskStatus
from jupyterhub_mesos_quota.model import AllocationId, Node, NodeId
from jupyterhub_mesos_quota.resources import Resources

log = logging.getLogger(__name__)

NODE: Final = NodeId("local")
MEMORY_SHARE_PERCENT: Final = 80  # the rest is for the hub, the service, the page cache and the system
SHIM_JSON_SECONDS: Final = 5.0  # a shim that has the lock writes its pid within milliseconds
_LOOK_AGAIN_SECONDS: Final = 0.02
_UNKNOWN_PID: Final = -1  # of a shim that there is or was, and that its folder does not tell
_MIB: Final = 1024 * 1024


@dataclass(slots=True)
class _Task:
    folder: TaskFolder
    document: dict[str, Any]
    status: TaskStatus
    pid: int = 0
    start_time: int = 0
    pidfd: int | None = None
    watch: asyncio.Task[None] | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_gone(self) -> bool:
        return self.status.state is TaskState.GONE


class LocalBackend:
    """Runs tasks on this machine; `state` is the service's state folder, all of which is hidden from tasks.

    `capacity`: what may be used of the machine; an amount of 0 is the machine's own.
    `isolation`: `auto`, or one that must work (see `isolation.Mode`).
    `hidden`: further places that no task may see.
    `use_machine_accounts`: whether a user is the machine's account of that name (see `Accounts`).
    `gpus`: where the machine's GPUs are known from; without it there are none.
    `zone`, `labels`: what the one node says of itself.
    """

    name = "local"

    def __init__(  # noqa: PLR0913 - what the operator may say, each by its name
        self,
        state: Path,
        *,
        capacity: Resources | None = None,
        isolation: str = "auto",
        hidden: Sequence[Path] = (),
        gpus: Gpus | None = None,
        use_machine_accounts: bool = False,
        zone: str = "",
        labels: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = Path(os.path.realpath(state))
        self._capacity = capacity or Resources()
        self._wanted_isolation = isolation
        self._hidden = (self._state, *hidden)
        self._gpus = gpus
        self._use_machine_accounts = use_machine_accounts
        self._zone = zone
        self._labels = dict(labels or {})
        self._ports = Ports(clock)
        self._mark = hashlib.sha256(str(self._state).encode()).hexdigest()[:12]
        self._feed = StatusFeed()
        self._tasks: dict[TaskId, _Task] = {}
        self._preparing = asyncio.Lock()
        self._starts: set[asyncio.Task[None]] = set()
        self._watches: set[asyncio.Task[None]] = set()
        self._spawning: Spawning | None = None

    # -- opening and closing -----------------------------------------------------------------------

    async def open(self) -> None:
        """Find out what works here, then find the tasks that run or ended meanwhile."""
        if self._gpus is not None:
            await self._gpus.look()
        self._spawning = await asyncio.to_thread(self._probe)
        for folder in await asyncio.to_thread(lambda: list(found_folders(self._tasks_folder))):
            await self._find(folder)

    def _probe(self) -> Spawning:
        local = self._state / "local"
        try:
            for folder in (self._tasks_folder, self._state / "home"):
                folder.mkdir(parents=True, exist_ok=True)
                folder.chmod(0o711)
            local.chmod(0o711)
            found = isolation.probe(self._wanted_isolation, local, self._hidden)
        except OSError as error:
            raise BackendError(
                f"the state folder {self._state} cannot be used ({error}): choose one that we may write"
            ) from error
        limits = cgroups.probe(self._mark)
        accounts = Accounts(local / "accounts.json", use_machine_accounts=self._use_machine_accounts)
        return Spawning(self._state, self._mark, found, limits, accounts, self._hidden, self._gpus)

    async def close(self) -> None:
        """Let go: what is being started is started, all tasks live on."""
        self._feed.end()
        if self._starts:
            await asyncio.wait(self._starts)
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        if self._gpus is not None:
            await self._gpus.close()
        self._tasks.clear()
        if self._spawning is not None:
            self._spawning.cgroups.tidy()
        self._spawning = None

    @property
    def _tasks_folder(self) -> Path:
        return self._state / "local" / "tasks"

    @property
    def _open(self) -> Spawning:
        if self._spawning is None:
            raise BackendError("the backend is not open")
        return self._spawning

    # -- what is here ------------------------------------------------------------------------------

    def facts(self) -> Sequence[Fact]:
        """Say which limits and walls hold on this machine."""
        opened = self._open
        gpus = () if self._gpus is None else (self._gpus.inventory.fact(),)
        return (*opened.isolation.facts(), *opened.cgroups.facts(), *gpus)

    async def capacity(self) -> Sequence[Node]:
        """Report this machine as one node, with the GPUs that are there now."""
        _ = self._open
        inventory = NO_GPUS if self._gpus is None else await self._gpus.look()
        capacity = Resources.of(
            self._capacity.cpu_millis or len(os.sched_getaffinity(0)) * 1000,
            self._capacity.mem_mib or _memory_mib() * MEMORY_SHARE_PERCENT // 100,
            inventory.counts(),
        )
        labels = {"hostname": safe_name(socket.gethostname()), **self._labels}
        return (
            Node(NODE, capacity, inventory.devices(), labels=tuple(sorted(labels.items())), zone=self._zone),
        )

    async def reserve(self, node: NodeId, ports: Sequence[str]) -> Endpoint:
        """Pick free ports of the loopback."""
        _ = self._open
        if node != NODE:
            raise InvalidInput(f"there is no node {node!r}: the local backend has {NODE!r}")
        return Endpoint(HOST, {name: self._ports.take() for name in ports})

    async def tasks(self) -> Sequence[TaskStatus]:
        """Report every task that has a folder."""
        _ = self._open
        return self._statuses()

    def _statuses(self) -> tuple[TaskStatus, ...]:
        return tuple(task.status for task in self._tasks.values())

    async def watch(self) -> AsyncIterator[TaskStatus]:
        """Yield every status, then each change; told by the kernel, not by asking again and again."""
        _ = self._open
        async with aclosing(self._feed.watch(self._statuses)) as statuses:
            async for status in statuses:
                yield status

    async def logs(self, task_id: TaskId, offset: int = 0, limit: int = 65536) -> LogChunk:
        """Read the task's output; what was dropped of a long one is said in the text."""
        _ = self._open
        task = self._tasks.get(task_id)
        if task is None:
            raise NotFound(f"there is no task {task_id}")
        return await asyncio.to_thread(read_log, task.folder.log, offset, limit, is_gone=task.is_gone)

    # -- launching -----------------------------------------------------------------------------------

    async def launch(self, spec: TaskSpec) -> AsyncIterator[Checkpoint]:
        """Make the task's folder, then start its shim; given up midway, the step that was begun is ended."""
        _ = self._open
        if spec.node != NODE:
            raise InvalidInput(f"there is no node {spec.node!r}: the local backend has {NODE!r}")
        await self._to_its_end(self._prepare(spec))
        task = self._tasks[spec.id]
        yield Checkpoint(spec.id, "prepared", (("folder", str(task.folder.path)),))
        await self._to_its_end(self._start(spec, task))
        yield Checkpoint(spec.id, "spawned", (("pid", str(task.pid)), ("start_time", str(task.start_time))))

    async def _to_its_end(self, step: Coroutine[Any, Any, None]) -> None:
        """Await a step that must not be torn in two when the caller is cancelled; `close` waits for it."""
        job = asyncio.create_task(step)
        self._starts.add(job)
        job.add_done_callback(self._starts.discard)
        await asyncio.shield(job)

    async def _prepare(self, spec: TaskSpec) -> None:
        spawning = self._open
        async with self._preparing:
            if spec.id in self._tasks:
                return
            folder = TaskFolder(self._tasks_folder / safe_name(spec.id))
            await asyncio.to_thread(spawning.check, spec, folder)
            await asyncio.to_thread(spawning.prepare, spec, folder)
            await self._find(folder)

    async def _start(self, spec: TaskSpec, task: _Task) -> None:
        async with task.lock:
            if task.pid or task.is_gone:
                return
            spawned = await asyncio.to_thread(self._open.spawn, spec, task.folder)
            if spawned is not None:
                await self._confirm(task, spawned)
            elif not await self._attach(task):
                raise BackendError(f"task {task.status.id}: {task.folder.path} is held by another process")

    async def _confirm(self, task: _Task, spawned: Spawned) -> None:
        """Wait until the shim says that the task runs, or why it does not."""
        task.pid, task.start_time = spawned.pid, spawned.start_time
        watch = self._watch_shim(task, os.pidfd_open(spawned.pid))
        said = (await processes.read_to_end(spawned.ready)).decode(errors="replace")
        if said == "ok":
            self._move(task, TaskState.RUNNING)
            return
        await asyncio.shield(watch)  # until GONE
        raise BackendError(f"task {task.status.id}: {said or task.status.message}")

    # -- finding again ---------------------------------------------------------------------------------

    async def _find(self, folder: TaskFolder) -> None:
        """Take in a task from its folder."""
        record = await asyncio.to_thread(read_record, folder)
        document = record.document
        identity = TaskId(document["id"]), AllocationId(document["allocation_id"])
        task = self._tasks[identity[0]] = _Task(folder, document, TaskStatus(*identity, TaskState.STARTING))
        self._know_shim(task, record.shim)
        if record.damage:
            self._quarantine(task, record.damage)
        elif record.last_words is not None:
            self._say_gone(task, record.last_words)
        elif folder.is_locked():
            await self._attach(task)
        elif task.pid:  # it ran, and is over
            task.status = replace(task.status, state=TaskState.RUNNING)
            self._watch_shim(task, None)
        self._feed.publish(task.status)

    def _quarantine(self, task: _Task, damage: str) -> None:
        """End a task that can be kept no more: one damaged folder must not keep the service down."""
        log.error("task %s: quarantined: %s", task.status.id, damage)
        task.pid = task.pid or _UNKNOWN_PID
        task.status = replace(task.status, state=TaskState.RUNNING)
        self._watch_shim(task, None, DAMAGED.format(damage=damage))

    async def _attach(self, task: _Task) -> bool:
        """Watch a shim that holds its folder's lock; say whether it is one, and end it where it is not."""
        try:
            async with asyncio.timeout(SHIM_JSON_SECONDS):
                while not self._know_shim(task, read_shim(task.folder)):  # noqa: ASYNC110 - started this very moment
                    await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        except TimeoutError:
            self._quarantine(task, f"something holds the lock of {task.folder.path} and is no shim")
            return False
        self._move(task, TaskState.RUNNING)
        self._watch_shim(task, processes.open_pidfd(task.pid, task.start_time))
        return True

    def _know_shim(self, task: _Task, shim: dict[str, Any] | None) -> bool:
        if shim is not None:
            task.pid, task.start_time = int(shim["pid"]), int(shim["start_time"])
        return shim is not None

    def _watch_shim(self, task: _Task, pidfd: int | None, damage: str = "") -> asyncio.Task[None]:
        task.pidfd = pidfd
        task.watch = asyncio.create_task(self._until_gone(task, damage))
        self._watches.add(task.watch)
        task.watch.add_done_callback(self._watch_ended)
        return task.watch

    def _watch_ended(self, watch: asyncio.Task[None]) -> None:
        self._watches.discard(watch)
        if not watch.cancelled() and (error := watch.exception()) is not None:
            log.error("a task's watch ended before the task; a stop begins another", exc_info=error)

    async def _until_gone(self, task: _Task, damage: str) -> None:
        """Wait for the shim's end, see to it that nothing is left, and say GONE."""
        try:
            if task.pidfd is not None:
                await processes.ended(task.pidfd)
        finally:
            if task.pidfd is not None:
                os.close(task.pidfd)
            task.pidfd = None
        last_words = None if damage else read_last_words(task.folder)
        if last_words is None:
            name = task.folder.path.name
            await end_leftovers(task.folder.path, self._open.cgroups, f"{self._mark}/{name}")
            last_words = _last_words(KILLED_EXIT_CODE, damage or KEEPER_KILLED)
            self._write_down(task, last_words)
        if task.pid != _UNKNOWN_PID:
            processes.reap(task.pid)
        self._say_gone(task, last_words)

    def _write_down(self, task: _Task, last_words: dict[str, Any]) -> None:
        """Keep how a task ended; where that fails it is GONE all the same, and a restart finds that again."""
        try:
            task.folder.drop("env.json")
            task.folder.write("exit.json", last_words)
        except OSError as error:
            log.warning("task %s: its end could not be written down: %s", task.status.id, error)

    # -- ending --------------------------------------------------------------------------------------

    async def stop(self, task_id: TaskId, grace_seconds: float) -> None:
        """Tell the shim to end its task; a task that never started is GONE at once."""
        _ = self._open
        task = self._tasks.get(task_id)
        if task is None:
            return
        if task.pid == 0:  # else its shim listens, even in the midst of a start
            async with task.lock:
                self._never_start(task)
        elif not task.is_gone and (task.watch is None or task.watch.done()):
            self._watch_shim(task, self._pidfd(task))
        if task.pidfd is not None:
            try:
                task.folder.write("stop", grace_seconds)
            except OSError as error:
                log.warning("task %s: it has its own grace, this one is lost: %s", task_id, error)
            with suppress(ProcessLookupError):  # it ended this moment
                signal.pidfd_send_signal(task.pidfd, signal.SIGTERM)

    def _pidfd(self, task: _Task) -> int | None:
        return None if task.pid == _UNKNOWN_PID else processes.open_pidfd(task.pid, task.start_time)

    def _never_start(self, task: _Task) -> None:
        if task.pid == 0 and not task.is_gone:
            last_words = _last_words(None, NEVER_STARTED)
            self._write_down(task, last_words)
            self._say_gone(task, last_words)

    async def forget(self, task_id: TaskId) -> None:
        """Remove a gone task's folder."""
        spawning = self._open
        task = self._tasks.get(task_id)
        if task is None:
            return
        if not task.is_gone:
            raise BackendError(f"task {task_id} is {task.status.state.value}, not gone: stop it first")
        spawning.cgroups.remove(task.folder.path.name)
        await asyncio.to_thread(task.folder.remove)
        self._tasks.pop(task_id, None)

    def _say_gone(self, task: _Task, last_words: dict[str, Any]) -> None:
        end = ending(task.folder, task.document, last_words)
        self._move(task, TaskState.GONE, end.exit_code, end.message)

    def _move(self, task: _Task, state: TaskState, exit_code: int | None = None, message: str = "") -> None:
        if task.is_gone:
            return
        log.info("task %s: %s -> %s %s", task.status.id, task.status.state.value, state.value, message)
        task.status = replace(task.status, state=state, exit_code=exit_code, message=message)
        self._feed.publish(task.status)


def _last_words(exit_code: int | None, error: str) -> dict[str, Any]:
    return {"exit_code": exit_code, "oom_kills": 0, "error": error}


def _memory_mib() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _MIB
