"""`python -m jupyterhub_mesos.lake.credentials NAME`: a session for a connection, as AWS's libraries want it.

They start this as the `credential_process` of a profile when they need a session, and again before it
expires. It asks the capacity service with the task's own token, prints the session, and keeps nothing.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from jupyterhub_mesos.client_http import Transport
from jupyterhub_mesos.errors import CapacityError, InvalidInput
from jupyterhub_mesos.lake.handout import TOKEN_VARIABLE
from jupyterhub_mesos.wire import API_PREFIX, LakeCredentials

CALL_SECONDS: Final = 30.0
_TOKENS: Final = (TOKEN_VARIABLE, "JUPYTERHUB_API_TOKEN")
_ADDRESSES: Final = ("CAPACITY_API_URL", "CAPACITY_URL")


def fetch(name: str, environ: Mapping[str, str]) -> LakeCredentials:
    """Ask the service for a session; raises `CapacityError`."""
    token, address = _first(environ, _TOKENS), _first(environ, _ADDRESSES)
    if not token or not address:
        lacking = " or ".join(_ADDRESSES if token else _TOKENS)
        raise InvalidInput(f"{lacking} is not set: this works in what the capacity service has started")
    base = address.rstrip("/").removesuffix(API_PREFIX) + API_PREFIX
    answer = Transport(base, token, CALL_SECONDS).call("POST", f"/lake/{quote(name, safe='')}/credentials")
    return LakeCredentials.model_validate_json(answer)


def process_output(session: LakeCredentials) -> str:
    """Spell a session as a credential process does."""
    said: dict[str, object] = {
        "Version": 1,
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key,
        "Expiration": datetime.fromtimestamp(session.expiration, UTC).isoformat(),
    }
    if session.session_token:
        said["SessionToken"] = session.session_token
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
