"""An S3 and STS that check every signature and action: moto in an environment of its own.

`LAKE_TEST_S3_ENDPOINT` plugs a real one in instead, with `LAKE_TEST_S3_KEY_ID`, `LAKE_TEST_S3_SECRET`,
`LAKE_TEST_S3_BUCKET` (emptied below `PREFIX`) and, where it has an STS, `LAKE_TEST_S3_ROLE`.
"""

from __future__ import annotations

import functools
import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

import botocore.session
from botocore.config import Config

from requirements import require

ROOT: Final = Path(__file__).parents[1]
PYTHON: Final = ROOT / ".venv/lib/s3-server/bin/python"
BUCKET: Final = "lake-of-tests"
USER: Final = "service"
REGION: Final = "eu-central-1"
PREFIX: Final = "base"
_PROGRAM: Final = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
_ALL_OF_S3: Final = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
_ROLES: Final = {"Effect": "Allow", "Action": ["sts:*", "iam:*"], "Resource": "*"}


@dataclass(frozen=True)
class S3Server:
    """Where it is, and a key that may do everything in its bucket and assume its role."""

    endpoint: str
    key_id: str
    secret: str
    bucket: str
    role: str

    def client(self, service: str = "s3", key_id: str = "", secret: str = "") -> Any:
        """Return a client with the server's own key, or with another."""
        return client(self.endpoint, service, key_id or self.key_id, secret or self.secret)

    def key_file(self, path: Path, key_id: str = "", secret: str = "") -> Path:
        """Write a key as an admin does; the server's own, or another."""
        path.write_text(
            f"[default]\naws_access_key_id = {key_id or self.key_id}\n"
            f"aws_secret_access_key = {secret or self.secret}\n"
        )
        path.chmod(0o600)
        return path

    def another_key(self) -> tuple[str, str]:
        """Make a further key of the same rights."""
        return _user(self.client("iam"), f"user-{secrets.token_hex(4)}")

    def revoke(self, key_id: str) -> None:
        """Make a further key worthless at once."""
        iam = self.client("iam")
        user = iam.get_access_key_last_used(AccessKeyId=key_id)["UserName"]
        iam.delete_access_key(UserName=user, AccessKeyId=key_id)

    def put(self, key: str, content: bytes) -> None:
        self.client().put_object(Bucket=self.bucket, Key=f"{PREFIX}/{key}", Body=content)

    def get(self, key: str) -> bytes:
        answer = self.client().get_object(Bucket=self.bucket, Key=f"{PREFIX}/{key}")
        content: bytes = answer["Body"].read()
        return content

    def keys(self) -> set[str]:
        """Return every key of the bucket, and `(name)` of each upload that is not complete."""
        s3 = self.client()
        there = s3.list_objects_v2(Bucket=self.bucket, Prefix=PREFIX).get("Contents", ())
        begun = s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", ())
        return {found["Key"] for found in there} | {f"({found['Key']})" for found in begun}

    def clear(self) -> None:
        s3 = self.client()
        for key in self.keys():
            if not key.startswith("("):
                s3.delete_object(Bucket=self.bucket, Key=key)


@functools.cache  # making one reads megabytes of descriptions
def client(endpoint: str, service: str, key_id: str, secret: str) -> Any:
    return botocore.session.Session().create_client(
        service,
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        config=Config(retries={"max_attempts": 1}),
    )


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """Run the server for a session of tests, or use the real one that the environment names."""
    real = os.environ.get("LAKE_TEST_S3_ENDPOINT", "")
    if real:
        names = ("KEY_ID", "SECRET", "BUCKET")
        key_id, secret, bucket = (os.environ[f"LAKE_TEST_S3_{name}"] for name in names)
        yield S3Server(real, key_id, secret, bucket, os.environ.get("LAKE_TEST_S3_ROLE", ""))
        return
    require("the tests' S3 server: sh scripts/s3-server.sh", PYTHON.exists())
    process = subprocess.Popen(
        [PYTHON, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().decode().strip()
        assert port, "the tests' S3 server does not start"
        yield _filled(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.communicate()


def _filled(endpoint: str) -> S3Server:
    """Make bucket, user and role while nothing is checked; then have everything checked."""
    iam = client(endpoint, "iam", "anybody", "anything")
    key = _user(iam, USER)
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName="lake", AssumeRolePolicyDocument=_policy(trust))["Role"]
    iam.put_role_policy(RoleName="lake", PolicyName="all", PolicyDocument=_policy(_ALL_OF_S3))
    s3 = client(endpoint, "s3", "anybody", "anything")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    order = Request(f"{endpoint}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"}, method="POST")
    with urlopen(order, timeout=10):
        pass  # from here on, who is unknown or not allowed is refused
    return S3Server(endpoint, *key, BUCKET, role["Arn"])


def _user(iam: Any, name: str) -> tuple[str, str]:
    """Make a user that may do everything; return its key."""
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=_policy(_ALL_OF_S3, _ROLES))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
