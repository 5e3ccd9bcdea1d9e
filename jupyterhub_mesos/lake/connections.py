"""The connections of lake.yaml as the service uses them: which team has which, and the key of each."""

from __future__ import annotations

import configparser
import os
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.wire import ConnectionModel, ConnectionView, LakeModel

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
ENDINGS: Final = ("_ACCESS_KEY_ID", "_SECRET_ACCESS_KEY", "_SESSION_TOKEN")
"""Of the variables that `credentials: {env: NAME}` names, in the order of a `Key`."""


@dataclass(frozen=True, slots=True)
class Key:
    """What opens a connection; never shown."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Connections:
    """Every connection that an admin has defined."""

    model: LakeModel = field(default_factory=LakeModel)

    def of(self, teams: Collection[str]) -> tuple[ConnectionView, ...]:
        """Return what the members of these teams may open, in the order of the file."""
        return tuple(
            connection_view(name, connection)
            for name, connection in self.model.connections.items()
            if not set(teams).isdisjoint(connection.teams)
        )

    def get(self, name: str, teams: Collection[str]) -> ConnectionModel | None:
        """Return a connection that one of these teams has."""
        found = self.model.connections.get(name)
        return None if found is None or set(teams).isdisjoint(found.teams) else found

    def complaints(self, teams: Collection[str]) -> Iterator[str]:
        """Say what is wrong with each connection that can be known without asking its source."""
        for name, connection in self.model.connections.items():
            for team in connection.teams:
                if team not in teams:
                    yield f"connection {name}: there is no team {team!r}"
            try:
                read_key(name, connection)
            except InvalidInput as error:
                yield str(error)


def connection_view(name: str, connection: ConnectionModel) -> ConnectionView:
    """Return what a member of the team may know of a connection."""
    return ConnectionView(
        name=name,
        title=connection.title,
        endpoint=connection.endpoint,
        bucket=connection.bucket,
        prefix=connection.prefix.strip("/"),
        region=connection.region,
        mode=connection.mode,
    )


def read_key(name: str, connection: ConnectionModel, environ: Mapping[str, str] | None = None) -> Key:
    """Read a connection's key anew, so that a changed one holds at once; raises `InvalidInput`."""
    given = connection.credentials
    if given.file is not None:
        return _from_file(name, Path(given.file))
    return _from_environment(name, given.env or "", os.environ if environ is None else environ)


def _from_environment(name: str, prefix: str, environ: Mapping[str, str]) -> Key:
    values = [environ.get(prefix + ending, "") for ending in ENDINGS]
    if not values[0] or not values[1]:
        raise InvalidInput(
            f"connection {name}: {prefix}{ENDINGS[0]} and {prefix}{ENDINGS[1]} are not both set in the "
            "service's environment: set them, and start the service again"
        )
    return Key(*values)


def _from_file(name: str, path: Path) -> Key:
    """Read a file in the form of AWS's `credentials`: its section `default`, or its only one."""
    where = f"connection {name}: {path}"
    try:
        with path.open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & OTHERS:
                raise InvalidInput(f"{where} can be read by others than the service: chmod 600 {path}")
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InvalidInput(f"{where} cannot be read: {reason}") from error
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error:  # its text would repeat the line at fault
        raise InvalidInput(f"{where} is not in the form that docs/reference/lake.md shows") from None
    sections = parser.sections()
    if "default" not in sections and len(sections) != 1:
        raise InvalidInput(f"{where} has no section [default]")
    section = parser["default" if "default" in sections else sections[0]]
    key = Key(
        section.get("aws_access_key_id", ""),
        section.get("aws_secret_access_key", ""),
        section.get("aws_session_token", ""),
    )
    if not key.access_key_id or not key.secret_access_key:
        raise InvalidInput(f"{where} lacks aws_access_key_id or aws_secret_access_key")
    return key
