"""`requirements.lock` of a project: the notebook's own packages, and what the steps need besides."""

from __future__ import annotations

from typing import Final

from packaging.utils import canonicalize_name

from jupyterhub_mesos.export.lineage import locked
from jupyterhub_mesos.wire import Environment

STEPS_NEED: Final = ("jupyterhub-mesos[pipeline]",)
"""What runs `jupyterhub-mesos pipeline run`."""
_HEAD: Final = (
    "# Exactly what the notebook was written with, and what the steps need; pip install --no-deps -r\n"
)


def lock_text(environment: Environment) -> str:
    """Write the lock; a package that both name has the notebook's version."""
    versions = locked(STEPS_NEED)
    for line in environment.packages:
        name, _, version = line.partition("==")
        versions[canonicalize_name(name)] = version
    return _HEAD + "".join(f"{name}=={version}\n" for name, version in sorted(versions.items()))


def locked_packages(text: str) -> tuple[str, ...]:
    """Read a lock's lines back."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))
