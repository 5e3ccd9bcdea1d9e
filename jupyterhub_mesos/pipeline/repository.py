"""A bare repository of the team whose pushes start the pipeline: the embedded CI."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from pathlib import Path
from string import Template
from typing import Final

from jupyterhub_mesos.errors import Conflict, InvalidInput
from jupyterhub_mesos.export.git import init_bare

LAKE: Final = "~/lake/team"
PIPELINES: Final = f"{LAKE}/pipelines"
"""Where a repository that is not there is made: the team's own folder, where every member finds it."""
HOOK: Final = "post-receive"
_FOLDER_MODE: Final = 0o2775
_HOOK_MODE: Final = 0o755
"""Written by its maker alone: a hook runs as whoever pushes."""

_SCRIPT: Final = Template("""\
#!/bin/sh
# Made by `jupyterhub-mesos pipeline create-repository`: each push to main is queued as a pipeline of the
# pusher's team. The push has succeeded when this runs, so nothing here makes it fail.
python=$python
if [ ! -x "$$python" ]; then
    echo "The pipeline was not started: there is no $$python any more. Start it by hand with"
    echo "  jupyterhub-mesos pipeline submit REPOSITORY"
    echo "and mend this hook with: jupyterhub-mesos pipeline create-repository --mend REPOSITORY"
    exit 0
fi
"$$python" -P -m jupyterhub_mesos.pipeline.hook || echo "The pipeline was not started; the push stands."
exit 0
""")


def create_repository(path: Path | str, *, mend: bool = False) -> Path:
    """Make a bare repository that the team shares, with the hook; return its path.

    With `mend` only the hook of an existing one is written anew. Raises
    `Conflict` for a path that is taken, `InvalidInput` for one that cannot be.
    """
    target = absolute(path)
    if mend:
        return _mended(target)
    if target.exists():
        raise Conflict(f"{target} is there already: name another path, or give --mend to renew its hook")
    _make_parents(target.parent)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        made = Path(scratch) / "repository"
        init_bare(made)
        _write_hook(made)
        _move(made, target)
    return target


def _move(made: Path, target: Path) -> None:
    try:
        made.rename(target)
    except OSError as error:
        raise Conflict(f"somebody made {target} at the same moment: use that one") from error


def absolute(path: Path | str) -> Path:
    """Return a path as it is meant, links kept: `~/lake/team` may be one."""
    return Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - keeps links


def is_ours_to_make(path: Path | str) -> bool:
    """Say whether a missing repository at `path` is made: below the team's folder of pipelines."""
    target, place = absolute(path), absolute(PIPELINES)
    is_below = target.is_relative_to(place) and target != place
    return is_below and absolute(LAKE).is_dir() and not target.exists()


def _mended(target: Path) -> Path:
    if not (target / "HEAD").is_file() or not (target / "objects").is_dir():
        raise InvalidInput(f"{target} is no bare git repository: name one, or leave --mend out to make it")
    try:
        _write_hook(target)
    except PermissionError as error:
        raise InvalidInput(f"{target} belongs to somebody else, who has to mend its hook: {error}") from error
    return target


def _make_parents(folder: Path) -> None:
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for one in missing:
            one.chmod(_FOLDER_MODE)
    except OSError as error:
        raise InvalidInput(
            f"{folder} cannot be made ({error.strerror}): name a folder that you may write"
        ) from error


def _write_hook(repository: Path) -> None:
    hooks = repository / "hooks"
    partial = hooks / f".{HOOK}.partial"
    hooks.mkdir(exist_ok=True)
    hooks.chmod(_HOOK_MODE)
    partial.write_text(_SCRIPT.substitute(python=shlex.quote(sys.executable)), encoding="utf-8")
    partial.chmod(_HOOK_MODE)
    partial.replace(hooks / HOOK)
