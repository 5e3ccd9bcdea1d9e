"""Servers on the machine of the service, by its `local` backend."""

from __future__ import annotations

from jupyterhub_mesos_spawner.service_spawner import ServiceSpawner


class LocalSpawner(ServiceSpawner):
    """Starts single-user servers as processes of the capacity service's own machine."""
