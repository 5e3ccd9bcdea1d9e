"""Where a model came from: its notebook, its job, its data and the exact packages that made it."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.export.bundle import JobRun, LakeInput, Lineage, Notebook, Project, sha256_of
from jupyterhub_mesos.export.git import is_url, redacted

SERVING: Final = ("jupyterhub-mesos[serving]",)
"""What a bundle needs to be verified and served."""
_GIT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the owner says the model came from; `job` is an id or `(id, generation)`.

    `pipeline` is `(repository, commit)` of the project whose run publishes it.
    """

    notebook: str | os.PathLike[str] | None = None
    job: str | tuple[str, int] | None = None
    pipeline: tuple[str, str] | None = None
    lake: Sequence[str | os.PathLike[str]] = ()


def trace(origin: Origin, *, environment: Mapping[str, str], python: str) -> Lineage:
    """Collect the lineage; raises InvalidInput for a notebook or data that is not there."""
    return Lineage(
        notebook=_notebook(origin.notebook),
        job=_job(origin.job),
        pipeline=_project(origin.pipeline),
        lake=tuple(_lake_input(os.fspath(uri)) for uri in origin.lake),
        environment=dict(environment),
        python=python,
    )


def _project(pipeline: tuple[str, str] | None) -> Project | None:
    if pipeline is None:
        return None
    repository, commit = pipeline
    return Project(repository=redacted(repository), commit=commit)


def _job(job: str | tuple[str, int] | None) -> JobRun | None:
    if job is None:
        return None
    request_id, generation = (job, 1) if isinstance(job, str) else job
    return JobRun(request_id=request_id, generation=generation)


def _notebook(named: str | os.PathLike[str] | None) -> Notebook | None:
    """Describe the notebook that was named, or that Jupyter says the kernel belongs to."""
    text = named if named is not None else os.environ.get("JPY_SESSION_NAME")
    if not text:
        return None
    path = Path(text).expanduser()
    if named is None and not path.is_file():
        path = Path(path.name)  # Jupyter may say it from its own root; a kernel starts beside its notebook
    if not path.is_file():
        if named is None:
            return None  # a console's session, or a notebook that was renamed
        raise InvalidInput(f"there is no notebook {path}: name the file's path, or leave `notebook` out")
    commit = _git(path.parent, "rev-parse", "HEAD")
    return Notebook(
        path=str(path),
        sha256=sha256_of(path),
        commit=commit,
        is_dirty=bool(commit) and bool(_git(path.parent, "status", "--porcelain", "--", path.name)),
    )


def _git(folder: Path, *arguments: str) -> str:
    """Ask git about a folder of the user's own; empty where it is no repository or git is not installed."""
    try:
        done = subprocess.run(
            ("git", "-C", str(folder), *arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""


def _lake_input(uri: str) -> LakeInput:
    if is_url(uri) and not uri.startswith("file://"):
        raise InvalidInput(f"{uri} cannot be read from here for its checksum: name a path under ~/lake")
    path = Path(uri.removeprefix("file://")).expanduser()
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    if not path.exists():
        raise InvalidInput(f"there is no {path} in the lake: name the data that the model was made from")
    return LakeInput(
        uri=uri,
        sha256=_sha256_of_all(path, files),
        size_bytes=sum(file.stat().st_size for file in files),
    )


def _sha256_of_all(root: Path, files: Sequence[Path]) -> str:
    """Hash one file, or a folder as the list of its files' names and hashes (as `sha256sum` prints them)."""
    if root.is_file():
        return sha256_of(root)
    lines = (f"{sha256_of(file)}  {file.relative_to(root).as_posix()}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def locked(packages: Iterable[str]) -> dict[str, str]:
    """Give the installed version of each package and of everything it needs, by name.

    What is not installed here (another platform's dependency) is left out.
    """
    versions: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(package) for package in packages]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *sorted(requirement.extras)):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            try:
                found = metadata.distribution(name)
            except metadata.PackageNotFoundError:
                continue
            versions[name] = found.version
            waiting += _needed(found, extra)
    return dict(sorted(versions.items()))


def _needed(found: metadata.Distribution, extra: str) -> list[Requirement]:
    needed = (Requirement(line) for line in found.requires or ())
    return [one for one in needed if one.marker is None or one.marker.evaluate({"extra": extra})]


def lock_text(versions: dict[str, str]) -> str:
    """Write a lock that `pip install --no-deps -r` takes."""
    head = "# Exactly what the bundle was verified with; made at the export.\n"
    return head + "".join(f"{name}=={version}\n" for name, version in versions.items())
