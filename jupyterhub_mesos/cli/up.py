"""`up`: proxy, capacity service and hub on this machine, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
from pathlib import Path
from typing import Final

from jupyterhub_mesos.cli.supervisor import Supervisor, SupervisorSettings
from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.statefolder import LOOPBACK, StateFolder

FIRST_CHOICE_PORT: Final = 8000
"""JupyterHub's own; another free one is taken where something holds it."""


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM; what runs for people goes on unless told to end."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if not args.config.is_file():
        raise InvalidInput(
            "there is no such file: run this in the repository, or name the configuration with --config",
            where=str(args.config),
        )
    settings = SupervisorSettings(
        state=args.state,
        config=args.config,
        public_port=port(args.port, args.state),
        stop_notebooks=args.stop_notebooks,
    )
    asyncio.run(_serve(settings))
    return 0


async def _serve(settings: SupervisorSettings) -> None:
    async with Supervisor(settings) as up:
        print(f"Serving at {up.urls.public} (logs in {up.folder.logs}); Ctrl-C ends it.", flush=True)
        await up.until_ended()
        print("Stopping hub, service and proxy.", flush=True)
    kept = "" if settings.stop_notebooks else " Notebooks and jobs go on; `up` finds them again."
    print(f"Stopped.{kept}", flush=True)


def port(asked: int | None, state: Path) -> int:
    """Return the public port: the one chosen before for this state folder, else as asked, else a free one.

    Raises `InvalidInput` where another was chosen before than is asked for now.
    """
    folder = StateFolder.at(state)
    if (folder.root / "ports.json").exists():
        chosen = folder.ports().public
        if asked not in {None, chosen}:
            raise InvalidInput(
                f"port {asked} asked for, but this state folder uses {chosen}: leave --port out, "
                "name another --state, or remove its ports.json while nothing runs",
                where=str(folder.root),
            )
        return chosen
    if asked is not None:
        return asked
    return FIRST_CHOICE_PORT if is_free(FIRST_CHOICE_PORT) else 0


def is_free(number: int) -> bool:
    """Say whether nothing listens on the port here."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, number))
        except OSError:
            return False
    return True
