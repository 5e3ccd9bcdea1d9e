"""No page has what axe-core calls serious: light and dark, on a phone and a desk, with dialogs open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from browser.conftest import Enter
from browser.test_pages import training
from installation import Installation

PAGES: Final = ("", "queue", "capacity", "reservations", "teams", "usage?by=day,team", "audit", "nosuchpage")
PHONE: Final = {"width": 360, "height": 740}
DESK: Final = {"width": 1280, "height": 860}
SERIOUS: Final = {"serious", "critical"}


def complaints(page: Page) -> list[tuple[str, str]]:
    """Return the serious rules that a page breaks, each with the first element that does."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in SERIOUS]


@pytest.mark.parametrize(("scheme", "size"), [("light", DESK), ("dark", PHONE)])
def test_no_page_breaks_a_serious_rule(
    enter: Enter, full: Installation, scheme: str, size: dict[str, int]
) -> None:
    waiting = full.client("dan").submit(training("a" * 60))
    admin = enter("admin", color_scheme=scheme, viewport=size)
    for path in (*PAGES, f"requests/{waiting.id}"):
        admin.go(path)
        expect(admin.page.get_by_role("heading", level=1)).to_be_visible()
        assert complaints(admin.page) == [], path
        width, shown = admin.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert width <= shown, path
    admin.troubles.clear()  # the page that is not there


def team_editor(page: Page) -> None:
    page.get_by_role("button", name="Edit team vision").click()
    page.get_by_role("dialog").get_by_label("Weight among borrowers").fill("0")
    page.get_by_role("button", name="Look at the effect").click()


DIALOGS: Final = {
    "teams": team_editor,
    "capacity": lambda page: page.get_by_role("button", name="Drain").first.click(),
    "reservations": lambda page: page.get_by_role("button", name="Book…").click(),
}


@pytest.mark.parametrize("path", DIALOGS)
def test_no_dialog_breaks_a_serious_rule(enter: Enter, cloud: Installation, path: str) -> None:
    admin = enter("admin", viewport=PHONE)
    admin.go(path)
    prepare: Callable[[Page], None] = DIALOGS[path]
    prepare(admin.page)
    expect(admin.page.get_by_role("dialog")).to_be_visible()
    assert complaints(admin.page) == []


def test_a_rule_that_is_broken_is_found(enter: Enter) -> None:
    ann = enter("ann")
    ann.page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert [rule for rule, _ in complaints(ann.page)] == ["button-name"]
