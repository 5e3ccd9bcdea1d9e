"""lake.yaml: what is wrong is told with its line and the cure, and no secret is ever repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyterhub_mesos.configuration import InvalidFile, load_connections

GOOD = """\
connections:
  raw-data:
    title: Raw data
    kind: s3
    endpoint: https://s3.example.org
    bucket: raw
    prefix: images/2026
    region: eu-central-1
    mode: rw
    teams: [vision]
    credentials: {file: /etc/jupyterhub-mesos/raw.key}
    session: {kind: assume-role, role: "arn:aws:iam::1:role/lake"}
"""
LEAST = "connections: {a: {bucket: raw, teams: [vision], credentials: {env: RAW}}}"


def told(path: Path, text: str) -> list[tuple[int, str, str]]:
    path.write_text(text)
    with pytest.raises(InvalidFile) as refusal:
        load_connections(path, {"vision", "speech"})
    return [(problem.line, problem.key, problem.sentence) for problem in refusal.value.problems]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lake.yaml"


def test_a_file_that_holds_is_read(path: Path) -> None:
    path.write_text(GOOD)
    connection = load_connections(path, {"vision"}).connections["raw-data"]
    assert (connection.bucket, connection.mode, connection.teams) == ("raw", "rw", ("vision",))
    assert connection.session is not None
    assert connection.session.seconds == 3600


def test_what_is_left_out_is_read_only_and_nothing_is_no_lake(path: Path) -> None:
    path.write_text(LEAST)
    assert load_connections(path).connections["a"].mode == "ro"
    for text in ("", "connections: {}"):
        path.write_text(text)
        assert load_connections(path).connections == {}


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("    secret_access_key: hush/hush", 12),
        ("    aws_access_key_id: hush/hush", 12),
        ("    password: hush/hush", 12),
        ("    session_token: hush/hush", 12),
    ],
)
def test_a_secret_in_the_file_is_refused_with_the_cure_and_not_repeated(
    path: Path, line: str, number: int
) -> None:
    text = GOOD.replace("    session:", f"{line}\n    session:")
    [(at, key, sentence)] = told(path, text)
    assert at == number
    assert key.startswith("connections.raw-data.")
    assert "put it into a file that only the service can read" in sentence
    assert "hush" not in sentence


@pytest.mark.parametrize(
    "text",
    [
        LEAST.replace("{env: RAW}", "AKIAX:hush"),
        LEAST.replace("{env: RAW}", "{env: RAW, secret: hush}"),
        LEAST.replace("bucket: raw", "bucket: raw, endpoint: 'https://key:hush@s3.example.org'"),
    ],
)
def test_a_secret_is_seen_in_other_places_too(path: Path, text: str) -> None:
    [(_, _, sentence)] = told(path, text)
    assert "a secret does not stand in this file" in sentence
    assert "hush" not in sentence


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        ("bucket: raw", "buckett: raw", "connections.raw-data.buckett", "did you mean bucket?"),
        ("mode: rw", "mode: w", "connections.raw-data.mode", "'w' asked for"),
        ("teams: [vision]", "teams: [mars]", "connections.raw-data.teams[0]", "there is no team 'mars'"),
        ("teams: [vision]", "teams: []", "connections.raw-data.teams", "at least one team is due"),
        ("{file: /etc/jupyterhub-mesos/raw.key}", "{}", "connections.raw-data.credentials", "one of the two"),
        ("/etc/jupyterhub-mesos", "etc", "connections.raw-data.credentials.file", "begins with /"),
        ('role: "arn:aws:iam::1:role/lake"', "seconds: 3600", "connections.raw-data.session.role", "missing"),
        ("kind: assume-role", "seconds: 60", "connections.raw-data.session.seconds", "60"),
        ("raw-data:", "team:", "connections.team", "that is a folder of the lake"),
        ("endpoint: https://", "endpoint: ftp://", "connections.raw-data.endpoint", "asked for"),
    ],
)
def test_a_mistake_is_told_at_its_place(path: Path, old: str, new: str, key: str, words: str) -> None:
    assert old in GOOD
    found = {key: sentence for _, key, sentence in told(path, GOOD.replace(old, new))}
    assert words in found[key]


def test_two_names_that_would_share_their_variables_are_refused(path: Path) -> None:
    one = "{bucket: raw, teams: [vision], credentials: {env: RAW}}"
    [(line, key, sentence)] = told(path, f"connections:\n  a-b: {one}\n  a.b: {one}\n")
    assert (line, key) == (3, "connections.a.b")
    assert "those of 'a-b'" in sentence
