"""Prepare a task's folder and start its shim: the blocking half of a launch, run in a thread."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jupyterhub_mesos.backends.gpus import Gpus, making
from jupyterhub_mesos.backends.local import launcher, shim
from jupyterhub_mesos.backends.local.accounts import Account, Accounts, own_account
from jupyterhub_mesos.backends.local.cgroups import Cgroups
from jupyterhub_mesos.backends.local.folders import TaskFolder, link_inside, make_home, make_inside
from jupyterhub_mesos.backends.local.isolation import Isolation, Mode
from jupyterhub_mesos.backends.local.processes import TASK_MARK, start_time
from jupyterhub_mesos.backends.local.rendering import DEFAULT_LANG, Places, check, check_program, environment
from jupyterhub_mesos.backends.local.sandbox import DeviceNode, View, command
from jupyterhub_mesos.backends.local.tasklog import SEGMENT_BYTES
from jupyterhub_mesos.errors import BackendError, InvalidInput
from jupyterhub_mesos.safe_names import safe_name
from jupyterhub_mesos.tasks import Mount, TaskSpec

SANDBOX_TMP: Final = "/tmp"  # noqa: S108 - the task's own
LAUNCH: Final = (
    *(sys.executable, "-I", "-S", "-c", Path(launcher.__file__).read_text(encoding="utf-8")),
    *(str(shim.ENV_FD), str(shim.STARTED_FD)),
)
"""What the sandbox runs first, as text: the view need not show our modules."""


@dataclass(frozen=True, slots=True)
class Spawned:
    """A shim that runs, and the end of a pipe on which it says how the start went."""

    pid: int
    start_time: int
    ready: int


@dataclass(frozen=True, slots=True)
class Spawning:
    """All that is needed to make a spec a process."""

    state: Path
    mark: str
    isolation: Isolation
    cgroups: Cgroups
    accounts: Accounts
    hidden: tuple[Path, ...]
    gpus: Gpus | None = None

    def account(self, spec: TaskSpec) -> Account:
        """Return the account the task runs under, with the spec's groups."""
        if not self.isolation.is_root:
            return own_account()
        own = self.accounts.account(spec.user) if self.isolation.has_accounts else Account(spec.user, 0, 0)
        return own.with_groups(spec.groups)

    def home(self, user: str) -> Path:
        """Return the user's home, which is kept."""
        return self.state / "home" / safe_name(user)

    def places(self, spec: TaskSpec, folder: TaskFolder) -> Places:
        """Return the task's folders as it sees them."""
        tmp = SANDBOX_TMP if self.isolation.mode is Mode.SANDBOX else str(folder.tmp)
        return Places(str(folder.task), str(self.home(spec.user)), tmp)

    def environment(self, spec: TaskSpec, folder: TaskFolder) -> dict[str, str]:
        """Compose the task's environment."""
        return environment(spec, self.places(spec, folder), self._task_mark(folder), os.environ)

    def _task_mark(self, folder: TaskFolder) -> str:
        return f"{self.mark}/{folder.path.name}"

    def check(self, spec: TaskSpec, folder: TaskFolder) -> None:
        """Refuse what cannot run here; nothing is made."""
        check(spec)
        check_program(spec, self.places(spec, folder), self.environment(spec, folder))
        workdir = self._workdir(spec, folder)
        is_ours = any(workdir.is_relative_to(own) for own in (folder.task, self.home(spec.user)))
        if not is_ours and not workdir.is_dir():
            raise InvalidInput(f"there is no folder {str(workdir)!r} on this node to run in", where="workdir")
        self._check_devices(spec)

    def _check_devices(self, spec: TaskSpec) -> None:
        if self.gpus is None:
            return
        inventory = self.gpus.inventory
        if missing := inventory.missing(spec.devices):
            raise BackendError(
                f"not on this node (any more): {', '.join(missing)}. {inventory.fact().detail}"
            )
        for node in self._device_nodes(spec):
            if self.isolation.mode is Mode.SANDBOX and not node.source.exists():
                raise BackendError(f"there is no {node.source}: as root, {making(node.place)} makes it")

    def prepare(self, spec: TaskSpec, folder: TaskFolder) -> None:
        """Make the account, its home, the mount points and the task's folder."""
        account = self.account(spec)
        try:
            self._make_home(spec, folder, account)
        except OSError as error:
            home = self.home(spec.user)
            raise BackendError(f"the home {home} could not be made ready: {error}") from error
        folder.create(self._document(spec, folder, account), spec.files, account)

    def _make_home(self, spec: TaskSpec, folder: TaskFolder, account: Account) -> None:
        home = self.home(spec.user)
        make_home(home, account)
        for mount in spec.mounts:
            self._make_mount_point(home, mount, account)
        workdir = self._workdir(spec, folder)
        if workdir.is_relative_to(home) and not os.path.lexists(workdir):
            make_inside(home, str(workdir.relative_to(home)), account)

    def _make_mount_point(self, home: Path, mount: Mount, account: Account) -> None:
        place = home / mount.target
        if not place.is_relative_to(home):
            return  # the sandbox makes it in its own view, where it can
        relative = str(place.relative_to(home))
        if self.isolation.mode is not Mode.SANDBOX:
            link_inside(home, relative, mount.source, account)
        elif Path(mount.source).is_dir():
            make_inside(home, relative, account)

    def _workdir(self, spec: TaskSpec, folder: TaskFolder) -> Path:
        places = self.places(spec, folder)
        return Path(os.path.normpath(Path(places.home) / places.fill(spec.workdir)))

    def _document(self, spec: TaskSpec, folder: TaskFolder, account: Account) -> dict[str, Any]:
        return {
            "id": spec.id,
            "allocation_id": spec.allocation_id,
            "user": spec.user,
            "account": account.name,
            "uid": account.uid,
            "team": spec.team,
            "mem_mib": spec.resources.mem_mib,
            "orders": self._orders(spec, folder, account),
        }

    def _orders(self, spec: TaskSpec, folder: TaskFolder, account: Account) -> dict[str, Any]:
        is_sandbox = self.isolation.mode is Mode.SANDBOX
        argv = [self.places(spec, folder).fill(word) for word in spec.argv]
        workdir = str(self._workdir(spec, folder))
        drop = {"uid": account.uid, "gid": account.gid, "groups": [account.gid, *account.groups]}
        return {
            "command": self._in_sandbox(spec, folder, account, argv) if is_sandbox else argv,
            "is_sandbox": is_sandbox,
            "maker_env": {"PATH": os.defpath, "LANG": DEFAULT_LANG, TASK_MARK: self._task_mark(folder)},
            "drop": drop if self.isolation.mode is Mode.ACCOUNT else None,
            "workdir": "/" if is_sandbox else workdir,
            "cgroups": [str(path) for path in self.cgroups.folders(folder.path.name)],
            "stop_grace_seconds": spec.stop_grace_seconds,
            "log_segment_bytes": SEGMENT_BYTES,
        }

    def _in_sandbox(self, spec: TaskSpec, folder: TaskFolder, account: Account, argv: list[str]) -> list[str]:
        view = View(
            account,
            self.home(spec.user),
            folder.task,
            folder.tmp,
            folder.path / "passwd",
            self.hidden,
            spec.mounts,
            devices=self._device_nodes(spec),
        )
        workdir = str(self._workdir(spec, folder))
        return command(
            self.isolation.programs, view, workdir, [*LAUNCH, *argv], is_root=self.isolation.is_root
        )

    def _device_nodes(self, spec: TaskSpec) -> tuple[DeviceNode, ...]:
        if self.gpus is None:
            return ()
        places = self.gpus.inventory.nodes(spec.devices)
        return tuple(DeviceNode(self.gpus.dev / place, place) for place in places)

    def spawn(self, spec: TaskSpec, folder: TaskFolder) -> Spawned | None:
        """Start the shim of a prepared task; None where one runs already."""
        lock = folder.lock()
        if lock is None:
            return None
        try:
            return self._spawn(spec, folder, lock)
        except OSError as error:
            folder.drop("env.json")
            raise BackendError(f"task {spec.id} could not be started: {error}") from error
        finally:
            os.close(lock)

    def _spawn(self, spec: TaskSpec, folder: TaskFolder, lock: int) -> Spawned:
        self._write_passwd(spec, folder)
        folder.write("env.json", self.environment(spec, folder))
        self.cgroups.create(folder.path.name, spec.resources)
        ready, ready_writer = os.pipe()
        try:
            pid = _start_shim(folder, lock, ready_writer)
        except OSError as error:
            os.close(ready)
            folder.drop("env.json")
            self.cgroups.remove(folder.path.name)
            raise BackendError(f"the task's shim could not be started: {error}") from error
        finally:
            os.close(ready_writer)
        return Spawned(pid, start_time(pid) or 0, ready)

    def _write_passwd(self, spec: TaskSpec, folder: TaskFolder) -> None:
        """Give the account a name inside the sandbox: the machine may not know its id."""
        account = self.account(spec)
        lines = Path("/etc/passwd").read_text(encoding="utf-8", errors="replace").splitlines()
        kept = [line for line in lines if line.split(":")[2:3] != [str(account.uid)]]
        name = "".join(char for char in spec.user if char.isprintable() and char not in ":\n") or "user"
        own = f"{name}:x:{account.uid}:{account.gid}::{self.home(spec.user)}:/bin/sh"
        path = folder.path / "passwd"
        path.write_text("\n".join([own, *kept, ""]), encoding="utf-8")
        path.chmod(0o644)


def _start_shim(folder: TaskFolder, lock: int, ready: int) -> int:
    """Start the shim in a session of its own; SIGTERM waits until it can be answered."""
    with (folder.path / "shim.err").open("ab") as errors:
        passed = [_high(number) for number in (lock, ready, errors.fileno())]
        lock_fd, ready_fd, errors_fd = 3, 4, 2
        actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0), (os.POSIX_SPAWN_DUP2, passed[2], 1)]
        actions += [
            (os.POSIX_SPAWN_DUP2, source, target)
            for source, target in zip(passed, (lock_fd, ready_fd, errors_fd), strict=True)
        ]
        argv = [sys.executable, "-I", "-S", shim.__file__, str(folder.path), str(lock_fd), str(ready_fd)]
        try:
            return os.posix_spawn(
                sys.executable,
                argv,
                {"PATH": os.defpath},
                file_actions=actions,
                setsid=True,
                setsigmask=[signal.SIGTERM],
            )
        finally:
            for number in passed:
                os.close(number)


def _high(descriptor: int) -> int:
    """Copy a descriptor to a number that none of the shim's own will overwrite."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
