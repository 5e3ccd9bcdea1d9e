"""Data sources beside the folders: what lake.yaml says, and what the service answers about them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from jupyterhub_mesos.wire.base import Name, Paged, Text, Wire

LEAST_SESSION_SECONDS = 1200
"""Twenty minutes: a helper asked at the beginning of a long transfer must not be asked again in it."""

Bucket = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$")]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
Address = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/@]+(/[^\s@]*)?$")]


def variable_part(name: str) -> str:
    """Spell a connection's name as the end of a variable's: `raw-data` is RAW_DATA."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


class CredentialsModel(Wire):
    """Where the service finds a key, never the key itself: one of the two is given."""

    file: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None = None
    env: Variable | None = None


class SessionModel(Wire):
    """How a short-lived session is made of the key, by STS."""

    kind: Literal["assume-role", "session-token"] = "assume-role"
    role: Text = ""
    endpoint: Address | None = None
    seconds: Annotated[int, Field(ge=LEAST_SESSION_SECONDS, le=43200)] = 3600


class ConnectionModel(Wire):
    """One source of lake.yaml."""

    title: Text = ""
    kind: Literal["s3"] = "s3"
    endpoint: Address | None = None
    bucket: Bucket
    prefix: Annotated[str, StringConstraints(pattern=r"^[^/\s][^\s]*$|^$", max_length=512)] = ""
    region: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")] = "us-east-1"
    mode: Literal["ro", "rw"] = "ro"
    teams: tuple[Name, ...]
    credentials: CredentialsModel
    session: SessionModel | None = None


class LakeModel(Wire):
    """lake.yaml: the sources by name."""

    connections: dict[Name, ConnectionModel] = Field(default_factory=dict)


class ConnectionView(Wire):
    """One source as a member of one of its teams sees it: everything but how it is opened."""

    name: str
    title: str
    kind: Literal["s3"] = "s3"
    endpoint: str | None
    bucket: str
    prefix: str
    region: str
    mode: Literal["ro", "rw"]


class ConnectionsView(Paged):
    """`GET /lake`: the sources that the asker's teams have."""

    connections: tuple[ConnectionView, ...]


class LakeCredentials(Wire):
    """`POST /lake/NAME/credentials`: a session, until `expiration` (Unix seconds)."""

    access_key_id: str = Field(repr=False)
    secret_access_key: str = Field(repr=False)
    session_token: str = Field(default="", repr=False)
    expiration: float
