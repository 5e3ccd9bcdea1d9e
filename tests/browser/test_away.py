"""The service ends and comes back while a page is open: the page says so, and goes on by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import requests
from playwright.sync_api import expect

from browser.conftest import Enter
from deadlines import eventually
from installation import Installation


@contextmanager
def service_away(cloud: Installation) -> Iterator[None]:
    """Kill the service; what would start it again is held until the end of the block."""
    health = f"{cloud.url}services/capacity/health"
    pid = cloud.pid("service")
    service = psutil.Process(pid)
    supervisor = service.parent()
    assert supervisor is not None
    supervisor.suspend()
    try:
        service.kill()
        yield
    finally:
        supervisor.resume()
        eventually(lambda: cloud.pid("service") not in {None, pid}, "the service is started again")
        eventually(lambda: requests.get(health, timeout=5).ok, "the service answers")


def test_a_waiting_page_survives_the_service_and_goes_on_by_itself(enter: Enter, full: Installation) -> None:
    dan = enter("dan")
    dan.ask_in_vain()
    said = dan.page.get_by_text("The service does not answer at the moment")
    expect(said).to_be_hidden()
    with service_away(full):
        expect(said).to_be_visible()
        expect(dan.page.get_by_text("1 of 1")).to_be_visible()
    expect(said).to_be_hidden()
    expect(dan.page.get_by_text("1 of 1")).to_be_visible()
    full.end("ben", next(full.client("ben").requests(user="ben")).id)
    dan.sees_server()
    dan.troubles.clear()


def test_a_start_while_the_service_is_away_says_so_and_works_later(enter: Enter, cloud: Installation) -> None:
    ann = enter("ann")
    expect(ann.page.get_by_role("button", name="Start")).to_be_enabled()
    with service_away(cloud):
        ann.press_start()
        expect(ann.page.get_by_role("alert")).to_contain_text("The service does not answer")
    expect(ann.page.get_by_text("The service does not answer at the moment")).to_be_hidden()
    ann.press_start()
    ann.sees_server()
    ann.troubles.clear()
