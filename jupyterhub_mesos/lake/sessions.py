"""Sessions for those who open a connection: short-lived ones of STS, or the key itself with a date.

A session that is handed out is good for twenty minutes or more. One that was made for somebody is
handed out to all of their tasks as long as that holds, so that a job of many workers asks STS once.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, cast

from jupyterhub_mesos.errors import Unavailable
from jupyterhub_mesos.lake.connections import Key, read_key
from jupyterhub_mesos.lake.s3 import LACKING
from jupyterhub_mesos.wire import ConnectionModel, LakeCredentials
from jupyterhub_mesos.wire.lake import LEAST_SESSION_SECONDS

log: Final = logging.getLogger(__name__)

KEY_SECONDS: Final = 3600.0
"""After which a key that is handed out as it is has to be asked for again, so that a new one is taken up."""
MAX_KEPT: Final = 1000
CONFIG: Final = {"connect_timeout": 5, "read_timeout": 10, "retries": {"max_attempts": 2, "mode": "standard"}}
_READING: Final = ("s3:GetObject", "s3:GetObjectVersion")
_WRITING: Final = (
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
)
_NOT_A_NAME: Final = re.compile(r"[^A-Za-z0-9=,.@-]")

Kept = dict[tuple[str, str, str], LakeCredentials]


class Sessions:
    """Makes sessions; keeps them in memory alone."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        key_seconds: float = KEY_SECONDS,
        least_seconds: float = LEAST_SESSION_SECONDS,
    ) -> None:
        """`clock` counts Unix seconds."""
        self._clock = clock
        self._key_seconds = key_seconds
        self._least_seconds = least_seconds
        self._kept: Kept = {}
        self._making: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def session(self, name: str, connection: ConnectionModel, user: str) -> LakeCredentials:
        """Return a session for a user; raises `InvalidInput` without a key, `Unavailable` without an STS."""
        key = await asyncio.to_thread(read_key, name, connection)
        if connection.session is None:
            return LakeCredentials(
                access_key_id=key.access_key_id,
                secret_access_key=key.secret_access_key,
                session_token=key.session_token,
                expiration=self._clock() + self._key_seconds,
            )
        place = (name, user, key.access_key_id)
        async with self._making[name]:
            kept = self._kept.get(place)
            if kept is None or kept.expiration - self._clock() < self._least_seconds:
                kept = await asyncio.to_thread(_ask_sts, name, connection, key, user)
                self._keep(place, kept)
            return kept

    def _keep(self, place: tuple[str, str, str], session: LakeCredentials) -> None:
        now = self._clock()
        self._kept = {at: kept for at, kept in self._kept.items() if kept.expiration > now}
        if len(self._kept) < MAX_KEPT:
            self._kept[place] = session


def policy(connection: ConnectionModel) -> Mapping[str, Any]:
    """Return what a session may do at most: its bucket, below its prefix, and write only where it is rw."""
    bucket = f"arn:aws:s3:::{connection.bucket}"
    prefix = connection.prefix.strip("/")
    listing: dict[str, Any] = {
        "Effect": "Allow",
        "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
        "Resource": [bucket],
    }
    if prefix:
        listing["Condition"] = {"StringLike": {"s3:prefix": [prefix, f"{prefix}/*"]}}
    actions = [*_READING, *(_WRITING if connection.mode == "rw" else ())]
    objects = f"{bucket}/{prefix}/*" if prefix else f"{bucket}/*"
    return {
        "Version": "2012-10-17",
        "Statement": [listing, {"Effect": "Allow", "Action": actions, "Resource": [objects]}],
    }


def _ask_sts(name: str, connection: ConnectionModel, key: Key, user: str) -> LakeCredentials:
    """Ask STS; blocking. What STS says of a refusal is logged by its code alone."""
    session = connection.session
    if session is None:
        raise AssertionError(f"connection {name} has no session to ask for")
    client, refusals = _client("sts", connection, key, session.endpoint or connection.endpoint)
    try:
        if session.kind == "session-token":
            answer = client.get_session_token(DurationSeconds=session.seconds)
        else:
            answer = client.assume_role(
                RoleArn=session.role,
                RoleSessionName=_NOT_A_NAME.sub("-", f"{name}.{user}")[:64],
                DurationSeconds=session.seconds,
                Policy=json.dumps(policy(connection), separators=(",", ":")),
            )
    except refusals as error:
        code = _code(error)
        log.warning("connection %s: STS answered %s", name, code)
        raise Unavailable(
            f"connection {name}: no session could be made ({code}): an admin looks at its key, role and STS"
        ) from None  # what it was caused by may hold what was sent
    given = answer["Credentials"]
    return LakeCredentials(
        access_key_id=given["AccessKeyId"],
        secret_access_key=given["SecretAccessKey"],
        session_token=given["SessionToken"],
        expiration=cast("datetime", given["Expiration"]).timestamp(),
    )


def look(name: str, connection: ConnectionModel, session: LakeCredentials) -> None:
    """Ask for one name of a connection's bucket; blocking. Raises `Unavailable` where it refuses."""
    key = Key(session.access_key_id, session.secret_access_key, session.session_token)
    client, refusals = _client("s3", connection, key, connection.endpoint)
    prefix = connection.prefix.strip("/")
    try:
        client.list_objects_v2(Bucket=connection.bucket, Prefix=f"{prefix}/" if prefix else "", MaxKeys=1)
    except refusals as error:
        raise Unavailable(
            f"connection {name}: its bucket {connection.bucket} answers {_code(error)}"
        ) from None


def _client(
    service: str, connection: ConnectionModel, key: Key, endpoint: str | None
) -> tuple[Any, tuple[type[Exception], ...]]:
    """Return a client, and the errors that it raises."""
    try:
        import botocore.session  # type: ignore[import-untyped]  # noqa: PLC0415 - heavy, and may be missing
        from botocore.config import Config  # type: ignore[import-untyped]  # noqa: PLC0415 - as above
        from botocore.exceptions import (  # type: ignore[import-untyped]  # noqa: PLC0415 - as above
            BotoCoreError,
            ClientError,
        )
    except ImportError as error:
        raise Unavailable(LACKING) from error
    logging.getLogger("botocore").setLevel(logging.WARNING)  # below it, it logs what STS answers
    made: Any = botocore.session.Session()  # pyright: ignore[reportUnknownMemberType]
    client = made.create_client(
        service,
        region_name=connection.region,
        endpoint_url=endpoint,
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=key.secret_access_key,
        aws_session_token=key.session_token or None,
        config=Config(**CONFIG),
    )
    return client, (BotoCoreError, ClientError)


def _code(error: Exception) -> str:
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        found = cast("dict[str, dict[str, str]]", response).get("Error", {})
        return found.get("Code", type(error).__name__)
    return type(error).__name__
