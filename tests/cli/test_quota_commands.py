"""`quota show | diff | apply` against a service on a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.fake_service import TOKEN, FakeService, serving
from jupyterhub_mesos.cli import main
from jupyterhub_mesos.configuration import load_teams

SHIPPED = Path(__file__).parents[2] / "config" / "teams.yaml"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeService]:
    fake = FakeService(load_teams(SHIPPED))
    with serving(fake) as url:
        monkeypatch.setenv("CAPACITY_URL", url)
        monkeypatch.setenv("JUPYTERHUB_API_TOKEN", TOKEN)
        monkeypatch.delenv("CAPACITY_API_URL", raising=False)
        yield fake


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    path = tmp_path / "teams.yaml"
    text = SHIPPED.read_text(encoding="utf-8")
    path.write_text(text.replace("cpu_millis: 1000", "cpu_millis: 1500"), encoding="utf-8")
    return path


def test_show_prints_a_table_with_children_under_their_parents(
    service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["quota", "show"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["team", "guarantee", "limit", "used", "borrowed", "budget", "waiting"]
    assert [line.split()[0] for line in lines[1:]] == ["lab", "vision", "speech"]
    assert lines[2].startswith("  vision  2 CPU, 3 GiB")
    assert "0.5 CPU, 512 MiB" in lines[2]
    assert lines[2].endswith("6")


@pytest.mark.parametrize("command", [["quota", "diff"], ["quota", "apply", "--dry-run"]])
def test_a_look_changes_nothing(
    service: FakeService, edited: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, str(edited)]) == 0
    out = capsys.readouterr().out
    assert "speech  guarantee.cpu_millis  1 CPU  ->  1.5 CPU" in out
    assert "Nothing was changed." in out
    assert service.revision == 1


def test_apply_puts_the_file_in_force(
    service: FakeService, edited: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["quota", "apply", str(edited)]) == 0
    assert "In force as revision 2." in capsys.readouterr().out
    assert service.teams.teams["speech"].guarantee.cpu_millis == 1500


def test_what_is_in_force_already_is_told(service: FakeService, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quota", "apply", str(SHIPPED)]) == 0
    assert "nothing to change" in capsys.readouterr().out


def test_a_wrong_file_is_told_with_its_line_before_anybody_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CAPACITY_URL", raising=False)
    path = tmp_path / "teams.yaml"
    path.write_text("teams:\n  a: {wait: 3}\n", encoding="utf-8")
    assert main(["quota", "diff", str(path)]) == 2
    err = capsys.readouterr().err
    assert f"{path}:2: teams.a.wait: unknown key; did you mean weight?" in err
    assert "Traceback" not in err


def test_options_go_before_the_environment(
    service: FakeService, edited: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["quota", "apply", str(edited), "--token", "a-strangers"]) == 2
    assert "Only admins may do this." in capsys.readouterr().err
    assert service.revision == 1


def test_a_service_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quota", "show", "--url", "http://127.0.0.1:9/services/capacity", "--token", TOKEN]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_no_token_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
    assert main(["quota", "show", "--url", "http://127.0.0.1:9"]) == 2
    assert "JUPYTERHUB_API_TOKEN" in capsys.readouterr().err
