"""Keys are read where lake.yaml says, and sessions are short, shared and bounded."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from jupyterhub_mesos.errors import InvalidInput, Unavailable
from jupyterhub_mesos.lake.connections import read_key
from jupyterhub_mesos.lake.sessions import Sessions, policy
from jupyterhub_mesos.wire import ConnectionModel
from requirements import require
from s3_server import REGION, S3Server


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def connection(**of: Any) -> ConnectionModel:
    values = {"bucket": "data", "teams": ("vision",), "credentials": {"env": "DATA"}, "region": REGION, **of}
    return ConnectionModel.model_validate(values)


def with_role(s3: S3Server, tmp_path: Path, **session: Any) -> ConnectionModel:
    require("an STS (LAKE_TEST_S3_ROLE)", s3.role)
    return connection(
        bucket=s3.bucket,
        endpoint=s3.endpoint,
        credentials={"file": str(s3.key_file(tmp_path / "key"))},
        session={"role": s3.role, **session},
    )


def test_a_key_is_read_from_a_file_that_nobody_else_can_read(tmp_path: Path) -> None:
    path = tmp_path / "data.key"
    path.write_text("[lake]\naws_access_key_id=AKIAX\naws_secret_access_key = hush=hush%\n")
    path.chmod(0o600)
    key = read_key("data", connection(credentials={"file": str(path)}))
    assert (key.access_key_id, key.secret_access_key, key.session_token) == ("AKIAX", "hush=hush%", "")
    assert "hush" not in repr(key)
    path.chmod(0o640)
    with pytest.raises(InvalidInput, match=r"can be read by others than the service: chmod 600"):
        read_key("data", connection(credentials={"file": str(path)}))


@pytest.mark.parametrize("text", ["", "hush", "[a]\nx = hush\n[b]\n", "[default]\naws_access_key_id = A\n"])
def test_a_file_that_is_no_key_is_refused_without_its_content(tmp_path: Path, text: str) -> None:
    path = tmp_path / "data.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(InvalidInput, match=r"connection data: .*data\.key") as refusal:
        read_key("data", connection(credentials={"file": str(path)}))
    assert "hush" not in str(refusal.value)


def test_a_key_is_read_from_the_environment() -> None:
    environ = {"DATA_ACCESS_KEY_ID": "AKIAX", "DATA_SECRET_ACCESS_KEY": "hush"}
    assert read_key("data", connection(), environ).secret_access_key == "hush"
    with pytest.raises(InvalidInput, match="DATA_ACCESS_KEY_ID and DATA_SECRET_ACCESS_KEY are not both set"):
        read_key("data", connection(), {})


async def test_a_key_without_sts_is_handed_out_with_a_date_and_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "data.key"
    for secret in ("first", "second"):
        path.write_text(f"[default]\naws_access_key_id = A\naws_secret_access_key = {secret}\n")
        path.chmod(0o600)
        sessions = Sessions(Clock(1000.0))
        session = await sessions.session("data", connection(credentials={"file": str(path)}), "ann")
        assert (session.secret_access_key, session.expiration) == (secret, 4600.0)


async def test_a_session_of_a_role_opens_the_bucket_and_is_not_the_key(s3: S3Server, tmp_path: Path) -> None:
    session = await Sessions(Clock(0.0)).session("data", with_role(s3, tmp_path), "ann/x y")
    assert session.access_key_id != s3.key_id
    assert session.session_token
    assert s3.secret not in session.model_dump_json()
    found = botocore.session.Session().create_client(
        "s3",
        region_name=REGION,
        endpoint_url=s3.endpoint,
        aws_access_key_id=session.access_key_id,
        aws_secret_access_key=session.secret_access_key,
        aws_session_token=session.session_token,
    )
    assert found.list_objects_v2(Bucket=s3.bucket)["KeyCount"] == 0
    with pytest.raises(ClientError):
        s3.client(secret="wrong").list_objects_v2(Bucket=s3.bucket)


async def test_workers_that_ask_at_once_share_a_session_until_it_is_short(
    s3: S3Server, tmp_path: Path
) -> None:
    model = with_role(s3, tmp_path, seconds=3600)
    clock = Clock(0.0)
    sessions = Sessions(clock)
    made = await asyncio.gather(*(sessions.session("data", model, "ann") for _ in range(5)))
    assert len({session.access_key_id for session in made}) == 1
    assert (await sessions.session("data", model, "ben")).access_key_id != made[0].access_key_id
    clock.now = made[0].expiration - 1201
    assert (await sessions.session("data", model, "ann")).access_key_id == made[0].access_key_id
    clock.now += 2
    assert (await sessions.session("data", model, "ann")).access_key_id != made[0].access_key_id


async def test_a_refusal_of_sts_says_its_code_and_no_secret(
    s3: S3Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "wrong.key"
    path.write_text(f"[default]\naws_access_key_id = {s3.key_id}\naws_secret_access_key = hushhush\n")
    path.chmod(0o600)
    model = with_role(s3, tmp_path).model_copy(
        update={"credentials": connection(credentials={"file": str(path)}).credentials}
    )
    with pytest.raises(Unavailable, match=r"connection data: no session could be made \(\w+\)") as refusal:
        await Sessions(Clock(0.0)).session("data", model, "ann")
    assert "hushhush" not in f"{refusal.value!r}{refusal.value.__cause__!r}{caplog.text}"


async def test_an_sts_that_is_away_is_said_so(tmp_path: Path, s3: S3Server) -> None:
    model = with_role(s3, tmp_path, endpoint="http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="EndpointConnectionError"):
        await Sessions(Clock(0.0)).session("data", model, "ann")


def test_a_session_s_policy_ends_at_prefix_and_mode() -> None:
    listing, objects = policy(connection(prefix="a/b/", mode="ro"))["Statement"]
    assert listing["Resource"] == ["arn:aws:s3:::data"]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["a/b", "a/b/*"]}}
    assert objects["Resource"] == ["arn:aws:s3:::data/a/b/*"]
    assert not any("Put" in action or "Delete" in action for action in objects["Action"])
    assert "s3:PutObject" in policy(connection(mode="rw"))["Statement"][1]["Action"]
