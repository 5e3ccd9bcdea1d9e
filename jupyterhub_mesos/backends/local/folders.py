"""The folders of tasks and homes, made so that nothing a task's account can write leads us elsewhere.

```
<state>/local/tasks/<task>/        ours: the task's account cannot read it
    spec.json env.json lock shim.json stop exit.json log/ passwd
    task/                          `{task}`: the account's own, with the spec's files; tmp/ in it
<state>/home/<user>/               the account's own, kept
```
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, Final

from jupyterhub_mesos.backends.local.accounts import Account
from jupyterhub_mesos.errors import BackendError
from jupyterhub_mesos.tasks import TaskFile

_NEW: Final = ".new-"
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class TaskFolder:
    """One task's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.task = path / "task"
        self.tmp = self.task / "tmp"
        self.log = path / "log"

    def create(self, document: Mapping[str, Any], files: Sequence[TaskFile], account: Account) -> None:
        """Make the whole folder or nothing, where it is not there; it appears when it is complete."""
        if self.path.exists():
            return
        fresh = TaskFolder(self.path.with_name(_NEW + self.path.name))
        shutil.rmtree(fresh.path, ignore_errors=True)
        try:
            for folder in (fresh.path, fresh.task, fresh.log, fresh.tmp):
                folder.mkdir(mode=0o700, parents=True)
            fresh.path.chmod(0o711)
            _write_private(fresh.path / "spec.json", json.dumps(document))
            for file in files:
                _lay_file(fresh.task, file)
            _give(fresh.task, account)
            _sync(fresh.path)
            fresh.path.rename(self.path)
            _sync(self.path.parent)
        except OSError as error:
            shutil.rmtree(fresh.path, ignore_errors=True)
            raise BackendError(f"the task's folder {self.path} could not be made: {error}") from error

    def read(self, name: str) -> dict[str, Any] | None:
        """Return a JSON file of ours, or None where it is not there."""
        try:
            return dict(json.loads((self.path / name).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise BackendError(f"{self.path / name} is damaged: {error}") from error

    def write(self, name: str, value: object) -> None:
        """Write a JSON file of ours, at once or not at all, for our eyes only."""
        fresh = self.path / (name + _NEW)
        _write_private(fresh, json.dumps(value))
        fresh.replace(self.path / name)
        _sync(self.path)

    def drop(self, name: str) -> None:
        """Remove a file of ours."""
        (self.path / name).unlink(missing_ok=True)

    def lock(self) -> int | None:
        """Take the lock that a living shim holds; None where one does. The lock lasts with the descriptor."""
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def is_locked(self) -> bool:
        """Say whether a shim lives; nothing is made for it, for the disk may be full."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def remove(self) -> None:
        """Remove the folder and all in it."""
        shutil.rmtree(self.path, ignore_errors=True)


def found_folders(tasks: Path) -> Iterator[TaskFolder]:
    """Yield the folders of tasks, damaged ones too; what a crash left half-made is removed."""
    for path in sorted(tasks.iterdir()):
        if path.name.startswith(_NEW):
            shutil.rmtree(path, ignore_errors=True)
        elif path.is_dir():
            yield TaskFolder(path)


def make_home(path: Path, account: Account) -> None:
    """Make the account's home where it is not there yet."""
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    if os.getuid() == 0 and path.stat().st_uid != account.uid:  # new, or from before there were accounts
        os.chown(path, account.uid, account.gid)


def make_inside(home: Path, relative: str, account: Account) -> None:
    """Make the folders of `relative` under a home, following no link: one in the way is taken away."""
    with _walk(home, PurePosixPath(relative).parts, account):
        pass


def link_inside(home: Path, relative: str, source: str, account: Account) -> None:
    """Let `relative` under a home be a link to `source`."""
    target = PurePosixPath(relative)
    with _walk(home, target.parts[:-1], account) as parent:
        try:
            if os.readlink(target.name, dir_fd=parent) == source:
                return
            os.unlink(target.name, dir_fd=parent)
        except FileNotFoundError:
            pass
        except OSError:
            _remove_empty(target.name, parent, home / relative)
        os.symlink(source, target.name, dir_fd=parent)


def _remove_empty(name: str, parent: int, shown: Path) -> None:
    try:
        os.rmdir(name, dir_fd=parent)  # a mount point that another kind of isolation made
    except OSError as error:
        raise BackendError(f"{shown} is in the way of a mount ({error.strerror}): move it away") from error


@contextmanager
def _walk(home: Path, parts: Sequence[str], account: Account) -> Generator[int, None, None]:
    descriptor = os.open(home, _DIRECTORY)
    try:
        for part in parts:
            descriptor = _step(descriptor, part, account, home)
        yield descriptor
    finally:
        os.close(descriptor)


def _step(parent: int, name: str, account: Account, home: Path) -> int:
    try:
        if _is_link(name, parent):
            os.unlink(name, dir_fd=parent)  # a mount of another kind of isolation, or a trap
        os.mkdir(name, 0o755, dir_fd=parent)
        is_new = True
    except FileExistsError:
        is_new = False
    try:
        descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
    except OSError as error:
        raise BackendError(f"{name!r} in {home} is no folder ({error.strerror}): move it away") from error
    if is_new and os.getuid() == 0:
        os.fchown(descriptor, account.uid, account.gid)
    os.close(parent)
    return descriptor


def _is_link(name: str, parent: int) -> bool:
    try:
        os.readlink(name, dir_fd=parent)
    except OSError:
        return False
    return True


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())  # a crash after the rename must not leave an empty file under the final name


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, _DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lay_file(folder: Path, file: TaskFile) -> None:
    path = folder / PurePosixPath(file.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o600 if file.is_secret else 0o640
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(file.content)


def _give(folder: Path, account: Account) -> None:
    if os.getuid() != 0:
        return
    for parent, _, names in os.walk(folder):
        os.chown(parent, account.uid, account.gid)
        for name in names:
            os.chown(Path(parent, name), account.uid, account.gid)
