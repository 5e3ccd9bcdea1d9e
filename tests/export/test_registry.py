"""The mirror in MLflow. `MLFLOW_TEST_URI=http://…` runs what does not look inside against a real server."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from jupyterhub_mesos.cli import main
from jupyterhub_mesos.errors import InvalidInput, Unavailable, WorkloadError
from jupyterhub_mesos.export import export, register
from jupyterhub_mesos.export.git import Remote
from jupyterhub_mesos.export.registry import source_of
from mlflow_double import ROUTES, State, mlflow_double
from mlflow_traffic import RECORDING, call, play
from model_fixtures import Digits, bare_repository, export_digits, tags

VOLATILE = {"message", "run_id", "run_uuid", "creation_timestamp", "last_updated_timestamp"}


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Generator[State]:
    with mlflow_double() as (url, state):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        yield state


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    """The address of a server that is asked through its API alone: a real one where there is one."""
    real = os.environ.get("MLFLOW_TEST_URI", "").rstrip("/")
    with mlflow_double() as (url, _):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", real or url)
        yield real or url


def registered(digits: Digits, remote: Path, directory: Path, **more: Any) -> str:
    result = export_digits(digits, remote, directory, **more)
    return {step.name: step.result for step in result.steps}["register"]


def check_same(ours: Any, theirs: Any, where: str) -> None:
    """All that the double says, the real server said as well."""
    if isinstance(ours, dict):
        for key, value in ours.items():
            assert key in theirs, f"{where}: MLflow does not say {key}"
            if key not in VOLATILE:
                check_same(value, theirs[key], f"{where}.{key}")
    elif isinstance(ours, list):
        assert len(ours) == len(theirs), where
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            check_same(one, other, f"{where}[{number}]")
    else:
        assert ours == theirs, where


def test_the_double_answers_as_mlflow_did_when_it_was_recorded() -> None:
    recorded = json.loads(RECORDING.read_text())
    with mlflow_double() as (url, _):
        played = play(url)

    assert [(one.call, one.status) for one in played] == [(one["call"], one["status"]) for one in recorded]
    for ours, theirs in zip(played, recorded, strict=True):
        check_same(ours.answer, theirs["answer"], ours.call)


def test_without_a_server_the_step_says_so(digits: Digits, remote: Path, tmp_path: Path) -> None:
    assert registered(digits, remote, tmp_path / "b") == "left out: MLFLOW_TRACKING_URI is not set"


def test_a_published_version_is_found_in_mlflow(
    server: str, digits: Digits, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = f"vision-{secrets.token_hex(3)}"  # a real server remembers the last run of this test
    monkeypatch.setenv("CAPACITY_TEAM", team)

    said = registered(digits, remote, tmp_path / "b", job=("r-7", 2), metrics={"top@5": 0.5})

    assert said == f"digits/v1 is version 1 of {team}.digits in MLflow at {server}"
    query = urlencode({"filter": f"name='{team}.digits' AND tags.`capacity.tag`='digits/v1'"})
    _, found = call(
        server,
        "GET",
        f"model-versions/search?{query}",
        None,
    )
    (version,) = found["model_versions"]
    assert version["source"] == f"git://{remote}@digits/v1"
    assert version["description"].startswith("# digits v1\n")
    said_tags = {tag["key"]: tag["value"] for tag in version["tags"]}
    assert said_tags["capacity.remote"] == str(remote)
    assert said_tags["capacity.job"] == "r-7"
    assert said_tags["capacity.author"] == "ada"

    register(tmp_path / "b", str(remote), report=lambda _: None)
    export_digits(digits, remote, tmp_path / "again")
    lines: list[str] = []
    register(tmp_path / "again", str(remote), report=lines.append)
    assert lines == [f"digits/v2 is version 2 of {team}.digits in MLflow at {server} already"]


def test_the_metrics_stand_in_a_finished_run_under_names_that_mlflow_takes(
    double: State, digits: Digits, remote: Path, tmp_path: Path
) -> None:
    registered(digits, remote, tmp_path / "b", metrics={"top@5": 0.5})

    (run_id,) = double.runs
    assert double.runs[run_id]["status"] == "FINISHED"
    assert double.versions[0]["run_id"] == run_id
    assert double.metrics[run_id] == {"top_5": 0.5, "held_out_accuracy": pytest.approx(digits.accuracy)}


def test_a_server_that_fails_is_said_and_undoes_nothing(
    double: State, digits: Digits, remote: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    double.broken = "model-versions/create"

    said = registered(digits, remote, tmp_path / "b")

    assert said.startswith("not mirrored, though the version is published: MLflow refuses: the disk is full.")
    assert f"jupyterhub-mesos register {tmp_path / 'b'} --remote {remote}" in said
    assert tags(remote) == ["digits/v1"]

    double.broken = ""
    assert main(["register", str(tmp_path / "b"), "--remote", str(remote)]) == 0
    assert "digits/v1 is version 1 of vision.digits" in capsys.readouterr().out


def test_a_server_that_is_not_there_is_said(
    digits: Digits, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mlflow_double() as (url, _):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)

    assert f"MLflow at {url} does not answer" in registered(digits, remote, tmp_path / "b")
    with pytest.raises(Unavailable, match="does not answer"):
        register(tmp_path / "b", str(remote))


@pytest.mark.parametrize("uri", ["databricks", "sqlite:///mlflow.db", "/srv/mlruns"])
def test_a_store_that_is_no_server_is_named(
    digits: Digits, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)

    assert f"{uri} is no MLflow server" in registered(digits, remote, tmp_path / "b")


def test_a_bundle_that_is_not_published_is_not_registered(
    double: State, bundle: Path, tmp_path: Path
) -> None:
    other = bare_repository(tmp_path / "other.git")
    with pytest.raises(InvalidInput, match=r"digits/v1 is not published in .*: push the bundle first"):
        register(bundle, str(other))
    assert len(double.versions) == 1, "that of the export itself"


def test_register_without_a_server_says_how_to_name_one(bundle: Path, remote: Path) -> None:
    with pytest.raises(InvalidInput, match=r"MLFLOW_TRACKING_URI is not set: name an MLflow server"):
        register(bundle, str(remote))


@pytest.mark.parametrize(
    ("variables", "header"),
    [
        ({"MLFLOW_TRACKING_TOKEN": "t0ken"}, "Bearer t0ken"),
        ({"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": "hush"}, "Basic YWRhOmh1c2g="),
    ],
)
def test_mlflows_own_credentials_are_sent(
    double: State,
    bundle: Path,
    remote: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    header: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    before = len(double.heard)
    register(bundle, str(remote), report=lambda _: None)

    assert {headers["Authorization"] for headers in double.heard[before:]} == {header}


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("https://ada@git.example:8443/team/models.git", "git://git.example:8443/team/models.git@digits/v1"),
        ("git@git.example:team/models.git", "git://git.example/team/models.git@digits/v1"),
        ("file:///srv/models.git", "git:///srv/models.git@digits/v1"),
    ],
)
def test_a_tag_is_spelled_as_mlflow_takes_it(url: str, source: str) -> None:
    assert source_of(Remote(url), "digits/v1") == source


def test_a_page_that_is_no_mlflow_is_told(
    digits: Digits, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mlflow_double() as (url, state):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        monkeypatch.setitem(ROUTES, "POST runs/create", lambda *_: {"hello": "world"})
        export_digits(digits, remote, tmp_path / "b")
        with pytest.raises(WorkloadError, match="otherwise than MLflow's API"):
            register(tmp_path / "b", str(remote))
    assert state.versions == []


def test_a_failure_before_the_push_registers_nothing(double: State, digits: Digits, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        export(digits.model, name="digits", example_inputs=digits.images[:5], remote=str(tmp_path / "no.git"))
    assert double.heard == []
