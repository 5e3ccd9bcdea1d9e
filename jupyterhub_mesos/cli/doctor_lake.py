"""`doctor --lake FILE`: whether each connection of lake.yaml answers, with the cure where it does not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

from jupyterhub_mesos.backends.base import Fact
from jupyterhub_mesos.errors import CapacityError
from jupyterhub_mesos.wire import ConnectionModel

CURE = "look at its key, endpoint, bucket and role; docs/reference/lake.md explains each"


def facts_of_lake(path: Path) -> Iterator[Fact]:
    """Open each connection as the service does, and ask its bucket for one name."""
    from jupyterhub_mesos.configuration import load_connections  # noqa: PLC0415 - PyYAML may be missing

    try:
        model = load_connections(path)
    except CapacityError as error:
        yield Fact("lake", holds=False, detail=str(error), cure="mend the file")
        return
    if not model.connections:
        yield Fact("lake", holds=True, detail=f"{path} names no connection")
    for name, connection in model.connections.items():
        yield _answers(name, connection)


def _answers(name: str, connection: ConnectionModel) -> Fact:
    from jupyterhub_mesos.lake.sessions import Sessions, look  # noqa: PLC0415 - as above

    try:
        session = asyncio.run(Sessions(time.time).session(name, connection, "doctor"))
        look(name, connection, session)
    except CapacityError as error:
        return Fact(f"lake {name}", holds=False, detail=str(error), cure=CURE)
    how = f"a session of {connection.session.kind}" if connection.session else "the key itself"
    return Fact(f"lake {name}", holds=True, detail=f"{connection.bucket} answers, by {how}")
