"""What a browser makes of the overridden pages: each leads on to the request with no click."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

from fake_hub_side import FakeCapacity, page_of
from real_hub import PASSWORD, RealHub
from requirements import require

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
def page() -> Iterator[Page]:
    require("Chromium", CHROMIUM)
    with sync_playwright() as playwright:
        # as root, in a container, Chromium's own sandbox cannot work
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


def log_in(page: Page, hub: RealHub, name: str) -> None:
    page.goto(f"{hub.url}/hub/login")
    page.fill("#username_input", name)
    page.fill("#password_input", PASSWORD)
    page.click("#login_submit")
    page.wait_for_url("**/services/capacity/")


def test_a_start_that_is_denied_late_leads_from_the_progress_page_to_the_request(
    hub: RealHub, capacity: FakeCapacity, page: Page
) -> None:
    log_in(page, hub, "patient")
    capacity.story.room = False
    capacity.story.is_slow = True
    page.goto(f"{hub.url}/hub/spawn/patient?opt-profile=small")
    page.wait_for_url("**/hub/spawn-pending/**")
    page.wait_for_selector("#progress-bar", state="attached")
    capacity.hurry()
    page.wait_for_url(f"**{page_of(1)}")


def test_a_visitor_of_a_stopped_server_comes_to_the_launch_page_and_back_with_next(
    hub: RealHub, capacity: FakeCapacity, page: Page
) -> None:
    log_in(page, hub, "guest")
    page.goto(f"{hub.url}/user/guest/lab/tree/a.ipynb")
    page.wait_for_url("**/services/capacity/?next=**")
    assert "next=%2Fhub%2Fuser%2Fguest%2Flab%2Ftree%2Fa.ipynb" in page.url
    assert capacity.story.starts == []


def test_a_visitor_after_a_denial_comes_to_the_request(
    hub: RealHub, capacity: FakeCapacity, page: Page
) -> None:
    capacity.story.room = False
    assert hub.user("denied").call("POST", "users/denied/server", {}).status_code == 409
    with hub.browser("denied2") as browser:
        browser.post("/hub/spawn/denied2", {})
    log_in(page, hub, "denied2")
    page.goto(f"{hub.url}/user/denied2/lab")
    page.wait_for_url(f"**{page_of(2)}")


def test_whom_the_hub_sent_to_wait_for_nothing_comes_to_the_launch_page(
    hub: RealHub, capacity: FakeCapacity, page: Page
) -> None:
    log_in(page, hub, "early")
    page.goto(f"{hub.url}/hub/spawn-pending/early")
    page.wait_for_url("**/services/capacity/**")
    assert capacity.story.starts == []
