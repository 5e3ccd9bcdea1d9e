"""A project on its way into git: one commit on `main` with all its files, or nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, cast

from jupyterhub_mesos.errors import Conflict, WorkloadError
from jupyterhub_mesos.export.git import Git, GitError, Remote, refs, scratch_repository
from jupyterhub_mesos.pipeline.rendering import BRANCH, LINEAGE

ATTEMPTS: Final = 8
"""As many people may push to one pipeline at the same moment."""
REQUEST_MARK: Final = "capacity-pipeline:"
"""Begins the line in which our hook says which request a push became."""
_HEAD: Final = f"refs/heads/{BRANCH}"


@dataclass(frozen=True, slots=True)
class Content:
    """A project's files by path, and who commits them with which message."""

    files: Mapping[str, bytes]
    author: str
    message: str


@dataclass(frozen=True, slots=True)
class Pushed:
    """Where the project stands: `is_new` is false where it stood there before; `said` is the remote's."""

    commit: str
    is_new: bool
    said: str = ""
    replaced: tuple[str, ...] = ()

    @property
    def request_id(self) -> str | None:
        """The request that the remote's hook made of the push."""
        for line in self.said.splitlines():
            if line.startswith(REQUEST_MARK):
                return line.removeprefix(REQUEST_MARK).strip() or None
        return None


@dataclass(frozen=True, slots=True)
class Committed:
    """A commit that is ready to be pushed, or the one that says the same already."""

    commit: str
    is_new: bool
    replaced: tuple[str, ...]


def push_project(content: Content, where: Remote, committed: Callable[[Committed], None]) -> Pushed:
    """Commit the project on top of the remote's `main` and push it; built anew when overtaken.

    `committed` hears of each commit before it is pushed. Raises `WorkloadError`
    with the remote's own words when it refuses, `Conflict` when others were always faster.
    """
    for _ in range(ATTEMPTS):
        with scratch_repository(where, author=content.author) as git:
            made = _commit(git, content)
            committed(made)
            if not made.is_new:
                return Pushed(made.commit, is_new=False)
            said = _push(git, where)
            if said is not None:
                return Pushed(made.commit, is_new=True, said=said, replaced=made.replaced)
    raise Conflict(f"{where}: others pushed first {ATTEMPTS} times; nothing was pushed: export it again")


def _commit(git: Git, content: Content) -> Committed:
    replaced: tuple[str, ...] = ()
    if _HEAD in refs(git, _HEAD):
        git.run("fetch", "--quiet", "--depth=1", "--no-tags", "origin", _HEAD)
        git.run("checkout", "--quiet", "-B", BRANCH, "FETCH_HEAD")
        replaced = _clear(git, content)
    for path, written in content.files.items():
        target = git.work / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(written)
    git.run("add", "--force", "--", *content.files)
    if not git.run("status", "--porcelain", "--untracked-files=no").strip():
        return Committed(git.run("rev-parse", "HEAD").strip(), is_new=False, replaced=())
    git.run("commit", "--quiet", "--message", content.message)
    return Committed(git.run("rev-parse", "HEAD").strip(), is_new=True, replaced=replaced)


def _clear(git: Git, content: Content) -> tuple[str, ...]:
    """Remove the files of the export before; return those that somebody changed since, by hand."""
    tracked = {path for path in git.run("ls-files", "-z").split("\0") if path}
    before = {path: digest for path, digest in _files_before(git).items() if path in tracked}
    changed: list[str] = []
    for path, digest in before.items():
        found = (git.work / path).read_bytes()
        is_by_hand = hashlib.sha256(found).hexdigest() != digest
        if is_by_hand and found != content.files.get(path):
            changed.append(path)
    in_the_way = {path for path in tracked if _is_in_the_way(path, content.files)}
    gone = sorted({*before, *in_the_way})
    if gone:
        git.run("rm", "--quiet", "--force", "--", *(f":(literal){path}" for path in gone))
    return tuple(changed)


def _is_in_the_way(path: str, files: Mapping[str, bytes]) -> bool:
    """Say whether a file stands where one of ours needs a folder, or in a folder where ours is a file."""
    above = {str(parent) for parent in PurePosixPath(path).parents}
    return any(file in above or file.startswith(f"{path}/") for file in files)


def _files_before(git: Git) -> dict[str, str]:
    """Read the files of the export before and their sha256; a lineage that is not ours names none."""
    try:
        lineage: Any = json.loads((git.work / LINEAGE).read_text(encoding="utf-8"))
        files = cast("dict[object, object]", lineage["files"]).items()
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
    return {path: digest for path, digest in files if isinstance(path, str) and isinstance(digest, str)}


def _push(git: Git, where: Remote) -> str | None:
    try:
        return git.push(f"HEAD:{_HEAD}")
    except GitError as error:
        raise WorkloadError(f"{where} refused the push, nothing was published: {error.refusal}") from error
