"""A pipeline's project as files on this machine: a folder that a person has, or a commit checked out."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.export.git import find_remote, redacted, take_commit
from jupyterhub_mesos.pipeline.document import PipelineFile, load_pipeline
from jupyterhub_mesos.pipeline.spelling import as_the_owner_sees_it

GIT_SECONDS: Final = 30.0
SHORT: Final = 12
"""Digits of a commit that tell it from all others of one project."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project in `folder`; `is_dirty` says that its files are not those of `commit`."""

    folder: Path
    pipeline: PipelineFile
    repository: str
    commit: str
    is_dirty: bool = False

    @property
    def version(self) -> str:
        """What tells this state of the project from others, for people and folders."""
        return self.commit[:SHORT] + ("-dirty" if self.is_dirty else "")


def project_in(folder: Path) -> Project:
    """Read the project that somebody has cloned; raises `InvalidInput` for what is none."""
    pipeline = load_pipeline(folder)
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        raise InvalidInput(
            f"{folder} is in no git repository with a commit, by which a model's version could be traced: "
            "commit it first (git init && git add --all && git commit)"
        )
    origin = _git(folder, "remote", "get-url", "origin")
    return Project(
        folder=folder.absolute(),
        pipeline=pipeline,
        repository=as_the_owner_sees_it(redacted(origin)) if origin else as_the_owner_sees_it(folder),
        commit=commit,
        is_dirty=bool(_git(folder, "status", "--porcelain", "--", ".")),
    )


def checked_out(repository: str, commit: str, target: Path) -> Project:
    """Copy the files of a commit to `target`, in place of what stood there."""
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        fresh = Path(scratch) / "project"
        take_commit(find_remote(repository), commit, fresh)
        pipeline = load_pipeline(fresh)
        if target.exists():
            shutil.move(target, Path(scratch) / "before")
        fresh.rename(target)
    return Project(target, pipeline, as_the_owner_sees_it(repository), commit)


def _git(folder: Path, *arguments: str) -> str:
    command = ("git", "-C", str(folder), *arguments)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False)
    except FileNotFoundError as error:
        raise InvalidInput("the program `git` is not installed here: install git and try again") from error
    return done.stdout.strip() if done.returncode == 0 else ""
