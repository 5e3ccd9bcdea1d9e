"""Every door of the hub leads to the launch page, and from there to where one wanted to go."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from browser.conftest import Enter
from browser.visitor import LAUNCH
from installation import Installation


@pytest.mark.parametrize(
    "door",
    ["", "hub/", "hub/spawn", "hub/spawn/ann", "user/ann/lab", "hub/user/ann/", "hub/user-redirect/lab"],
)
def test_a_door_of_the_hub_leads_to_the_launch_page(enter: Enter, door: str) -> None:
    ann = enter("ann")
    ann.go_hub(door)
    expect(ann.page).to_have_url(LAUNCH)
    ann.press_start()
    ann.sees_server()


def test_the_hubs_home_leads_to_the_launch_page(enter: Enter) -> None:
    ann = enter("ann")
    ann.page.get_by_role("link", name="Hub", exact=True).click()
    ann.page.get_by_role("button", name="Start My Server").click()
    expect(ann.page).to_have_url(LAUNCH)


def test_after_the_hubs_own_stop_its_start_leads_to_the_launch_page(
    enter: Enter, cloud: Installation
) -> None:
    request = cloud.start_notebook("ann", "small")
    ann = enter("ann")
    ann.go_hub("hub/home")
    ann.page.get_by_role("button", name="Stop My Server").click()
    cloud.until_over("ann", request.id)
    ann.page.get_by_role("button", name="Start My Server").click()
    expect(ann.page).to_have_url(LAUNCH)
    ann.press_start()
    ann.sees_server()


def test_a_page_of_a_stopped_server_is_where_its_start_leads_to(enter: Enter) -> None:
    ann = enter("ann")
    ann.go_hub("user/ann/lab/tree/digits.ipynb")
    expect(ann.page).to_have_url(LAUNCH)
    ann.press_start()
    ann.sees_server("/lab/tree/digits.ipynb")


def test_a_page_of_a_stopped_server_is_where_its_queue_leads_to(enter: Enter, full: Installation) -> None:
    dan = enter("dan")
    dan.go_hub("user/dan/lab/tree/digits.ipynb")
    dan.ask_in_vain()
    full.end("ben", next(full.client("ben").requests(user="ben")).id)
    dan.sees_server("/lab/tree/digits.ipynb")


def test_a_named_server_is_asked_for_by_its_name(enter: Enter) -> None:
    ann = enter("ann")
    ann.go_hub("hub/home")
    ann.page.get_by_placeholder("name-your-server").fill("second")
    ann.page.get_by_role("button", name="Add New Server").click()
    ann.page.get_by_role("row", name="second").get_by_role("button", name="start").click()
    expect(ann.page).to_have_url(LAUNCH)
    expect(ann.page.get_by_role("heading", name="Start a notebook “second”")).to_be_visible()
    ann.press_start()
    ann.sees_server("/second/lab")


def test_the_hubs_form_refuses_a_foreign_team_with_the_sentence(enter: Enter) -> None:
    ann = enter("ann")
    ann.go_hub("hub/spawn/ann?team=speech")
    expect(ann.page.get_by_text("speech").first).to_be_visible()
    expect(ann.page.get_by_text("vision").first).to_be_visible()
