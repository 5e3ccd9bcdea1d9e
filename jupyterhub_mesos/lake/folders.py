"""The embedded lake: a folder per team that its members alone write, and a shared one that everybody reads.

```
<root>/<team>/   2770, the team's group: files made in it belong to the group (setgid), tasks have umask 002
<root>/shared/   2775: tasks see it read-only
<root>/.groups.json   which group id each team has, for ever
```
"""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jupyterhub_mesos.errors import BackendError, InvalidInput
from jupyterhub_mesos.lake.mounts import LakeMount, lower_local
from jupyterhub_mesos.numbers import NumberBook
from jupyterhub_mesos.safe_names import safe_name
from jupyterhub_mesos.tasks import Mount, MountMode

TEAM_GIDS: Final = range(40_000, 50_000)
"""Group ids of teams; apart from those of accounts (20000 to 29999)."""
SHARED: Final = "shared"
TEAM_MODE: Final = 0o2770
SHARED_MODE: Final = 0o2775
HOME_TEAM: Final = "lake/team"
HOME_SHARED: Final = "lake/shared"


class Lake:
    """The teams' folders under `root`; one process makes them."""

    def __init__(self, root: Path, gids: range = TEAM_GIDS) -> None:
        self._root = Path(os.path.realpath(root))
        self._book = NumberBook(self._root / ".groups.json", gids, _is_gid_of_machine)

    def group(self, team: str) -> int | None:
        """Return the group id of the team's tasks; None where we are not root and all is one account."""
        return self._book.number(team) if os.geteuid() == 0 else None

    def groups(self, team: str) -> tuple[int, ...]:
        """Return `group` as `TaskSpec.groups` wants it."""
        group = self.group(team)
        return () if group is None else (group,)

    def path(self, team: str) -> Path:
        """Return the team's folder; a team of any name has one of its own."""
        if team == SHARED:
            raise InvalidInput(f"a team may not be named {SHARED!r}: that is the lake's folder for everybody")
        return self._root / safe_name(team)

    def prepare(self, team: str) -> Path:
        """Make the team's folder and the shared one where they are missing, and set who may use them."""
        path = self.path(team)
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            self._root.chmod(0o711)
            _make(self._root / SHARED, SHARED_MODE, None)
            _make(path, TEAM_MODE, self.group(team))
        except OSError as error:
            raise BackendError(f"the lake's folder {path} could not be made: {error}") from error
        return path

    def lake_mounts(self, team: str) -> tuple[LakeMount, ...]:
        """Return what a team sees of the lake, in words that no backend owns."""
        team_path, shared_path = self.path(team), self._root / SHARED
        return (
            LakeMount(team, team_path.as_uri(), HOME_TEAM, MountMode.READ_WRITE),
            LakeMount(team, shared_path.as_uri(), HOME_SHARED, MountMode.READ_ONLY),
        )

    def mounts(self, team: str, user: str) -> tuple[Mount, ...]:
        """Return the mounts of a task of `user` in `team` on this machine."""
        del user  # every member of a team sees the same
        return tuple(lower_local(mount) for mount in self.lake_mounts(team))

    def env(self, team: str) -> Mapping[str, str]:
        """Return where the lake is, as a task sees it; a backend fills in `{home}`."""
        del team  # the same place under each member's home
        return {
            "LAKE_TEAM_URI": f"file://{{home}}/{HOME_TEAM}",
            "LAKE_SHARED_URI": f"file://{{home}}/{HOME_SHARED}",
        }


def _make(path: Path, mode: int, group: int | None) -> None:
    path.mkdir(exist_ok=True)
    if group is not None and path.stat().st_gid != group:
        os.chown(path, -1, group)
    if stat.S_IMODE(path.stat().st_mode) != mode:
        path.chmod(mode)  # after chown, which clears setgid


def _is_gid_of_machine(gid: int) -> bool:
    try:
        grp.getgrgid(gid)
    except KeyError:
        return False
    return True
