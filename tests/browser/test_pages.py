"""A job's page, pages that say what is wrong, and how every page looks on a narrow or dark screen."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from browser.conftest import Enter
from browser.visitor import LAUNCH
from installation import Installation
from jupyterhub_mesos.wire import Job, RequestSubmission, ResourcesModel, Restart, Role, TrainingPayload

PROGRAM = (
    "import signal, os; print('worker', os.environ.get('RANK', ''), 'began', flush=True); signal.pause()"
)


def training(name: str = "digits") -> RequestSubmission:
    """Two workers that say one line each and run until they are stopped."""
    role = Role(
        replicas=2, argv=("python", "-c", PROGRAM), resources=ResourcesModel(cpu_millis=100, mem_mib=128)
    )
    return RequestSubmission(
        payload=TrainingPayload(job=Job(name=name, roles=(role,), restart=Restart(max_restarts=0)))
    )


def test_the_page_of_a_job_shows_its_tasks_and_their_output(enter: Enter, cloud: Installation) -> None:
    job = cloud.client("ann").submit(training())
    ann = enter("ann")
    ann.page.get_by_role("link", name="Training digits").click()
    expect(ann.page.get_by_role("heading", name="Training digits")).to_be_visible()
    expect(ann.page.get_by_role("table").get_by_role("row")).to_have_count(3)
    expect(ann.page.get_by_role("cell", name="running")).to_have_count(2)
    output = ann.page.get_by_label("Output of the chosen task")
    expect(output).to_contain_text("began")
    ann.page.get_by_role("combobox", name="Task").select_option(label="worker 1, generation 1")
    expect(output).to_contain_text("began")
    expect(ann.page.get_by_role("checkbox", name="Follow")).not_to_be_checked()
    ann.page.get_by_role("button", name="Stop").click()
    expect(ann.page.get_by_role("status").filter(has_text="Stopped")).to_be_visible()
    cloud.until_over("ann", job.id)


def test_what_is_borrowed_is_said(enter: Enter, cloud: Installation) -> None:
    request = cloud.start_notebook("ben", "large")
    ben = enter("ben")
    ben.go(f"requests/{request.id}")
    expect(ben.page.get_by_text("1 CPU, 512 MiB, from guarantees that others leave idle")).to_be_visible()
    expect(ben.page.get_by_role("link", name="Open")).to_be_visible()


def test_a_running_request_is_looked_at_without_being_led_away(enter: Enter, cloud: Installation) -> None:
    request = cloud.start_notebook("ann", "small")
    ann = enter("ann")
    ann.go(f"requests/{request.id}")
    expect(ann.page.get_by_role("status").filter(has_text="Running")).to_be_visible()
    ann.page.get_by_role("link", name="Open").click()
    ann.sees_server()


@pytest.mark.parametrize("path", ["requests/{foreign}", "requests/rnone", "nosuchpage"])
def test_what_is_not_mine_or_not_there_is_a_page_with_the_way_back(
    enter: Enter, cloud: Installation, path: str
) -> None:
    foreign = cloud.client("ann").submit(training())
    ben = enter("ben")
    ben.go(path.format(foreign=foreign.id))
    expect(ben.page.get_by_role("heading", name="Not Found")).to_be_visible()
    ben.page.get_by_role("link", name="launch page").click()
    expect(ben.page).to_have_url(LAUNCH)
    assert all("404" in trouble for trouble in ben.troubles)
    ben.troubles.clear()


def test_no_page_scrolls_sideways_on_a_small_phone(enter: Enter, full: Installation) -> None:
    job = full.client("ann").submit(training("a-name-as-long-as-people-give-to-their-experiments-2026-11-21"))
    waiting = full.client("ann").submit(training())  # leaves the queue page something to show
    full.person("dan").press_start("large")
    ann = enter("ann", viewport={"width": 320, "height": 640})
    requests = (f"requests/{job.id}", f"requests/{waiting.id}")
    for path in ("", "queue", "capacity", "reservations", "teams", *requests, "nosuchpage"):
        ann.go(path)
        width, shown = ann.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert width <= shown == 320, path
    ann.troubles.clear()


@pytest.mark.parametrize("system", ["light", "dark"])
def test_the_hubs_own_toggle_decides_between_light_and_dark(enter: Enter, system: str) -> None:
    ann = enter("ann", color_scheme=system)
    colour = "getComputedStyle(document.body).backgroundColor"
    before = ann.page.evaluate(colour)
    ann.go_hub("hub/home")
    ann.page.locator("#dark-theme-toggle").click()
    ann.go()
    assert ann.page.evaluate(colour) != before
