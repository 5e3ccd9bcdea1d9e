"""Nobody becomes root, or takes over a machine account's rights, because something was not said."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyterhub_mesos.backends.local import LocalBackend, isolation
from jupyterhub_mesos.backends.local.isolation import Mode, NoIsolation

UNPRIVILEGED = 1000


@pytest.fixture
def nothing_works(monkeypatch: pytest.MonkeyPatch) -> None:
    real = isolation._problem

    def problem(trial: isolation.Isolation, local: Path, hidden: tuple[Path, ...]) -> str:
        return real(trial, local, hidden) if trial.mode is Mode.SHARED else "it does not work"

    monkeypatch.setattr(isolation, "_problem", problem)


@pytest.mark.usefixtures("nothing_works")
async def test_auto_as_root_refuses_to_make_everybody_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation.os, "getuid", lambda: 0)
    with pytest.raises(NoIsolation) as refused:
        await LocalBackend(tmp_path / "state").open()
    for word in ("sandbox: it does not work", "install bubblewrap", "/root", 'isolation = "shared"'):
        assert word in str(refused.value)


@pytest.mark.usefixtures("nothing_works")
@pytest.mark.parametrize(("wanted", "uid"), [("shared", 0), ("auto", UNPRIVILEGED)])
def test_shared_is_taken_where_it_was_asked_for_or_nobody_is_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str, uid: int
) -> None:
    monkeypatch.setattr(isolation.os, "getuid", lambda: uid)
    assert isolation.probe(wanted, tmp_path, ()).mode is Mode.SHARED
