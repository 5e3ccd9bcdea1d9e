"""How paths and the team are spelled for the service: as the owner sees them, from any node."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from jupyterhub_mesos.export.git import is_url

LAKE: Final = "lake"
"""The folder of the home in which the lake's sources stand, as mounts or as links."""


def as_the_owner_sees_it(path: Path | str) -> str:
    """Spell a repository's path `~/…` where it lies below the home or the lake; a URL stays.

    A process that stands in a repository of the lake may see it by another way (links are resolved).
    """
    if is_url(str(path)):
        return str(path)
    given = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - keeps links
    home = Path.home()
    if given.is_relative_to(home):
        return f"~/{given.relative_to(home).as_posix()}"
    real = Path(os.path.realpath(given))
    for place in _places(home):
        target = Path(os.path.realpath(place))
        if real.is_relative_to(target):
            inside = real.relative_to(target)
            return f"~/{(place.relative_to(home) / inside).as_posix()}"
    return str(given)


def _places(home: Path) -> list[Path]:
    lake = home / LAKE
    return [*(sorted(lake.iterdir()) if lake.is_dir() else ()), home]


def team_here() -> str | None:
    """Return the team that this process works for; None where the service has to know."""
    return os.environ.get("CAPACITY_TEAM") or None
