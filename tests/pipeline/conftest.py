from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_fixtures import bare_repository
from pipeline.cloud import Cloud, running_cloud
from pipeline.notebooks import GOOD, write_notebook


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a team's lake, and nobody's tokens in the environment."""
    folder = tmp_path / "home"
    (folder / "lake" / "team").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    monkeypatch.setenv("CAPACITY_TEAM", "vision")
    for name in ("CAPACITY_TOKEN", "JUPYTERHUB_API_TOKEN", "CAPACITY_API_URL", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return bare_repository(tmp_path / "project.git")


@pytest.fixture
def notebook(home: Path) -> Path:
    return write_notebook(home, *GOOD)


@pytest.fixture(scope="session")
def running_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


@pytest.fixture
def cloud(running_service: Cloud) -> Iterator[Cloud]:
    """The service with an empty home and an empty lake, but for a repository of models."""
    for folder in (*running_service.home.iterdir(), *(running_service.home / "lake" / "team").iterdir()):
        if folder.name != "lake":
            shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
    bare_repository(running_service.home / "lake" / "team" / "models.git")
    yield running_service
    running_service.end_everything()
