"""The team's data lake: data sources become mounts and environment, and are read and written from notebooks.

In a notebook: `from jupyterhub_mesos.lake import filesystem, open_lake`; both load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyterhub_mesos.lake.folders import Lake
from jupyterhub_mesos.lake.mounts import LakeMount, lower_local

if TYPE_CHECKING:
    from jupyterhub_mesos.lake.sources import filesystem as filesystem
    from jupyterhub_mesos.lake.sources import open_lake as open_lake

__all__ = ["Lake", "LakeMount", "filesystem", "lower_local", "open_lake"]


def __getattr__(name: str) -> object:
    if name in {"filesystem", "open_lake"}:
        from jupyterhub_mesos.lake import sources  # noqa: PLC0415 - it needs more than a service's mounts do

        return getattr(sources, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
