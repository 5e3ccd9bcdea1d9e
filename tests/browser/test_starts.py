"""When a notebook starts: chosen on the launch page, confirmed and changed on the page of the request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from playwright.sync_api import expect

from browser.conftest import Enter
from browser.visitor import REQUEST
from deadlines import eventually
from installation import Installation


def test_a_notebook_waits_for_its_owners_word_and_then_opens(enter: Enter, cloud: Installation) -> None:
    ann = enter("ann")
    page = ann.page
    page.locator("summary", has_text="When").click()
    page.get_by_role("radio", name="When I confirm").check()
    ann.press_start()
    expect(page).to_have_url(REQUEST)
    expect(page.get_by_role("status").filter(has_text="Held")).to_be_visible()
    expect(page.get_by_text("There is room for it, and it waits for your word.")).to_be_visible()
    expect(page.get_by_text("It starts by itself in its turn.")).to_be_hidden()
    page.get_by_role("button", name="Start now").click()
    ann.sees_server()


def test_outside_its_hours_it_says_when_they_come_and_other_hours_let_it_start(
    enter: Enter, cloud: Installation
) -> None:
    ann = enter("ann", timezone_id="UTC")
    page = ann.page
    soon = datetime.now(UTC) + timedelta(hours=2)
    page.locator("summary", has_text="When").click()
    page.get_by_role("checkbox", name="Only at certain hours").check()
    for day in ("Sat", "Sun"):
        page.get_by_role("checkbox", name=day).check()
    page.get_by_label("From", exact=True).fill(f"{soon:%H:%M}")
    page.get_by_label("To At or").fill(f"{soon + timedelta(hours=1):%H:%M}")
    expect(page.get_by_label("Time zone")).to_have_value("UTC")
    ann.press_start()
    expect(page).to_have_url(REQUEST)
    expect(page.get_by_text("now it is not. It keeps its place.")).to_be_visible()
    expect(page.get_by_text("Not possible before")).to_be_visible()
    page.locator("summary", has_text="When it starts").click()
    expect(page.get_by_label("From", exact=True)).to_have_value(f"{soon:%H:%M}")
    page.get_by_role("checkbox", name="Only at certain hours").uncheck()
    page.get_by_role("button", name="Save").click()
    ann.sees_server()


def test_a_word_that_finds_no_room_waits_in_the_queue_and_says_until_when(
    enter: Enter, full: Installation
) -> None:
    dan = enter("dan")
    page = dan.page
    page.locator("summary", has_text="When").click()
    page.get_by_role("radio", name="When I confirm").check()
    dan.press_start("Large")
    expect(page.get_by_text("there is no room now")).to_be_visible()
    page.get_by_role("button", name="Start now").click()
    expect(page.get_by_text("1 of 1")).to_be_visible()
    expect(page.get_by_text("You have confirmed it: until")).to_be_visible()


def test_hours_that_are_none_are_said_at_once_and_nothing_typed_is_lost(
    enter: Enter, cloud: Installation
) -> None:
    ann = enter("ann")
    page = ann.page
    page.locator("summary", has_text="When").click()
    page.get_by_role("checkbox", name="Only at certain hours").check()
    page.get_by_label("Time zone").fill("Mars/Olympus")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert")).to_contain_text("write it as Europe/Berlin")
    expect(page.get_by_label("Time zone")).to_have_value("Mars/Olympus")
    ann.troubles.clear()  # the refusal itself


RECORDER = """
window.told = [];
window.Notification = class extends EventTarget {
  static permission = "default";
  static async requestPermission() { return (Notification.permission = "granted"); }
  constructor(title, { body }) { super(); window.told.push(body); }
};
Object.defineProperty(document, "hidden", { get: () => window.looksAway === true });
"""
"""The browser's own notices, written down; the browser without a window shows none."""


def test_who_looks_away_is_told_by_the_browser_that_there_is_room_and_who_looks_is_not(
    enter: Enter, full: Installation
) -> None:
    dan = enter("dan")
    dan.context.add_init_script(RECORDER)
    page = dan.page
    page.reload()
    page.locator("summary", has_text="When").click()
    page.get_by_role("radio", name="When I confirm").check()
    dan.press_start("Large")
    page.get_by_role("button", name="Tell me in the browser").click()
    expect(page.get_by_role("button", name="Tell me in the browser")).to_be_hidden()
    assert page.evaluate("window.told") == []
    page.evaluate("window.looksAway = true")
    full.end("ben", next(full.client("ben").requests(user="ben")).id)
    eventually(lambda: page.evaluate("window.told"), "the browser tells")
    assert page.evaluate("window.told") == [
        "There is room for it, and it waits for your word. It keeps its place."
    ]
