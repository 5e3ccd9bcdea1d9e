"""The launch page: log-in leads to it, Start leads on to the server, and it says what there is."""

from __future__ import annotations

from playwright.sync_api import expect

from browser.conftest import Enter
from installation import Installation


def test_the_log_in_lands_on_the_launch_page(enter: Enter) -> None:
    page = enter("ann").page
    expect(page.get_by_role("heading", name="Hello, ann")).to_be_visible()
    sizes = page.get_by_role("group", name="Size").get_by_role("radio")
    expect(sizes).to_have_count(3)
    expect(page.get_by_role("radio", name="Small")).to_be_checked()
    expect(page.get_by_role("progressbar", name="CPU in use")).to_have_attribute("value", "0")
    expect(page.get_by_role("navigation", name="Main").get_by_role("link")).to_have_text(
        ["Launch", "Queue", "Capacity", "Reservations", "Teams", "Usage", "Hub"]
    )


def test_start_leads_to_the_running_server_with_no_further_click(enter: Enter) -> None:
    ann = enter("ann")
    ann.press_start("Small")
    ann.sees_server()


def test_a_start_needs_no_mouse(enter: Enter, cloud: Installation) -> None:
    ann = enter("ann")
    small = ann.page.get_by_role("radio", name="Small")
    for _ in range(20):
        ann.page.keyboard.press("Tab")
        if small.evaluate("element => element === document.activeElement"):
            break
    expect(small).to_be_focused()
    ann.page.keyboard.press("ArrowRight")
    expect(ann.page.get_by_role("radio", name="Medium")).to_be_checked()
    ann.page.keyboard.press("Tab")
    expect(ann.page.locator("summary", has_text="When")).to_be_focused()
    ann.page.keyboard.press("Tab")
    expect(ann.page.get_by_role("button", name="Start")).to_be_focused()
    ann.page.keyboard.press("Enter")
    ann.sees_server()
    (request,) = cloud.client("ann").requests(user="ann", status="active")
    assert request.resources.cpu_millis == 1000


def test_the_first_tab_offers_to_skip_to_the_content(enter: Enter) -> None:
    page = enter("ann").page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()


def test_what_others_take_is_seen_without_a_reload(enter: Enter, cloud: Installation) -> None:
    page = enter("ann").page
    large = page.get_by_role("radio", name="Large").locator("xpath=..")
    expect(large).to_contain_text("Starts now")
    cloud.start_notebook("ben", "large")
    cloud.start_notebook("dan", "medium")
    expect(large).to_contain_text("Will wait")
    expect(page.get_by_role("progressbar", name="CPU in use")).to_have_attribute("value", "3000")
    expect(page.get_by_text("1 CPU of 4 CPU free")).to_be_visible()
    team = page.locator("[data-team=vision]")
    expect(team.get_by_text("2 CPU, 3 GiB")).to_be_visible()  # the guarantee
    expect(team.locator("[data-of=used]")).to_have_text("1 CPU, 1 GiB")
    expect(team.locator("[data-of=left]")).to_have_text("2.5 CPU, 4 GiB")


def test_what_is_mine_is_listed_and_can_be_stopped_there(enter: Enter, cloud: Installation) -> None:
    request = cloud.start_notebook("ann", "small")
    ann = enter("ann")
    mine = ann.page.get_by_role("list").get_by_role("listitem")
    expect(mine).to_have_count(1)
    expect(mine.get_by_role("link", name="Open")).to_have_attribute("href", "/user/ann/")
    expect(ann.page.get_by_text("You asked for this one already")).to_be_visible()
    mine.get_by_role("button", name="Stop Notebook").click()
    expect(mine).to_have_count(0)
    cloud.until_over("ann", request.id)


def test_start_leads_to_what_runs_already(enter: Enter, cloud: Installation) -> None:
    cloud.start_notebook("ann", "small")
    ann = enter("ann")
    ann.press_start("Small")
    ann.sees_server()


def test_a_team_that_is_not_mine_is_refused_with_the_sentence(enter: Enter, cloud: Installation) -> None:
    ann = enter("ann")
    ann.page.locator("input[name=team]").evaluate("input => { input.value = 'speech'; }")
    ann.page.get_by_role("button", name="Start").click()
    expect(ann.page.get_by_role("alert")).to_contain_text("vision")
    expect(ann.page.get_by_role("button", name="Start")).to_be_enabled()
    assert list(cloud.client("ann").requests(user="ann", status="active")) == []
    assert ann.troubles
    ann.troubles.clear()
