"""What the extra `simulate` brings, and how its lack is said."""

from __future__ import annotations

from jupyterhub_mesos.errors import Unavailable


def missing(package: str, purpose: str, otherwise: str) -> Unavailable:
    """Say that a package of the extra is not installed."""
    return Unavailable(
        f"{purpose} with {package}, which is not installed: "
        f"pip install 'jupyterhub-mesos[simulate]', {otherwise}"
    )
