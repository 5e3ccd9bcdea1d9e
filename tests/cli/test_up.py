"""Which port `up` takes, and what it refuses before anything is started."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from jupyterhub_mesos.cli import main, up
from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.statefolder import StateFolder


def test_a_configuration_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["up", "--state", str(tmp_path), "--config", str(tmp_path / "none.py")]) == 2
    assert "there is no such file" in capsys.readouterr().err


def test_the_port_of_before_is_kept(tmp_path: Path) -> None:
    chosen = StateFolder.at(tmp_path).choose_ports(18123).public
    assert up.port(None, tmp_path) == chosen == 18123
    assert up.port(18123, tmp_path) == 18123


def test_another_port_than_before_is_refused_with_the_cure(tmp_path: Path) -> None:
    StateFolder.at(tmp_path).choose_ports(18123)
    with pytest.raises(InvalidInput, match="18124 asked for, but this state folder uses 18123"):
        up.port(18124, tmp_path)


def test_a_taken_first_choice_leaves_the_choice_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        monkeypatch.setattr(up, "FIRST_CHOICE_PORT", holder.getsockname()[1])
        assert up.port(None, tmp_path) == 0
    assert up.port(18125, tmp_path) == 18125


@pytest.mark.parametrize("written", ["0", "65536", "-1", "http"])
def test_what_is_no_port_is_refused(written: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["up", "--port", written])
    assert caught.value.code == 2
