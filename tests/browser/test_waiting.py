"""A start without room: its page says place and reason, and goes on by itself."""

from __future__ import annotations

from playwright.sync_api import expect

from browser.conftest import Enter
from browser.visitor import REQUEST
from installation import Installation


def test_a_waiting_start_says_its_place_and_its_reason(enter: Enter, full: Installation) -> None:
    dan = enter("dan")
    dan.ask_in_vain()
    page = dan.page
    expect(page.get_by_text("1 of 1")).to_be_visible()
    expect(page.get_by_text("2 CPU asked for")).to_be_visible()
    expect(page.get_by_text("You may close this page")).to_be_visible()
    assert dan.cloud.person("dan").hub_user()["servers"] == {}  # the hub has no pending start


def test_what_changes_is_announced_to_a_screen_reader(enter: Enter, full: Installation) -> None:
    dan = enter("dan")
    dan.ask_in_vain()
    expect(dan.page.locator("#state")).to_have_attribute("aria-live", "polite")
    expect(dan.page.locator("#sentence")).to_have_attribute("aria-live", "polite")


def test_it_goes_to_the_server_by_itself_when_another_stops(enter: Enter, full: Installation) -> None:
    dan, ben = enter("dan"), enter("ben")
    dan.ask_in_vain()
    ben.page.get_by_role("button", name="Stop Notebook").click()
    dan.sees_server()


def test_only_one_tab_goes_on_and_another_shows_the_way(enter: Enter, full: Installation) -> None:
    dan = enter("dan")
    dan.ask_in_vain()
    second = dan.context.new_page()
    second.goto(dan.page.url)
    expect(second.get_by_text("1 of 1")).to_be_visible()
    with dan.context.expect_event(
        "request", lambda request: request.is_navigation_request() and "/user/dan" in request.url
    ) as moved:
        full.end("ben", next(full.client("ben").requests(user="ben")).id)
    mover = moved.value.frame.page
    other = second if mover is dan.page else dan.page
    expect(mover.get_by_role("heading", name="The server of dan")).to_be_visible()
    expect(other.get_by_text("Another tab of yours opens it")).to_be_visible()
    expect(other.get_by_role("link", name="Open")).to_have_attribute("href", "/user/dan/")
    expect(other).to_have_url(REQUEST)


def test_the_place_moves_up_live(enter: Enter, full: Installation) -> None:
    dan = enter("dan")
    dan.ask_in_vain()
    eva = enter("eva")
    eva.ask_in_vain()
    expect(eva.page.get_by_text("2 of 2")).to_be_visible()
    dan.page.get_by_role("button", name="Cancel").click()
    expect(eva.page.get_by_text("1 of 1")).to_be_visible()


def test_cancel_takes_it_out_of_the_queue(enter: Enter, full: Installation) -> None:
    dan = enter("dan")
    dan.ask_in_vain()
    dan.page.get_by_role("button", name="Cancel").click()
    expect(dan.page.get_by_role("status").filter(has_text="Cancelled")).to_be_visible()
    expect(dan.page.get_by_role("button", name="Cancel")).to_be_hidden()
    assert full.client("dan").capacity().waiting == 0


def test_the_queue_page_shows_the_order_live(enter: Enter, full: Installation) -> None:
    first = full.person("dan").press_start("large")
    eva = full.person("eva").press_start("large")
    dan = enter("dan")
    dan.go("queue")
    rows = dan.page.get_by_role("table").get_by_role("row")
    expect(rows).to_have_count(2)  # the head, and dan's; eva's team is none of his
    expect(rows.nth(1)).to_contain_text("dan (you)")
    expect(rows.nth(1)).to_contain_text("2 CPU asked for")
    expect(dan.page.get_by_text("2 waiting in all teams")).to_be_visible()
    full.end("eva", eva["id"])
    expect(dan.page.get_by_text("1 waiting in all teams")).to_be_visible()
    dan.page.get_by_role("link", name="notebook").click()
    expect(dan.page).to_have_url(REQUEST)
    full.end("dan", first["id"])
    dan.go("queue")
    expect(dan.page.get_by_text("Nobody in your teams waits")).to_be_visible()
