"""Tasks as local processes that outlive the service."""

from jupyterhub_mesos.backends.local.backend import LocalBackend

__all__ = ["LocalBackend"]
