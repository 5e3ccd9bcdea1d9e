"""What a source of the lake holds, in words that folders and S3 share, and the paths inside one.

A *path* is relative to its source's root, with `/` between its parts; the root itself is the empty path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Final, Literal, Protocol

from jupyterhub_mesos.errors import InvalidInput

SCHEME: Final = "lake://"
MAX_PATH: Final = 1024
"""Characters of a path; S3 takes no more."""
MAX_LISTED: Final = 10_000
"""Entries of one folder that are listed; of a folder with more, the first by name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder; size (bytes) and time (Unix seconds) are None where the source does not know them."""

    path: str
    is_folder: bool
    size: int | None = None
    modified: float | None = None

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a folder holds; `is_partial`: there are more than `MAX_LISTED`."""

    entries: Sequence[Entry]
    is_partial: bool = False


class Upload(Protocol):
    """A file that is being written; it is there, whole, after `commit`, and nothing of it after `discard`."""

    def write(self, piece: bytes) -> None:
        """Add a piece."""
        ...

    def commit(self) -> None:
        """Put the file in its place; raises `Conflict` where one is there by now that may not be replaced."""
        ...

    def discard(self) -> None:
        """Leave nothing behind; after `commit` it does nothing."""
        ...


class Source(Protocol):
    """One data source, read and written with the rights of the process that asks.

    Every method raises `NotFound`, `NotAllowed`, `InvalidInput`, `Conflict` or `Unavailable` with a sentence.
    """

    @property
    def name(self) -> str:
        """What stands after `lake://`."""
        ...

    @property
    def title(self) -> str:
        """What people call it."""
        ...

    @property
    def kind(self) -> Literal["folder", "s3"]:
        """Where its files are."""
        ...

    @property
    def is_writable(self) -> bool:
        """Whether it takes files."""
        ...

    def place(self, path: str) -> str:
        """Return the path as other programs spell it: `/home/ann/lake/team/x`, `s3://bucket/x`."""
        ...

    def list(self, path: str) -> Listing:
        """Return what a folder holds, by name."""
        ...

    def stat(self, path: str) -> Entry:
        """Return one entry."""
        ...

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading; it can be sought in."""
        ...

    def upload(self, path: str, *, may_replace: bool = False) -> Upload:
        """Begin to write a file."""
        ...

    def make_folder(self, path: str) -> Entry:
        """Make a folder in one that is there."""
        ...

    def delete(self, path: str) -> None:
        """Remove one file; folders stay."""
        ...


def clean(path: str) -> str:
    """Return a path in its one spelling; raises `InvalidInput` for one that leaves its source."""
    if len(path) > MAX_PATH:
        raise InvalidInput(f"the path has {len(path)} characters; at most {MAX_PATH} are possible")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or any(ord(char) < 32 for char in path):
        raise InvalidInput(f"{path!r} leaves its source: name a path below it, without `..`")
    return "/".join(parts)


def file_path(path: str) -> str:
    """Return the clean path of something below the root; raises `InvalidInput`."""
    cleaned = clean(path)
    if not cleaned:
        raise InvalidInput("a file is named by a path below its source, for instance runs/first.csv")
    return cleaned


def split_uri(uri: str) -> tuple[str, str]:
    """Return source and path of `lake://NAME/path` or `~/lake/NAME/path`; raises `InvalidInput`."""
    for beginning in (SCHEME, "~/lake/"):
        if uri.startswith(beginning):
            name, _, path = uri.removeprefix(beginning).partition("/")
            if name:
                return name, clean(path)
    raise InvalidInput(f"{uri!r} is no place in the lake: lake://team/x, lake://NAME/x or ~/lake/team/x")


def uri_of(source: str, path: str) -> str:
    """Spell a place in the lake for everybody of the team."""
    return f"{SCHEME}{source}/{path}" if path else f"{SCHEME}{source}"
