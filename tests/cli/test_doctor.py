"""`doctor` says what works, what does not and the cure, and its exit code is the verdict."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from jupyterhub_mesos.backends.base import Fact
from jupyterhub_mesos.backends.local import isolation
from jupyterhub_mesos.cli import doctor, main
from jupyterhub_mesos.cli.doctor import Check, checks_of_backend, checks_of_machine, line

GOOD = Check(Fact("sandbox", holds=True, detail="bubblewrap 0.8"))
LIMIT = Check(Fact("cgroups", holds=False, detail="not writable", cure="run as root"))
MISSING = Check(Fact("proxy", holds=False, detail="not found", cure="make set-up"), is_needed=True)


def found(checks: list[Check], name: str) -> Check:
    return next(check for check in checks if check.fact.name == name)


def test_a_line_gives_the_cure_of_what_does_not_hold() -> None:
    assert line(GOOD) == "ok      sandbox: bubblewrap 0.8"
    assert line(LIMIT) == "limit   cgroups: not writable\n          cure: run as root"
    assert line(MISSING).startswith("MISSING proxy: not found\n")


@pytest.mark.parametrize(("checks", "code"), [([GOOD], 0), ([GOOD, LIMIT], 0), ([GOOD, LIMIT, MISSING], 1)])
def test_only_something_needed_makes_the_answer_no(
    checks: list[Check],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(doctor, "checks_of_machine", lambda _state, _port: checks)
    monkeypatch.setattr(doctor, "checks_of_backend", list)
    assert main(["doctor"]) == code
    out = capsys.readouterr().out
    assert ("This machine can run the product" in out) is (code == 0)


def test_a_port_that_is_held_is_told(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        assert not found(list(checks_of_machine(tmp_path, port)), f"port {port}").fact.holds


def test_a_state_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    check = found(list(checks_of_machine(tmp_path / "file" / "state", None)), "state folder")
    assert check.is_needed
    assert not check.fact.holds


def test_looking_makes_nothing(tmp_path: Path) -> None:
    list(checks_of_machine(tmp_path / "state", None))
    assert list(tmp_path.iterdir()) == []


def test_what_the_tests_themselves_need_is_found(tmp_path: Path) -> None:
    checks = list(checks_of_machine(tmp_path, None))
    for name in ("python", "packages for hub", "packages for service", "proxy", "state folder"):
        assert found(checks, name).fact.holds, name


def test_the_backend_says_what_it_enforces_here() -> None:
    checks = list(checks_of_backend())
    assert not [check for check in checks if check.is_needed]  # it opened
    assert {"isolation", "memory limit", "cpu limit"} <= {check.fact.name for check in checks}
    assert all(check.fact.cure for check in checks if not check.fact.holds)


def test_a_machine_on_which_every_user_would_be_root_is_a_finding_with_a_cure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(isolation, "_problem", lambda *_: "it does not work")
    monkeypatch.setattr(isolation.os, "getuid", lambda: 0)
    [check] = checks_of_backend()
    assert (check.fact.name, check.fact.holds, check.is_needed) == ("isolation", False, True)
    assert "would run as root" in check.fact.detail
    assert "install bubblewrap" in check.fact.cure
