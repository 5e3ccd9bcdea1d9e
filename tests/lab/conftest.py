"""One JupyterLab for the folder, before a service whose answers each test writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_capacity import FakeCapacity, serving
from lab_server import Rig, running_lab
from notebooks import digits_notebook, write


@pytest.fixture(scope="session")
def running_rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with (
        serving(FakeCapacity()) as fake,
        running_lab(tmp_path_factory.mktemp("lab"), fake.url) as lab,
    ):
        yield Rig(lab, fake)


@pytest.fixture
def rig(running_rig: Rig) -> Rig:
    running_rig.fake.replies.clear()
    running_rig.fake.calls.clear()
    write(running_rig.lab.home / "digits.ipynb", digits_notebook())
    return running_rig


@pytest.fixture
def home(rig: Rig) -> Path:
    return rig.lab.home
