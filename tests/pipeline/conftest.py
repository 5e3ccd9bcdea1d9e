from __future__ import annotations

from pathlib import Path

import pytest

from model_fixtures import bare_repository
from pipeline.notebooks import GOOD, write_notebook


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a team's lake, and nobody's tokens in the environment."""
    folder = tmp_path / "home"
    (folder / "lake" / "team").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    monkeypatch.setenv("LAKE_TEAM_URI", "file:///lake/vision")
    for name in ("CAPACITY_TOKEN", "JUPYTERHUB_API_TOKEN", "CAPACITY_API_URL", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return bare_repository(tmp_path / "project.git")


@pytest.fixture
def notebook(home: Path) -> Path:
    return write_notebook(home, *GOOD)
