"""One value for a data source of a team, lowered for each backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.tasks import Mount, MountMode


@dataclass(frozen=True, slots=True)
class LakeMount:
    """A data source (`uri`) that a team's tasks see at `path` (relative: under the home).

    `credentials` are what a reader needs besides, by name; never shown.
    """

    team: str
    uri: str
    path: str
    mode: MountMode = MountMode.READ_WRITE
    credentials: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


def lower_local(mount: LakeMount) -> Mount:
    """Turn a data source into a folder of this machine; raises `InvalidInput` for one that is none."""
    parts = urlsplit(mount.uri)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise InvalidInput(f"{mount.uri} cannot be mounted on this machine: use file:///a/folder")
    return Mount(unquote(parts.path), mount.path, mount.mode)
