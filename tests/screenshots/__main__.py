"""Takes the pictures: `python -m screenshots [--out FOLDER] [--everything]`, in tests/; `make screenshots`.

Without `--everything` those that the documentation shows; with it each page light and dark, narrow and wide.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, expect, sync_playwright

from browser.conftest import ARGUMENTS, CHROMIUM, EXPECT_MS
from browser.visitor import Visitor
from installation import Installation
from screenshots.scene import remember_a_month, set_demo, set_lab

HERE: Final = Path(__file__).parent
IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
WIDTHS: Final = (360, 1280, 2560)
Look = dict[str, Any]  # options of a browser's context
HEIGHT: Final = 860
SCALE: Final = 1.5
"""Sharp on good screens, and not too many bytes."""


def nothing(page: Page) -> None:
    """Leave the page as it came."""


def asking(page: Page) -> None:
    """Start what has to wait."""
    page.get_by_role("radio", name="Large").check()
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("status").filter(has_text="Waiting")).to_be_visible()


def cordoning(page: Page) -> None:
    """Close the node, and look at what still stands there."""
    cordon = page.get_by_role("button", name="Cordon")
    if cordon.count():
        cordon.click()
        form = page.get_by_role("dialog")
        form.get_by_label("Reason").fill("a fan is exchanged at noon")
        form.get_by_role("button", name="Cordon").click()
        expect(form).to_have_count(0)
    page.get_by_text("5 workloads").click()


def editing(page: Page) -> None:
    """Open a team's editor and look at the effect of less."""
    page.get_by_role("button", name="Edit team vision").click()
    form = page.get_by_role("dialog")
    for group in ("Guaranteed", "Limit"):
        form.get_by_role("group", name=group, exact=True).get_by_label("CPU", exact=True).fill("12")
    form.get_by_role("button", name="Look at the effect").click()
    look = form.get_by_role("region", name="What the edit would do")
    expect(look).to_be_visible()
    look.scroll_into_view_if_needed()


@dataclass(frozen=True)
class Shot:
    """A page, as one of the people sees it; `what` names an id of the scene in the path."""

    name: str
    path: str
    who: str
    prepare: Callable[[Page], None] = nothing
    is_whole: bool = True


@dataclass(frozen=True)
class Scene:
    """An installation with people at work, and the pictures that are taken of it."""

    config: Path
    set_up: Callable[[Installation], dict[str, str]]
    shots: tuple[Shot, ...]
    before: Callable[[Installation], None] = lambda cloud: None


SCENES: Final = (
    Scene(
        HERE.parent / "browser" / "hub_config.py",
        set_demo,
        (
            Shot("launch-page", "", "dan"),
            Shot("waiting-request", "", "dan", asking),
            Shot("queue", "queue", "dan"),
        ),
    ),
    Scene(
        HERE / "hub_config.py",
        set_lab,
        (
            Shot("held-request", "requests/{held}", "ann"),
            Shot("reservations", "reservations", "admin"),
            Shot("teams", "teams", "admin"),
            Shot("team-editor", "teams", "admin", editing, is_whole=False),
            Shot("usage", "usage?by=team", "admin"),
            Shot("audit", "audit?what=granted", "admin"),
            Shot("capacity", "capacity", "admin", cordoning),
        ),
        remember_a_month,
    ),
)


def take(
    browser: Browser, shots: tuple[Shot, ...], cloud: Installation, ids: dict[str, str], out: Path, look: Look
) -> None:
    """Take every picture into a folder, at one width, light or dark."""
    for who in dict.fromkeys(shot.who for shot in shots):
        context = browser.new_context(timezone_id="Europe/Berlin", locale="en-GB", **look)
        visitor = Visitor(who, cloud, context, context.new_page())
        visitor.watch()
        visitor.log_in()
        for shot in (shot for shot in shots if shot.who == who):
            visitor.go(shot.path.format(**ids))
            expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()
            shot.prepare(visitor.page)
            visitor.page.screenshot(path=out / f"{shot.name}.png", full_page=shot.is_whole)
        assert not visitor.troubles, visitor.troubles
        context.close()


@contextmanager
def installation(root: Path, scene: Scene) -> Iterator[Installation]:
    """Run an installation; leave none of its notebooks behind."""
    cloud = Installation(root, config=scene.config)
    scene.before(cloud)
    cloud.start()
    try:
        yield cloud
    finally:
        try:
            cloud.end_everything()
        finally:
            cloud.stop()


def looks(out: Path, *, everything: bool) -> Iterator[tuple[Path, Look]]:
    """Yield where which look goes."""
    if not everything:
        yield out, {"viewport": {"width": 1120, "height": HEIGHT}, "device_scale_factor": SCALE}
        return
    for scheme in ("light", "dark"):
        for width in WIDTHS:
            folder = out / f"{scheme}-{width}"
            folder.mkdir(parents=True, exist_ok=True)
            yield folder, {"viewport": {"width": width, "height": HEIGHT}, "color_scheme": scheme}


def take_scene(browser: Browser, scene: Scene, out: Path, *, everything: bool) -> None:
    """Set a scene and take its pictures, in every look."""
    with tempfile.TemporaryDirectory(prefix="screenshots-") as root, installation(Path(root), scene) as cloud:
        ids = scene.set_up(cloud)
        for folder, look in looks(out, everything=everything):
            take(browser, scene.shots, cloud, ids, folder, look)


def main() -> int:
    """Take the pictures; returns 2 where there is no browser."""
    asked = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    asked.add_argument("--out", type=Path, default=IMAGES, help="where the pictures go")
    asked.add_argument(
        "--everything", action="store_true", help="every page, narrow and wide, light and dark"
    )
    options = asked.parse_args()
    if CHROMIUM is None:
        return 2
    expect.set_options(timeout=EXPECT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        for scene in SCENES:
            take_scene(browser, scene, options.out, everything=options.everything)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
