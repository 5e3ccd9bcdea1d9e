"""What the demo puts into the lake before anybody logs in: a real dataset and a git repository for models."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from sklearn import datasets  # type: ignore[import-untyped] # pyright: ignore[reportMissingTypeStubs]

from jupyterhub_mesos.cli.demo_probes import git
from jupyterhub_mesos.lake import Lake

DEMO_TEAMS: Final = ("vision", "speech")


def fill_lake(root: Path) -> Path:
    """Lay scikit-learn's digits (1,797 real images) and the team's model repository into the lake at `root`.

    Idempotent: what is there already is left as it is. Returns the path of the repository.
    """
    lake = Lake(root)
    for team in DEMO_TEAMS:
        lake.prepare(team)
    _write_digits(root / "shared" / "digits")
    repository = root / "vision" / "models.git"
    if not os.path.lexists(repository):
        _make_repository(repository, root, lake.group("vision"))
    return repository


def _make_repository(repository: Path, root: Path, group: int | None) -> None:
    """Make a bare repository where only we may write, and put it in its place whole.

    A member of the team could lay a link into the team's folder while we work there as root.
    """
    with tempfile.TemporaryDirectory(dir=root, prefix=".making-") as private:
        made = Path(private) / repository.name
        git(made, "init", "--quiet", "--bare", "--shared=group", "--initial-branch=main", str(made))
        _give_to_group(made, group)
        made.rename(repository)


def _write_digits(folder: Path) -> None:
    target = folder / "digits.npz"
    if target.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    digits = cast("dict[str, Any]", datasets.load_digits())  # pyright: ignore[reportUnknownMemberType]
    partial = folder / ".digits.npz.partial"
    with partial.open("wb") as file:
        np.savez_compressed(file, images=digits["images"].astype(np.float32), target=digits["target"])
    partial.rename(target)
    folder.chmod(0o755)
    target.chmod(0o644)


def _give_to_group(repository: Path, group: int | None) -> None:
    """Let every member of the team push: the folder's setgid bit does the rest (only root may do this)."""
    if group is None or os.geteuid() != 0:
        return
    for path in (repository, *repository.rglob("*")):
        os.chown(path, -1, group, follow_symlinks=False)
        if path.is_symlink():
            continue
        path.chmod(path.stat().st_mode | (0o2070 if path.is_dir() else 0o060))
