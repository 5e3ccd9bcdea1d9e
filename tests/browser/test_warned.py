"""What runs and is to be stopped: how long it has left, on the launch page and on its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from browser.conftest import Enter
from installation import Installation
from jupyterhub_mesos.wire import BudgetModel, TeamsModel

LEFT = re.compile(r"in \d+ min \d+ s|in \d min")


@pytest.fixture
def short(cloud: Installation) -> Iterator[Installation]:
    """Sessions of team vision last five minutes, which is within the notice; it has a budget too."""
    admin = cloud.client("admin")
    before = TeamsModel(teams={view.id: view.team for view in admin.teams().teams})
    budget = BudgetModel(window_days=7, team_hours=500)
    vision = before.teams["vision"].model_copy(update={"max_session_minutes": 5, "budget": budget})
    admin.put_teams(TeamsModel(teams={**before.teams, "vision": vision}))
    yield cloud
    cloud.end_everything()
    admin.put_teams(before)


def test_a_session_near_its_end_says_so_and_counts_down(enter: Enter, short: Installation) -> None:
    short.start_notebook("dan", "small")
    dan = enter("dan")
    line = dan.page.locator("#mine li")
    expect(line.get_by_text("Stops soon")).to_be_visible()
    expect(line.get_by_text("its time limit is near")).to_be_visible()
    timer = line.get_by_role("timer")
    expect(timer).to_have_text(LEFT)
    first = timer.text_content()
    expect(timer).not_to_have_text(first or "")
    line.get_by_role("link", name="Notebook").click()
    expect(dan.page.get_by_text("its time limit is near")).to_be_visible()
    expect(dan.page.locator("#warning").get_by_role("timer")).to_have_text(LEFT)
    expect(dan.page.get_by_role("link", name="Open")).to_be_visible()


def test_the_launch_page_says_what_is_left_of_a_budget(enter: Enter, short: Installation) -> None:
    dan = enter("dan")
    expect(dan.page.get_by_text("0 of 500 accelerator-hours used in 7 days")).to_be_visible()
    dan.go("teams")
    expect(dan.page.get_by_text("0 of 500 accelerator-hours used in 7 days")).to_be_visible()
