from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from model_fixtures import Digits, bare_repository, export_digits, train_digits
from serving.model_server import ModelServer, running


@pytest.fixture(scope="session")
def digits() -> Digits:
    return train_digits()


@pytest.fixture(scope="session")
def remote(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("served")
    repository = bare_repository(place / "models.git")
    export_digits(digits, repository, place / "bundle")
    return repository


@pytest.fixture(scope="session")
def bundle(remote: Path) -> Path:
    return remote.parent / "bundle"


@pytest.fixture(scope="module")
def server(bundle: Path) -> Generator[ModelServer]:
    with running(
        "--bundle", str(bundle), "--name", "digits", "--max-rows", "500", "--max-body-mib", "1"
    ) as one:
        yield one
