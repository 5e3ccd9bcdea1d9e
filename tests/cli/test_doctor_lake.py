"""`doctor --lake` asks every connection as the service would, and says no secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyterhub_mesos.cli.doctor import Check, line
from jupyterhub_mesos.cli.doctor_lake import facts_of_lake
from s3_server import S3Server, running_s3


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with running_s3() as server:
        yield server


def test_each_connection_is_asked(s3: S3Server, tmp_path: Path) -> None:
    good, bad = s3.key_file(tmp_path / "good.key"), s3.key_file(tmp_path / "bad.key", secret="hushhush")
    path = tmp_path / "lake.yaml"
    path.write_text(
        "connections:\n"
        + "".join(
            f"  {name}: {{bucket: {bucket}, endpoint: '{endpoint}', teams: [a], "
            f"credentials: {{file: {key}}}}}\n"
            for name, bucket, endpoint, key in (
                ("well", s3.bucket, s3.endpoint, good),
                ("elsewhere", "no-such-bucket", s3.endpoint, good),
                ("wrong", s3.bucket, s3.endpoint, bad),
                ("away", s3.bucket, "http://127.0.0.1:9", good),
                ("keyless", s3.bucket, s3.endpoint, tmp_path / "none.key"),
            )
        )
    )
    facts = {fact.name.removeprefix("lake "): fact for fact in facts_of_lake(path)}
    assert {name: fact.holds for name, fact in facts.items()} == {
        "well": True,
        "elsewhere": False,
        "wrong": False,
        "away": False,
        "keyless": False,
    }
    assert "answers NoSuchBucket" in facts["elsewhere"].detail
    assert "answers SignatureDoesNotMatch" in facts["wrong"].detail
    assert "answers EndpointConnectionError" in facts["away"].detail
    assert "none.key cannot be read: No such file" in facts["keyless"].detail
    said = "\n".join(line(Check(fact)) for fact in facts.values())
    assert "hushhush" not in said
    assert s3.secret not in said


def test_a_file_that_does_not_hold_is_told(tmp_path: Path) -> None:
    path = tmp_path / "lake.yaml"
    path.write_text("connections: {a: {bucket: b, teams: [x], credentials: {env: A}, secret_key: hush}}")
    [fact] = facts_of_lake(path)
    assert not fact.holds
    assert "lake.yaml:1: connections.a.secret_key" in fact.detail
    path.write_text("")
    [fact] = facts_of_lake(path)
    assert fact.holds
