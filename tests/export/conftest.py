from __future__ import annotations

from pathlib import Path

import pytest

from model_fixtures import Digits, bare_repository, export_digits, train_digits


@pytest.fixture(scope="session")
def digits() -> Digits:
    return train_digits()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    monkeypatch.setenv("CAPACITY_TEAM", "vision")
    for name in ("JPY_SESSION_NAME", "CAPACITY_SIGN_KEY", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return bare_repository(tmp_path / "models.git")


@pytest.fixture
def bundle(digits: Digits, remote: Path, tmp_path: Path) -> Path:
    return export_digits(digits, remote, tmp_path / "bundle").directory
