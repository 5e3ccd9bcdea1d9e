"""One installation and one Chromium for the folder; each test leaves the installation empty.

Every test also claims that our pages complained about nothing: no console
error, no refusal by the CSP, no failed request. A test that provokes one
takes it out of `troubles`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from browser.visitor import Visitor
from fake_capacity import FakeCapacity, serving
from installation import Installation
from lab_server import Rig, running_lab
from requirements import require

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM: Final = next((path for path in map(shutil.which, NAMES) if path), None)
ARGUMENTS: Final = (
    "--no-sandbox",  # as root, in a container, Chromium's own sandbox cannot work
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
EXPECT_MS: Final = 20_000
"""A start takes 2 s here; much more on a busy machine."""

Enter = Callable[..., Visitor]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    require("Chromium", CHROMIUM)
    expect.set_options(timeout=EXPECT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def lab_rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One JupyterLab for the folder, before a service whose answers each test writes; its home has a lake."""
    root = tmp_path_factory.mktemp("lab")
    lake = root / "home" / "lake"
    for name in ("team", "shared"):
        (lake / name).mkdir(parents=True)
    (lake / "shared" / "digits").mkdir()  # what the notebooks' parameters name
    env = {"LAKE_TEAM_URI": (lake / "team").as_uri(), "LAKE_SHARED_URI": (lake / "shared").as_uri()}
    with serving(FakeCapacity()) as fake, running_lab(root, fake.url, env) as lab:
        yield Rig(lab, fake)


@pytest.fixture(scope="package")
def running_installation(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    installation = Installation(
        tmp_path_factory.mktemp("browser"), config=Path(__file__).parent / "hub_config.py"
    )
    installation.start()
    yield installation
    installation.stop()


@pytest.fixture
def cloud(running_installation: Installation) -> Iterator[Installation]:
    yield running_installation
    running_installation.end_everything()


@pytest.fixture
def enter(cloud: Installation, chromium: Browser) -> Iterator[Enter]:
    """Let a person open a browser and log in; options go to the browser's context."""
    visitors: list[Visitor] = []

    def open_browser(name: str, **options: Any) -> Visitor:
        context = chromium.new_context(**options)
        visitor = Visitor(name, cloud, context, context.new_page())
        visitors.append(visitor)
        visitor.watch()
        visitor.log_in()
        return visitor

    yield open_browser
    for visitor in visitors:
        visitor.context.close()
    assert {visitor.name: visitor.troubles for visitor in visitors if visitor.troubles} == {}


@pytest.fixture
def full(cloud: Installation) -> Installation:
    """The demo's scene: ann (vision) and ben (speech, who borrows) leave 1 CPU of 4."""
    cloud.start_notebook("ann", "medium")
    cloud.start_notebook("ben", "large")
    return cloud


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run a test of this folder again where it failed: a browser, a hub and two cores have their moments.

    What fails three times in a row fails; each failure before is named in the summary (`R`).
    """
    folder = Path(__file__).parent
    for item in items:
        if folder in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=2))
