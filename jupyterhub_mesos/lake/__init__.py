"""The team's data lake: data sources become mounts and environment."""

from jupyterhub_mesos.lake.folders import Lake
from jupyterhub_mesos.lake.mounts import LakeMount, lower_local

__all__ = ["Lake", "LakeMount", "lower_local"]
