"""An admin's levers with the mouse: pause and resume, cordon, drain and uncordon, book and cancel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.conftest import Enter
from browser.test_pages import training
from browser.visitor import Visitor
from installation import Installation
from jupyterhub_mesos.wire import NodeStanding, ResourcesModel, TeamsModel


def dialog(page: Page, title: str) -> Locator:
    found = page.get_by_role("dialog", name=title)
    expect(found).to_be_visible()
    return found


def pull(visitor: Visitor, button: str, title: str, reason: str, confirm: str) -> None:
    """Press a lever, say why, confirm; the dialog goes when it is done."""
    visitor.page.get_by_role("button", name=button, exact=True).click()
    asked = dialog(visitor.page, title)
    asked.get_by_label("Reason").fill(reason)
    asked.get_by_role("button", name=confirm).click()
    expect(asked).to_have_count(0)


def test_a_queue_is_paused_and_resumed_and_its_members_read_why_without_reloading(
    enter: Enter, cloud: Installation
) -> None:
    ann = enter("ann")
    ann.go("queue")
    expect(ann.page.get_by_role("button", name="Pause…")).to_have_count(0)
    admin = enter("admin")
    admin.go("queue")
    admin.page.get_by_role("button", name="Pause…").click()
    asked = dialog(admin.page, "Pause a queue")
    asked.get_by_label("Which queue").select_option(label="Team vision")
    asked.get_by_label("Reason").fill("exam week")
    asked.get_by_role("button", name="Pause").click()
    expect(asked).to_have_count(0)
    banner = "The queue of team vision is paused since"
    expect(admin.page.get_by_text(banner)).to_contain_text("by admin: exam week")
    expect(ann.page.get_by_text(banner)).to_contain_text(": exam week")
    expect(ann.page.get_by_text(banner)).not_to_contain_text("by admin")
    job = cloud.client("ann").submit(training())
    expect(
        ann.page.get_by_role("cell", name="The queue of team vision is paused: exam week.")
    ).to_be_visible()
    pull(admin, "Resume the queue of team vision", "Resume the queue of team vision", "it is over", "Resume")
    expect(ann.page.get_by_text(banner)).to_be_hidden()
    cloud.until_running("ann", job.id)


def test_a_waiting_page_says_that_its_queue_is_paused_and_goes_on_by_itself(
    enter: Enter, cloud: Installation
) -> None:
    client = cloud.client("admin")
    client.pause_queue(None, "a power cut")
    ann = enter("ann")
    expect(ann.page.get_by_text("The whole queue is paused since")).to_contain_text(": a power cut")
    expect(ann.page.get_by_text("Will wait").first).to_be_visible()
    ann.ask_in_vain("Small")
    expect(ann.page.get_by_text("The whole queue is paused: a power cut.")).to_be_visible()
    expect(ann.page.get_by_text("It waits at its place until the queue is resumed.")).to_be_visible()
    client.resume_queue(None, "it is over")
    ann.sees_server()


def test_the_teams_page_pauses_one_team_and_a_dialog_can_be_left_with_the_keyboard(
    enter: Enter, cloud: Installation
) -> None:
    admin = enter("admin")
    admin.page.get_by_role("link", name="Teams").click()
    row = admin.page.get_by_role("row").filter(has_text="speech")
    expect(row.get_by_text("Open")).to_be_visible()
    button = row.get_by_role("button", name="Pause the queue of team speech")
    button.focus()
    admin.page.keyboard.press("Enter")
    asked = dialog(admin.page, "Pause the queue of team speech")
    expect(asked.get_by_label("Reason")).to_be_focused()
    admin.page.keyboard.press("Enter")  # without a reason nothing is sent
    expect(asked).to_be_visible()
    admin.page.keyboard.press("Escape")
    expect(asked).to_have_count(0)
    expect(button).to_be_focused()
    assert cloud.client("admin").pauses().items == ()
    pull(admin, "Pause the queue of team speech", "Pause the queue of team speech", "a move", "Pause")
    expect(row.get_by_text("Paused")).to_be_visible()
    assert [(pause.team, pause.reason) for pause in cloud.client("ben").pauses().items] == [
        ("speech", "a move")
    ]


def test_a_lever_that_somebody_else_has_pulled_says_so_in_its_dialog(
    enter: Enter, cloud: Installation
) -> None:
    admin = enter("admin")
    admin.go("queue")
    admin.page.get_by_role("button", name="Pause…").click()
    asked = dialog(admin.page, "Pause a queue")
    asked.get_by_label("Reason").fill("mine")
    cloud.client("admin").pause_queue(None, "theirs")
    asked.get_by_role("button", name="Pause").click()
    expect(asked.get_by_role("alert")).to_contain_text("is paused already by admin, because: theirs")
    expect(asked.get_by_label("Reason")).to_have_value("mine")
    asked.get_by_role("button", name="Cancel").click()
    assert all("409" in trouble for trouble in admin.troubles)
    admin.troubles.clear()


def test_a_node_is_emptied_and_opened_again(enter: Enter, cloud: Installation) -> None:
    job = cloud.client("ann").submit(training())
    cloud.until_running("ann", job.id)
    (node,) = (view.id for view in cloud.client("admin").nodes().items)
    admin, ann = enter("admin"), enter("ann")
    for visitor in (admin, ann):
        visitor.page.get_by_role("link", name="Capacity", exact=True).click()
    table = admin.page.get_by_role("table")
    expect(table.get_by_text("1 workload")).to_be_visible()
    expect(ann.page.get_by_role("button", name="Drain")).to_have_count(0)
    pull(admin, f"Cordon node {node}", f"Cordon node {node}", "new disks", "Cordon")
    expect(table.get_by_text("Cordoned")).to_be_visible()
    expect(table.get_by_role("link", name="Training digits")).to_be_visible()
    pull(admin, f"Drain node {node}", f"Drain node {node}", "now", "Drain")
    expect(table.get_by_text("Drained")).to_be_visible()
    expect(
        ann.page.get_by_role("table").get_by_text("nothing stands there: it can be taken away")
    ).to_be_visible()
    assert cloud.client("ann").request(job.id).status == "queued"
    pull(admin, f"Uncordon node {node}", f"Uncordon node {node}", "done", "Uncordon")
    expect(table.get_by_text("Open")).to_be_visible()
    cloud.until_running("ann", job.id)
    assert [view.standing for view in cloud.client("ann").nodes().items] == [NodeStanding.OPEN]


@pytest.fixture
def with_room(cloud: Installation) -> Iterator[Installation]:
    """Half a CPU that no team is guaranteed, so that it can be booked; all is as it was afterwards."""
    client = cloud.client("admin")
    before = {view.id: view.team for view in client.teams().teams}
    less = ResourcesModel(cpu_millis=3500, mem_mib=5 * 1024)
    client.put_teams(TeamsModel(teams=before | {"lab": before["lab"].model_copy(update={"guarantee": less})}))
    yield cloud
    for booked in client.reservations().items:
        client.cancel_reservation(booked.id, "a test is over")
    client.put_teams(TeamsModel(teams=before))


def test_capacity_is_booked_seen_by_the_members_and_cancelled(enter: Enter, with_room: Installation) -> None:
    admin, ann = enter("admin", timezone_id="Europe/Berlin"), enter("ann", timezone_id="Asia/Tokyo")
    for visitor in (admin, ann):
        visitor.page.get_by_role("link", name="Reservations").click()
        expect(visitor.page.get_by_text("Nothing is booked for your teams.")).to_be_visible()
    expect(ann.page.get_by_role("button", name="Book…")).to_have_count(0)
    admin.page.get_by_role("button", name="Book…").click()
    asked = dialog(admin.page, "Book capacity")
    day = (datetime.now(UTC) + timedelta(days=3)).date()
    asked.get_by_label("Team").select_option("vision")
    asked.get_by_label("What it is for").fill("Deep learning")
    asked.get_by_label("From").fill(f"{day}T12:00")
    asked.get_by_label("Until").fill(f"{day}T14:00")
    asked.get_by_label("CPU of each").fill("2")
    asked.get_by_label("Memory of each, in GiB").fill("0.5")
    asked.get_by_label("Reason").fill("a class")
    asked.get_by_role("button", name="Book").click()
    expect(asked.get_by_role("alert")).to_contain_text("2 CPU to be booked")
    asked.get_by_label("CPU of each").fill("0.5")
    asked.get_by_role("button", name="Book").click()
    expect(asked).to_have_count(0)
    assert all("409" in trouble for trouble in admin.troubles)
    admin.troubles.clear()
    (booked,) = with_room.client("ann").reservations().items
    assert datetime.fromtimestamp(booked.starts_at, ZoneInfo("Europe/Berlin")).hour == 12
    row = ann.page.get_by_role("row").filter(has_text="Deep learning")
    expect(row).to_contain_text("0.5 CPU, 512 MiB")
    begins = datetime.fromtimestamp(booked.starts_at, ZoneInfo("Asia/Tokyo"))
    expect(row.get_by_role("time").first).to_have_text(re.compile(rf"{begins:%-I}:00\s{begins:%p}"))
    expect(row.get_by_role("button")).to_have_count(0)
    button = "Cancel the reservation Deep learning of team vision"
    pull(admin, button, "Cancel Deep learning", "moved", "Cancel the reservation")
    expect(ann.page.get_by_text("Nothing is booked for your teams.")).to_be_visible()
    ann.page.get_by_text("What is over").click()
    expect(ann.page.get_by_text("cancelled: moved").first).to_be_visible()


def test_a_user_who_left_has_nothing_any_more(enter: Enter, cloud: Installation) -> None:
    job = cloud.client("sam").submit(training())
    cloud.until_running("sam", job.id)
    admin = enter("admin")
    admin.go("teams")
    admin.page.get_by_role("button", name="A user has left…").click()
    asked = dialog(admin.page, "A user has left")
    asked.get_by_label("User").fill("smm")
    asked.get_by_label("Reason").fill("graduated")
    asked.get_by_role("button", name="End everything").click()
    expect(asked.get_by_role("alert")).to_contain_text("Nobody called 'smm' has asked for anything here")
    asked.get_by_label("User").fill("sam")
    asked.get_by_role("button", name="End everything").click()
    expect(admin.page.get_by_role("status").filter(has_text="What sam had is ended")).to_be_visible()
    cloud.until_over("sam", job.id)
    assert all("404" in trouble for trouble in admin.troubles)
    admin.troubles.clear()


def test_a_user_s_new_name_takes_over_what_runs(enter: Enter, cloud: Installation) -> None:
    job = cloud.client("sam").submit(training())
    cloud.until_running("sam", job.id)
    admin = enter("admin")
    admin.go("teams")
    admin.page.get_by_role("button", name="A user has a new name…").click()
    asked = dialog(admin.page, "A user has a new name")
    asked.get_by_label("User").fill("sam")
    asked.get_by_label("New name").fill("samuel")
    asked.get_by_label("Reason").fill("by wish")
    asked.get_by_role("button", name="Rename").click()
    said = "What sam had is samuel's now: 0 waiting, 1 running."
    expect(admin.page.get_by_role("status").filter(has_text=said)).to_be_visible()
    assert cloud.client("admin").request(job.id).user == "samuel"


def test_a_notebook_on_a_drained_node_waits_and_starts_again_when_the_node_is_opened(
    enter: Enter, cloud: Installation
) -> None:
    request = cloud.start_notebook("ann", "small")
    client = cloud.client("admin")
    (node,) = (view.id for view in client.nodes().items)
    ann = enter("ann")
    ann.go(f"requests/{request.id}")
    client.cordon_node(node, "new disks", drains=True)
    expect(ann.page.get_by_role("status").filter(has_text="Waiting")).to_be_visible()
    client.uncordon_node(node, "disks are in")
    ann.sees_server()
    assert cloud.until_running("ann", request.id).allocation is not None


@pytest.fixture
def with_limit(cloud: Installation) -> Iterator[Installation]:
    """Notebooks of team vision run half an hour at most; all is as it was afterwards."""
    client = cloud.client("admin")
    before = {view.id: view.team for view in client.teams().teams}
    limited = before["vision"].model_copy(update={"max_session_minutes": 30})
    client.put_teams(TeamsModel(teams=before | {"vision": limited}))
    yield cloud
    client.put_teams(TeamsModel(teams=before))


def test_a_session_is_extended_and_its_owner_sees_until_when(enter: Enter, with_limit: Installation) -> None:
    request = with_limit.start_notebook("ann", "small")
    before = with_limit.client("ann").session(request.id)
    assert before.ends_at is not None
    zone = ZoneInfo("Europe/Berlin")
    until = (datetime.fromtimestamp(before.ends_at, zone) + timedelta(hours=2)).replace(
        second=0, microsecond=0
    )
    ann, admin = enter("ann", timezone_id=zone.key), enter("admin", timezone_id=zone.key)
    for visitor in (ann, admin):
        visitor.go(f"requests/{request.id}")
        expect(visitor.page.get_by_text("Runs until")).to_be_visible()
    expect(ann.page.get_by_role("button", name="Extend…")).to_be_hidden()
    admin.page.get_by_role("button", name="Extend…").click()
    asked = dialog(admin.page, "Extend the session")
    asked.get_by_label("Run until").fill(f"{until:%Y-%m-%dT%H:%M}")
    asked.get_by_label("Reason").fill("a demo")
    asked.get_by_role("button", name="Extend").click()
    expect(asked).to_have_count(0)
    assert with_limit.client("ann").session(request.id).ends_at == until.timestamp()
    shown = re.compile(rf"{until:%-I}:{until:%M}\s{until:%p}")
    for visitor in (admin, ann):
        expect(visitor.page.locator("#ends")).to_have_text(shown)
    with_limit.end("ann", request.id)
    expect(admin.page.get_by_text("Runs until")).to_be_hidden()
