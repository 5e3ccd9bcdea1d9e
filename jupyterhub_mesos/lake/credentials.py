"""`python -m jupyterhub_mesos.lake.credentials NAME`: a session for a connection, as AWS's libraries want it.

They start this as the `credential_process` of a profile when they need a session, and again before it
expires. It asks the capacity service with the task's own token, prints the session, and keeps nothing.
It imports little (no pydantic), because every process that opens a bucket waits for it.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from jupyterhub_mesos.client_http import Transport
from jupyterhub_mesos.errors import CapacityError, InvalidInput, Unavailable

TOKEN_VARIABLE: Final = "LAKE_TOKEN"  # noqa: S105 - the variable's name, not a secret
"""The token that is good for the credentials of the task's team, as long as its allocation lives."""
API_PREFIX: Final = "/api/v1"
"""As in `wire`, which is too much to import for one word."""
CALL_SECONDS: Final = 30.0
_TOKENS: Final = (TOKEN_VARIABLE, "JUPYTERHUB_API_TOKEN")
_ADDRESSES: Final = ("CAPACITY_API_URL", "CAPACITY_URL")


def fetch(name: str, environ: Mapping[str, str]) -> bytes:
    """Ask the service for a session; return its `LakeCredentials` as JSON. Raises `CapacityError`."""
    token, address = _first(environ, _TOKENS), _first(environ, _ADDRESSES)
    if not token or not address:
        lacking = " or ".join(_ADDRESSES if token else _TOKENS)
        raise InvalidInput(f"{lacking} is not set: this works in what the capacity service has started")
    base = address.rstrip("/").removesuffix(API_PREFIX) + API_PREFIX
    return Transport(base, token, CALL_SECONDS).call("POST", f"/lake/{quote(name, safe='')}/credentials")


def process_output(answer: bytes) -> str:
    """Spell the service's answer as a credential process does; raises `Unavailable` for another answer."""
    try:
        session: dict[str, Any] = json.loads(answer)
        said: dict[str, object] = {
            "Version": 1,
            "AccessKeyId": session["access_key_id"],
            "SecretAccessKey": session["secret_access_key"],
            "Expiration": datetime.fromtimestamp(session["expiration"], UTC).isoformat(),
        }
        if session["session_token"]:
            said["SessionToken"] = session["session_token"]
    except (ValueError, TypeError, KeyError):
        raise Unavailable("the service's answer is no session: is CAPACITY_API_URL its address?") from None
    return json.dumps(said)


def main(arguments: Sequence[str]) -> int:
    """Print a session, or a sentence on stderr; returns the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m jupyterhub_mesos.lake.credentials CONNECTION\n")
        return 2
    try:
        sys.stdout.write(process_output(fetch(arguments[0], os.environ)) + "\n")
    except CapacityError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _first(environ: Mapping[str, str], names: Sequence[str]) -> str:
    return next((environ[name] for name in names if environ.get(name)), "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
