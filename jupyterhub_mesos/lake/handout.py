"""What a task is given of its team's connections: variables, an AWS configuration, and never a key.

The configuration names our helper as `credential_process`; it asks the service for a session when one is
needed, with the task's own token, and hands it to whoever started it (boto3, s3fs, pyarrow, rclone).
"""

from __future__ import annotations

import hashlib
import hmac
import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from jupyterhub_mesos.lake.credentials import TOKEN_VARIABLE
from jupyterhub_mesos.tasks import TaskFile, verbatim
from jupyterhub_mesos.wire import ConnectionsView, ConnectionView
from jupyterhub_mesos.wire.lake import variable_part

SOURCES_VARIABLE: Final = "LAKE_SOURCES"
"""Where the list of connections lies."""
TOKEN_PREFIX: Final = "caplake_"  # noqa: S105 - the beginning, not a secret
CONFIG_FILE: Final = "lake/aws-config"
SOURCES_FILE: Final = "lake/sources.json"


def lake_token(allocation_id: str, secret: str) -> str:
    """Derive the token of an allocation's tasks from its secret, which also serves other ends."""
    return f"{TOKEN_PREFIX}{allocation_id}.{hmac.new(secret.encode(), b'lake', hashlib.sha256).hexdigest()}"


def named_allocation(token: str) -> str:
    """Return the allocation that a token names; that the token is genuine is not said."""
    return token.removeprefix(TOKEN_PREFIX).rpartition(".")[0]


def environment(connections: Sequence[ConnectionView], api_url: str, token: str) -> Mapping[str, str]:
    """Return the variables, as a TaskSpec holds them: the first connection's plain, each with its name."""
    if not connections:
        return {}
    env = {
        "AWS_CONFIG_FILE": f"{{task}}/{CONFIG_FILE}",
        SOURCES_VARIABLE: f"{{task}}/{SOURCES_FILE}",
        TOKEN_VARIABLE: token,
        "CAPACITY_API_URL": verbatim(api_url),
    }
    env |= _variables(connections[0], "")
    for connection in connections:
        env |= _variables(connection, f"_{variable_part(connection.name)}")
    return env


def _variables(connection: ConnectionView, ending: str) -> dict[str, str]:
    values = {
        "AWS_S3_ENDPOINT": connection.endpoint or "",
        "AWS_S3_BUCKET": connection.bucket,
        "AWS_S3_PREFIX": connection.prefix,
        "AWS_DEFAULT_REGION": connection.region,
    }
    return {f"{name}{ending}": verbatim(value) for name, value in values.items() if value}


def files(connections: Sequence[ConnectionView], python: str) -> tuple[TaskFile, ...]:
    """Return the files of a task's own folder; `python` is the node's interpreter with our modules."""
    if not connections:
        return ()
    profiles = [_profile("default", connections[0], python)]
    profiles += [_profile(f"profile {connection.name}", connection, python) for connection in connections]
    listed = ConnectionsView(connections=tuple(connections))
    return (
        TaskFile(CONFIG_FILE, "\n".join(profiles).encode()),
        TaskFile(SOURCES_FILE, listed.model_dump_json(indent=1).encode()),
    )


def _profile(title: str, connection: ConnectionView, python: str) -> str:
    # -I: nothing of the owner's home or folder can stand in for a module of the helper.
    command = shlex.join((python, "-I", "-m", "jupyterhub_mesos.lake.credentials", connection.name))
    lines = [f"[{title}]", f"region = {connection.region}", f"credential_process = {command}"]
    if connection.endpoint:
        lines.append(f"endpoint_url = {connection.endpoint}")
    return "\n".join([*lines, ""])
