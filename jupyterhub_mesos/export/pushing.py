"""Publish a bundle: one commit on `main` and one tag `NAME/vN`, both or neither."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyterhub_mesos.errors import Conflict, InvalidInput, WorkloadError
from jupyterhub_mesos.export.bundle import MANIFEST, SIGNATURE, BundleManifest, read_manifest, sha256_of
from jupyterhub_mesos.export.git import Git, GitError, Remote, find_remote, refs, scratch_repository
from jupyterhub_mesos.export.integrity import check_files
from jupyterhub_mesos.export.recipes import write_rendered
from jupyterhub_mesos.export.signature import find_key, sign

BRANCH: Final = "main"
ATTEMPTS: Final = 8
"""As many exports of one team may push at the same moment; each attempt lets at least one of them through."""


@dataclass(frozen=True, slots=True)
class Published:
    """Where a bundle stands now; `attempts` counts the pushes it took."""

    remote: str
    tag: str
    version: int
    commit: str
    path: str
    attempts: int


def next_version(name: str, remote: str) -> int:
    """Ask the remote which version of `name` comes next (another export may take it first)."""
    where = find_remote(remote)
    with scratch_repository(where) as git:
        return max(_versions(git, name), default=0) + 1


def push_bundle(
    directory: Path | str,
    remote: str,
    *,
    version: int | None = None,
    sign_key: str | os.PathLike[str] | None = None,
) -> Published:
    """Publish the bundle in `directory`, or resume what was refused or cut off before.

    A bundle whose version was taken meanwhile takes the next one, unless
    `version` asks for that very one (then Conflict); a signed one is signed
    anew, with `sign_key` or that of `CAPACITY_SIGN_KEY`. A bundle that stands
    there already is only reported. Raises WorkloadError with the remote's own
    words when it refuses; nothing is published then and `directory` is kept.
    """
    folder = Path(directory).expanduser()
    key = find_key(sign_key)
    if key and _lacks_signature(folder):
        sign(folder, key)
    manifest = check_files(folder)
    where = find_remote(remote)
    for attempt in range(1, ATTEMPTS + 1):
        with scratch_repository(where, author=manifest.author) as git:
            known = _known(git, folder, manifest)
            if known is not None:
                return _published(where, manifest, known, attempt - 1)
            number = _number(git, manifest, version)
            if number != manifest.version:
                manifest = _renumbered(folder, manifest, number, key)
            commit = _commit(git, folder, manifest)
            if _push(git, where, folder, manifest.tag):
                return _published(where, manifest, commit, attempt)
    raise Conflict(
        f"{where}: others pushed first {ATTEMPTS} times; the bundle is kept in {folder}: "
        f"push it with push_bundle({str(folder)!r}, {str(where)!r})"
    )


def _published(where: Remote, manifest: BundleManifest, commit: str, attempts: int) -> Published:
    return Published(str(where), manifest.tag, manifest.version, commit, manifest.path, attempts)


def _versions(git: Git, name: str) -> set[int]:
    pattern = re.compile(rf"refs/tags/{re.escape(name)}/v([1-9][0-9]{{0,8}})")
    found = (pattern.fullmatch(ref) for ref in refs(git, f"refs/tags/{name}/v*"))
    return {int(match[1]) for match in found if match}


def _known(git: Git, folder: Path, manifest: BundleManifest) -> str | None:
    """Return the commit of this very bundle where it is published already."""
    tag = f"refs/tags/{manifest.tag}"
    if tag not in refs(git, tag):
        return None
    git.run("fetch", "--quiet", "--depth=1", "--no-tags", "origin", tag)
    commit = git.run("rev-parse", "FETCH_HEAD^{commit}").strip()
    ours = git.run("hash-object", "--no-filters", str((folder / MANIFEST).resolve())).strip()
    try:
        theirs = git.run("rev-parse", f"{commit}:{manifest.path}/{MANIFEST}").strip()
    except GitError:
        return None  # a tag that somebody set by hand, on something else
    return commit if ours == theirs else None


def _lacks_signature(folder: Path) -> bool:
    """Say whether the bundle was to be signed and that did not come about."""
    return not (folder / SIGNATURE).exists() and read_manifest(folder).is_signed


def _number(git: Git, manifest: BundleManifest, asked: int | None) -> int:
    taken = _versions(git, manifest.name)
    if asked is not None and asked in taken:
        raise Conflict(
            f"{manifest.name}/v{asked} is published already and a version never changes: "
            f"ask for v{max(taken) + 1}, or leave the version out"
        )
    return asked or (manifest.version if manifest.version not in taken else max(taken) + 1)


def _renumbered(folder: Path, manifest: BundleManifest, number: int, key: Path | None) -> BundleManifest:
    if manifest.is_signed and key is None:
        raise Conflict(
            f"the bundle in {folder} is signed as v{manifest.version} and would become v{number}: "
            f"push it with push_bundle({str(folder)!r}, …, sign_key=…), which signs it anew"
        )
    (folder / SIGNATURE).unlink(missing_ok=True)
    written = write_rendered(folder, manifest.model_copy(update={"version": number}))
    if key is not None and manifest.is_signed:
        sign(folder, key)
    return written


def _commit(git: Git, folder: Path, manifest: BundleManifest) -> str:
    """Commit the bundle on top of the remote's branch; what else stands there is not even downloaded out."""
    branch = f"refs/heads/{BRANCH}"
    if branch in refs(git, branch):
        git.run("fetch", "--quiet", "--depth=1", "--no-tags", "origin", branch)
        git.run("update-ref", branch, "FETCH_HEAD")
        git.run("read-tree", "HEAD")
        git.run("rm", "-r", "--cached", "--quiet", "--ignore-unmatch", "--", manifest.path)
    shutil.copytree(folder, git.work / manifest.path)
    git.run("add", "--force", "--", manifest.path)
    git.run("commit", "--quiet", "--message", f"Export {manifest.name} v{manifest.version}")
    message = f"{manifest.tag}\n\nsha256 of {manifest.path}/{MANIFEST}: {sha256_of(folder / MANIFEST)}"
    git.run("tag", "--annotate", "--message", message, manifest.tag)
    return git.run("rev-parse", "HEAD").strip()


def _push(git: Git, where: Remote, folder: Path, tag: str) -> bool:
    """Push branch and tag together; False when somebody was first, WorkloadError when refused."""
    try:
        said = git.push(f"HEAD:refs/heads/{BRANCH}", f"refs/tags/{tag}")
    except GitError as error:
        raise WorkloadError(
            f"{where} refused {tag}, nothing was published: {error.refusal}. The bundle is kept in "
            f"{folder}: push it again with push_bundle({str(folder)!r}, {str(where)!r})"
        ) from error
    return said is not None


def author() -> str:
    """Say who exports: the hub's user, or the account's name."""
    return os.environ.get("JUPYTERHUB_USER") or os.environ.get("USER") or "jupyter"


def check_version(version: int | str | None) -> int | None:
    """Read a version that a person asked for: `3` or `"v3"`."""
    if version is None:
        return None
    text = str(version).removeprefix("v")
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise InvalidInput(
            f"{version!r} is not a version: versions are v1, v2, v3 …; leave it out for the next"
        )
    return int(text)
