"""`python -m jupyterhub_mesos.service --config=jupyterhub_config.py`: run the capacity service."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sys
from typing import Final

from jupyterhub_mesos.configuration import load_connections
from jupyterhub_mesos.errors import CapacityError
from jupyterhub_mesos.service import logs
from jupyterhub_mesos.service.app import Parts, run
from jupyterhub_mesos.service.controller import ControllerSettings
from jupyterhub_mesos.service.settings import CapacityService, CapacitySettings
from jupyterhub_mesos.wire import LakeModel

SECONDS_PER_DAY: Final = 86400.0


def parts(settings: CapacitySettings) -> Parts:
    """Return the backend and lake that were configured."""
    from jupyterhub_mesos.backends.registry import create_backend  # noqa: PLC0415 - only what is configured
    from jupyterhub_mesos.lake import Lake  # noqa: PLC0415 - as above
    from jupyterhub_mesos.lake.connections import Connections  # noqa: PLC0415 - as above

    model = load_connections(settings.lake_file) if settings.lake_file is not None else LakeModel()

    return Parts(
        backend=create_backend(settings.backend, settings.state_dir, settings.backend_options),
        lake=Lake(settings.state_dir / "lake"),
        controller=ControllerSettings(
            job_key=hashlib.sha256(f"jobs:{settings.cookie_secret}".encode()).digest(),
            connections=Connections(model),
            output_seconds=settings.output_days * SECONDS_PER_DAY,
            stop_grace_seconds=settings.stop_grace_seconds,
            confirm_minutes=settings.confirm_minutes,
        ),
    )


def main(argv: list[str] | None = None) -> int:
    """Read the settings and serve; returns the exit status."""
    logs.begin()
    service = CapacityService()
    try:
        service.initialize(argv)
        settings = service.settings()
        logs.write_as(settings.watching.log_style)
        asyncio.run(run(settings, parts(settings)))
    except CapacityError as error:
        logging.getLogger("jupyterhub_mesos.service").error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
