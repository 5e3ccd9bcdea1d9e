"""Mistakes in a profiles.yaml are told like those in a teams.yaml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jupyterhub_mesos.configuration import InvalidFile, load_profiles, load_teams

CONFIG = Path(__file__).parents[2] / "config"


def refused(tmp_path: Path, text: str, teams: set[str] | None = None) -> list[str]:
    path = tmp_path / "profiles.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidFile) as caught:
        load_profiles(path, teams)
    return [line.removeprefix(f"{tmp_path}/") for line in str(caught.value).splitlines()]


def test_the_shipped_profiles_hold_for_the_shipped_teams() -> None:
    teams = load_teams(CONFIG / "teams.yaml").teams
    profiles = load_profiles(CONFIG / "profiles.yaml", teams).profiles
    assert profiles["small"].is_default
    assert profiles["large"].resources.mem_mib == 2048


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    lines = refused(tmp_path, "profiles:\n  a: {}\n")
    assert lines == [
        "profiles.yaml:2: profiles.a.resources: is missing: add it",
        "profiles.yaml:2: profiles.a.title: is missing: add it",
    ]


def test_no_profile_at_all_is_refused(tmp_path: Path) -> None:
    assert "at least one is due" in refused(tmp_path, "profiles: {}\n")[0]


def test_a_second_default_is_refused_at_its_line(tmp_path: Path) -> None:
    each = "{title: T, resources: {cpu_millis: 1, mem_mib: 1}, is_default: true}"
    (line,) = refused(tmp_path, f"profiles:\n  a: {each}\n  b: {each}\n")
    assert line.startswith("profiles.yaml:3: profiles.b.is_default: one profile is the default, and a is it")


def test_a_profile_without_memory_is_refused(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, "profiles:\n  a:\n    title: T\n    resources: {cpu_millis: 1}\n")
    assert line.startswith("profiles.yaml:4: profiles.a.resources.mem_mib:")


def test_a_profile_for_a_team_that_is_not_there_is_refused(tmp_path: Path) -> None:
    each = "    title: T\n    resources: {cpu_millis: 1, mem_mib: 1}\n"
    text = f"profiles:\n  a:\n{each}    teams:\n      - visoin\n"
    (line,) = refused(tmp_path, text, {"vision", "speech"})
    assert line.startswith("profiles.yaml:6: profiles.a.teams[0]: there is no team 'visoin'")
    assert "the teams are speech, vision" in line


def test_is_default_takes_a_truth_only(tmp_path: Path) -> None:
    lines = refused(
        tmp_path,
        "profiles:\n  a:\n    title: T\n    resources: {cpu_millis: 1, mem_mib: 1}\n    is_default: 1\n",
    )
    assert lines == ["profiles.yaml:5: profiles.a.is_default: '1' asked for; true or false is due"]


def test_labels_are_read_and_zones_of_one_process_are_refused_at_their_line(tmp_path: Path) -> None:
    text = "profiles:\n  a:\n    title: T\n    resources: {cpu_millis: 1, mem_mib: 1}\n    placement:\n"
    path = tmp_path / "good.yaml"
    path.write_text(f"{text}      labels: {{generation: new}}\n      prefer_zone: x\n")
    placement = load_profiles(path).profiles["a"].placement
    assert placement is not None
    assert (placement.labels, placement.prefer_zone) == ({"generation": "new"}, "x")
    (line,) = refused(tmp_path, f"{text}      zones: spread\n")
    assert line.startswith("profiles.yaml:6: profiles.a.placement.zones: a notebook is one process")


# ---- environments ----------------------------------------------------------------------------------


def with_environment(place: object) -> str:
    each = "    title: T\n    resources: {cpu_millis: 1, mem_mib: 1}\n"
    return f"profiles:\n  a:\n{each}    environment: {place}\n"


def test_an_environment_that_can_run_a_kernel_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "profiles.yaml"
    path.write_text(with_environment(sys.prefix))
    assert load_profiles(path).profiles["a"].environment == sys.prefix


def test_an_environment_that_is_not_there_is_refused_with_the_cure(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, with_environment("/opt/none"))
    assert line.startswith(
        "profiles.yaml:5: profiles.a.environment: there is no Python at /opt/none/bin/python"
    )
    assert "python3 -m venv /opt/none" in line


def test_an_environment_without_a_kernel_is_refused_with_the_cure(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    (line,) = refused(tmp_path, with_environment(tmp_path / "bare"))
    assert "-m pip install ipykernel" in line


def test_an_environment_is_named_by_its_whole_path(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, with_environment("envs/vision"))
    assert line.startswith("profiles.yaml:5: profiles.a.environment:")
