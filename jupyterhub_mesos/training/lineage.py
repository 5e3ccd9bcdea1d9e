"""Where a job's code came from: the commit of its repository, and what of it differs from that."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyterhub_mesos.wire import MAX_DIFF_CHARACTERS

GIT_SECONDS: Final = 10.0
"""Git asks the disk only; longer than this and the lineage goes without the commit."""
_CUT: Final = "... cut here: the difference is longer than {most} characters\n"
_HAS_DIFFERENCES: Final = 1
"""What `git diff --no-index` ends with when it printed some."""
_PLAIN: Final = ("-c", "core.quotePath=false", "diff", "--no-color", "--no-ext-diff", "--no-textconv")


@dataclass(frozen=True, slots=True)
class Lineage:
    """`commit` is empty outside a repository, and before its first commit."""

    commit: str = ""
    is_dirty: bool = False
    diff: str = ""


def lineage(folder: Path, paths: Sequence[str]) -> Lineage:
    """Return the commit of `folder` and how the files `paths` (relative to it) differ from it.

    A file that git does not know counts as added. No git and no repository are normal answers.
    """
    commit = _git(folder, "rev-parse", "HEAD").strip()
    if not commit:
        return Lineage()
    literal = [f":(literal){path}" for path in paths]
    status = _git(folder, "status", "--porcelain", "--ignored", "--", *literal)
    if not status:
        return Lineage(commit)
    known = set(_git(folder, "ls-files", "-z", "--", *literal).split("\0"))
    parts = [_git(folder, *_PLAIN, "--relative", "HEAD", "--", *literal)]
    parts += (_added(folder, path) for path in paths if path not in known)
    return Lineage(commit, is_dirty=True, diff=_bounded(parts))


def _added(folder: Path, path: str) -> str:
    return _git(folder, *_PLAIN, "--no-index", "--", "/dev/null", path, also_well=_HAS_DIFFERENCES)


def _bounded(parts: Iterable[str]) -> str:
    text = "".join(parts)
    if len(text) <= MAX_DIFF_CHARACTERS:
        return text
    last = _CUT.format(most=MAX_DIFF_CHARACTERS)
    kept = text[: MAX_DIFF_CHARACTERS - len(last)]
    return kept[: kept.rfind("\n") + 1] + last


def _git(folder: Path, *arguments: str, also_well: int = 0) -> str:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace") if done.returncode in {0, also_well} else ""
