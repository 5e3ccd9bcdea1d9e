"""A folder of the lake as a source: plain files, with the rights of whoever reads them.

A link inside is followed as long as it stays inside: what leads out is not there.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Final, Literal

from jupyterhub_mesos.errors import (
    CapacityError,
    Conflict,
    InvalidInput,
    NotAllowed,
    NotFound,
    TooLarge,
    Unavailable,
)
from jupyterhub_mesos.lake.entries import MAX_LISTED, Entry, Listing, Upload, clean, file_path, uri_of

PARTIAL: Final = ".uploading-"
"""How the name of a file begins that is being written; never listed."""


@dataclass(frozen=True, slots=True)
class FolderSource:
    """The folder at `root`."""

    name: str
    title: str
    root: Path
    is_writable: bool
    kind: Literal["folder"] = "folder"

    def place(self, path: str) -> str:
        """Return the file's path on this machine."""
        return str(self.root / clean(path))

    def list(self, path: str) -> Listing:
        """Return what a folder holds; a link that leads out is left out."""
        with self.explained(path):
            with os.scandir(self._inside(path)) as scanned:
                seen = (item for item in scanned if not item.name.startswith(PARTIAL))
                items = sorted(islice(seen, MAX_LISTED + 1), key=lambda item: item.name)
            found = [
                self._entry(f"{clean(path)}/{item.name}".lstrip("/"), item) for item in items[:MAX_LISTED]
            ]
            return Listing([entry for entry in found if entry is not None], len(items) > MAX_LISTED)

    def stat(self, path: str) -> Entry:
        """Return one entry."""
        with self.explained(path):
            return _entry_of(clean(path), self._inside(path).stat())

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading; raises `InvalidInput` for what is none."""
        with self.explained(path):
            place = self._inside(path)
            if not place.is_file():  # a folder; or a pipe, whose opening would wait for ever
                raise InvalidInput(f"{uri_of(self.name, path)} is no file")
            return place.open("rb")

    def upload(self, path: str, *, may_replace: bool = False) -> Upload:
        """Begin to write a file beside its place."""
        target = self._new(path, may_replace=may_replace)
        with self.explained(path):
            partial = target.with_name(f"{PARTIAL}{secrets.token_hex(8)}")
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o664)
            return _Written(self, path, target, partial, os.fdopen(descriptor, "wb"), may_replace)

    def make_folder(self, path: str) -> Entry:
        """Make a folder in one that is there."""
        place = self._new(path, may_replace=False)
        with self.explained(path):
            place.mkdir()
        return self.stat(path)

    def delete(self, path: str) -> None:
        """Remove one file, or a link to one."""
        self._check_writable()
        with self.explained(path):
            if self._inside(file_path(path)).is_dir():
                raise InvalidInput(
                    f"{uri_of(self.name, path)} is a folder; only single files are deleted here"
                )
            self._beside(path).unlink()

    # --------------------------------------------------------------------------------------------

    def _inside(self, path: str) -> Path:
        """Return the real place of a path that is there; `NotFound` where it leads out."""
        root = self.root.resolve(strict=True)
        place = (root / clean(path)).resolve(strict=True)
        if not place.is_relative_to(root):
            raise NotFound(
                f"there is no {uri_of(self.name, path)}: it is a link that leads out of the source"
            )
        return place

    def _beside(self, path: str) -> Path:
        """Return the place of a path whose folder is there, following no link at its end."""
        folder, _, name = file_path(path).rpartition("/")
        return self._inside(folder) / name

    def _new(self, path: str, *, may_replace: bool) -> Path:
        self._check_writable()
        with self.explained(path):
            place = self._beside(path)
            if place.name.startswith(PARTIAL):
                raise InvalidInput(f"{place.name!r} is a name for unfinished files: choose another one")
            if place.is_dir():
                raise Conflict(f"{uri_of(self.name, path)} is a folder: choose another name")
            if os.path.lexists(place) and not may_replace:
                raise _exists(self.name, path)
            return place

    def _entry(self, path: str, item: os.DirEntry[str]) -> Entry | None:
        try:
            if not item.is_symlink():  # the common case, and it cannot lead out
                return _entry_of(path, item.stat(follow_symlinks=False))
            return _entry_of(path, self._inside(path).stat())
        except (OSError, CapacityError):  # it went away, or leads out
            return None

    def _check_writable(self) -> None:
        if not self.is_writable:
            raise read_only(self.title)

    @contextmanager
    def explained(self, path: str) -> Generator[None]:
        """Say of a path what went wrong with it, in our errors."""
        try:
            yield
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound(f"there is no {uri_of(self.name, path)}") from error
        except FileExistsError as error:
            raise _exists(self.name, path) from error
        except PermissionError as error:
            raise NotAllowed(f"{uri_of(self.name, path)} is not yours to read or write") from error
        except OSError as error:
            if error.errno in _FULL:
                raise TooLarge(f"{self.title} is full: {os.strerror(error.errno or 0)}") from error
            raise Unavailable(f"{uri_of(self.name, path)}: {error.strerror or error}") from error


class _Written:
    """A file under a name of its own until it is whole."""

    def __init__(
        self, source: FolderSource, path: str, target: Path, partial: Path, file: IO[bytes], may_replace: bool
    ) -> None:
        self._source = source
        self._path = path
        self._target = target
        self._partial = partial
        self._file = file
        self._may_replace = may_replace

    def write(self, piece: bytes) -> None:
        """Add a piece."""
        with self._source.explained(self._path):
            self._file.write(piece)

    def commit(self) -> None:
        """Put the file in its place, in one step."""
        with self._source.explained(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            if self._may_replace:
                self._partial.replace(self._target)
                return
            _put_in_place(self._partial, self._target)

    def discard(self) -> None:
        """Take away what was written."""
        self._file.close()
        self._partial.unlink(missing_ok=True)


_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
"""What a file system answers that has no hard links."""


def _put_in_place(partial: Path, target: Path) -> None:
    """Give a file its name where nothing has it; raises `FileExistsError`.

    A hard link is refused by the kernel where something is there. A file system without them is asked first.
    """
    try:
        os.link(partial, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        partial.replace(target)
    else:
        partial.unlink()


def read_only(title: str) -> NotAllowed:
    """Say that a source takes nothing."""
    return NotAllowed(f"{title} is read-only: write to a folder of your team, or ask an admin to open it")


def _exists(source: str, path: str) -> Conflict:
    return Conflict(f"{uri_of(source, path)} is there already: choose another name, or replace it")


def _entry_of(path: str, status: os.stat_result) -> Entry:
    is_folder = stat.S_ISDIR(status.st_mode)
    return Entry(path, is_folder, None if is_folder else status.st_size, status.st_mtime)
