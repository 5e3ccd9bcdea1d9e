"""The Train button in a real JupyterLab and Chromium, to the job's real end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from fake_capacity import FakeCapacity
from jupyterhub_mesos.wire import LogView, ProgressView, RequestSubmission, TrainingPayload
from jupyterhub_mesos_quota.model import AllocationState, RequestStatus
from lab_page import LabPage, browser_page
from lab_server import Rig
from notebooks import allocation, cell, digits_notebook, notebook, queued, said, training, worker, write

ENDED = RequestStatus.ENDED


@pytest.fixture
def running_rig(lab_rig: Rig) -> Rig:
    return lab_rig


@pytest.fixture(scope="module")
def chromium_page(chromium: Browser) -> Iterator[Page]:
    with browser_page(chromium) as page:
        yield page


@pytest.fixture
def fake(running_rig: Rig) -> FakeCapacity:
    fake = running_rig.fake
    fake.replies.clear()
    fake.calls.clear()
    write(running_rig.lab.home / "digits.ipynb", digits_notebook())
    return fake


@pytest.fixture
def lab(running_rig: Rig, fake: FakeCapacity, chromium_page: Page) -> LabPage:
    return LabPage(chromium_page, running_rig.lab).open("digits.ipynb")


def submissions(fake: FakeCapacity) -> list[RequestSubmission]:
    sent = [call.body for call in fake.calls if (call.method, call.path) == ("POST", "/requests")]
    return [RequestSubmission.model_validate_json(body) for body in sent]


def tell_the_whole_story(fake: FakeCapacity) -> None:
    """Wait in the queue, run with a lost worker, finish."""
    lost = (worker(0, exit_code=143), worker(1, exit_code=1))
    again = (worker(0, 2), worker(1, 2))
    over = (*lost, worker(0, 2, 0), worker(1, 2, 0))
    fake.on("POST /requests", queued(2))
    fake.on(
        "GET /requests/r1",
        queued(2),
        queued(1),
        training(allocation=allocation(state=AllocationState.STARTING)),
        training(allocation=allocation(worker(0), worker(1))),
        training(allocation=allocation(*lost, *again)),
        training(ENDED, outcome="finished", allocation=allocation(*over, state=AllocationState.GONE)),
    )
    first = [said(n, index, loss=1 / n, accuracy=1 - 1 / n) for n in range(1, 13) for index in (0, 1)]
    second = [said(n, index, 2, loss=1 / n, accuracy=1 - 1 / n) for n in range(10, 31) for index in (0, 1)]
    nothing, all_said = ProgressView(events=(), next_after=0), ProgressView(events=(), next_after=66)
    fake.on(
        "GET /requests/r1/progress?after=0",
        *[nothing] * 3,
        ProgressView(events=tuple(first), next_after=24),
    )
    fake.on(
        "GET /requests/r1/progress?after=24",
        ProgressView(events=tuple(second), next_after=66),
    )
    fake.on("GET /requests/r1/progress?after=66", all_said)
    for generation, text in ((1, "epoch 12\nLostPeer: worker 1\n"), (2, "resumed after epoch 9\nepoch 30\n")):
        for index in (0, 1):
            task = worker(index, generation).id
            end = len(text)
            last = LogView(task=task, text="", offset=end, next_offset=end, is_complete=True)
            whole = LogView(task=task, text=text, offset=0, next_offset=end, is_complete=False)
            fake.on(f"GET /requests/r1/logs?task={task}&offset=0", whole)
            fake.on(f"GET /requests/r1/logs?task={task}&offset={end}", last)


def test_the_buttons_are_in_the_toolbar_and_reached_by_keyboard(lab: LabPage) -> None:
    for name in ("Train", "Export"):
        expect(lab.notebook.get_by_role("button", name=name, exact=True)).to_be_visible()
    lab.notebook.get_by_role("button", name="Train", exact=True).focus()
    lab.page.keyboard.press("Enter")
    expect(lab.dialog).to_contain_text("Train digits.ipynb")
    lab.page.keyboard.press("Escape")
    expect(lab.dialog).to_have_count(0)


def test_the_palette_has_both(lab: LabPage) -> None:
    lab.menu("View", "Activate Command Palette")
    lab.page.locator(".jp-ModalCommandPalette input").fill("on the team")
    expect(lab.page.locator(".jp-ModalCommandPalette .lm-CommandPalette-item")).to_contain_text(
        ["Train This Notebook"]
    )
    lab.page.keyboard.press("Escape")


def test_the_dialog_knows_the_notebook_and_what_it_lists_is_sent(lab: LabPage, fake: FakeCapacity) -> None:
    tell_the_whole_story(fake)
    lab.press("Train")
    fields = lab.dialog
    expect(fields.get_by_label("Workers")).to_have_value("2")
    expect(fields.get_by_label("CPU per worker")).to_have_value("1")
    expect(fields.get_by_label("Framework")).to_have_value("generic")
    expect(fields.get_by_label("EPOCHS")).to_have_value("30")
    expect(fields).to_contain_text("Each worker runs cell 2 (tagged train), with mymodel.py.")
    expect(fields).to_contain_text("1 line stays here")
    fields.get_by_label("Name").fill("night-run")
    expect(fields.get_by_label("Checkpoint place")).to_have_value("~/lake/team/checkpoints/night-run")
    fields.get_by_label("Workers").fill("3")
    fields.get_by_label("Memory per worker").fill("0.5")
    fields.get_by_label("EPOCHS").fill("5")
    lab.accept("Train")
    expect(lab.panel).to_contain_text("digits")
    (sent,) = submissions(fake)
    assert isinstance(sent.payload, TrainingPayload)
    job = sent.payload.job
    assert (job.name, job.roles[0].replicas, job.roles[0].resources.mem_mib) == ("night-run", 3, 512)
    assert "EPOCHS = 5\n" in next(file.text for file in job.source.files if file.path == "train.py")


def test_a_job_is_followed_to_its_real_end(lab: LabPage, fake: FakeCapacity) -> None:
    tell_the_whole_story(fake)
    lab.press("Train")
    lab.accept("Train")
    panel = lab.panel
    expect(panel).to_contain_text("2 of 3 in the queue. Two workers need 2 cores; 1 core is free now.")
    expect(panel).to_contain_text("1 of 3 in the queue.")
    expect(lab.state).to_have_text("Running")
    expect(panel.get_by_role("img", name="loss over")).to_be_visible()
    expect(lab.state).to_have_text("Finished")
    expect(panel).to_contain_text("epoch 30 of 30")
    expect(panel.locator(".capacity-Curve-restart")).to_have_count(2)  # one in each of the two charts
    expect(panel.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(panel.get_by_label("Log", exact=True)).to_contain_text("resumed after epoch 9")
    panel.get_by_label("Log of").select_option(worker(1).id)
    expect(panel.get_by_label("Log", exact=True)).to_contain_text("LostPeer: worker 1")


def test_a_panel_comes_back_with_the_page(lab: LabPage, fake: FakeCapacity) -> None:
    tell_the_whole_story(fake)
    lab.press("Train")
    with lab.page.expect_response("**/api/workspaces/**"):  # the layout is saved a moment later
        lab.accept("Train")
        expect(lab.state).to_have_text("Finished")
    lab.page.goto(f"{lab.lab.url}lab")
    expect(lab.state).to_have_text("Finished", timeout=60_000)


def test_a_refusal_leaves_the_dialog_open_with_its_sentence(lab: LabPage, fake: FakeCapacity) -> None:
    refusal = "8 workers ask for 8 cores; team vision may hold 6: ask for 6 workers"
    problem = {"title": "t", "status": 422, "detail": refusal, "code": "over-limit"}
    tell_the_whole_story(fake)
    fake.on("POST /requests", (422, problem), training())
    lab.press("Train")
    lab.dialog.get_by_label("Workers").fill("8")
    lab.accept("Train")
    expect(lab.dialog.get_by_role("alert")).to_have_text(refusal)
    expect(lab.dialog.get_by_label("Workers")).to_have_value("8")
    lab.dialog.get_by_label("Workers").fill("6")
    lab.accept("Train")
    expect(lab.dialog).to_have_count(0)
    assert len(submissions(fake)) == 2


def test_restarts_without_a_checkpoint_place_are_refused_with_the_reason(
    lab: LabPage, fake: FakeCapacity
) -> None:
    lab.press("Train")
    lab.dialog.get_by_label("Checkpoint place").fill("")
    lab.accept("Train")
    expect(lab.dialog.get_by_role("alert")).to_contain_text("restarts asked for without a checkpoint")
    assert submissions(fake) == []


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("for x in", "Cell 2, line 1 is not Python"),
        ("import nowhere_to_be_found", "Cell 2, line 1 imports 'nowhere_to_be_found'"),
    ],
)
def test_a_broken_cell_is_named_at_once_and_selected(
    running_rig: Rig, fake: FakeCapacity, chromium_page: Page, source: str, sentence: str
) -> None:
    write(running_rig.lab.home / "broken.ipynb", notebook([cell("x = 1"), cell(source, "train")]))
    lab = LabPage(chromium_page, running_rig.lab).open("broken.ipynb")
    lab.press("Train")
    expect(lab.notification).to_contain_text(sentence)
    expect(lab.dialog).to_have_count(0)
    expect(lab.notebook.locator(".jp-Cell").nth(1)).to_have_class(re.compile(r"\bjp-mod-active\b"))


def test_cancel_ends_the_job(lab: LabPage, fake: FakeCapacity) -> None:
    tell_the_whole_story(fake)
    running = training(allocation=allocation(worker(0), worker(1)))
    fake.on("GET /requests/r1", running)
    fake.on("DELETE /requests/r1", (204, ""))
    lab.press("Train")
    lab.accept("Train")
    lab.panel.get_by_role("button", name="Cancel").wait_for()
    fake.on(
        "GET /requests/r1", running.model_copy(update={"is_ending": True}), training(ENDED, outcome="stopped")
    )
    lab.panel.get_by_role("button", name="Cancel").click()
    expect(lab.state).to_have_text("Stopped")
    assert [call.path for call in fake.calls if call.method == "DELETE"] == ["/requests/r1"]


def test_a_failed_job_says_why(lab: LabPage, fake: FakeCapacity) -> None:
    tell_the_whole_story(fake)
    why = "worker 1 exited 1 and no restart is left"
    fake.on("GET /requests/r1", training(ENDED, outcome="failed", message=why))
    lab.press("Train")
    lab.accept("Train")
    expect(lab.state).to_have_text("Failed")
    expect(lab.panel.get_by_role("alert")).to_have_text(why)


def test_a_service_that_goes_away_and_comes_back_is_waited_for(lab: LabPage, fake: FakeCapacity) -> None:
    tell_the_whole_story(fake)
    away = {"title": "t", "status": 503, "detail": "the ledger does not answer", "code": "ledger-error"}
    story = fake.replies["GET /requests/r1"]
    fake.on("GET /requests/r1", queued(2), (503, away), (503, away), *story)
    lab.press("Train")
    lab.accept("Train")
    expect(lab.panel).to_contain_text("The ledger does not answer Looking again")
    expect(lab.state).to_have_text("Finished", timeout=60_000)
    expect(lab.panel).not_to_contain_text("Looking again")


def test_two_notebooks_are_followed_at_once(lab: LabPage, fake: FakeCapacity, running_rig: Rig) -> None:
    write(running_rig.lab.home / "second.ipynb", digits_notebook())
    tell_the_whole_story(fake)
    lab.press("Train")
    lab.accept("Train")
    expect(lab.state).to_have_text("Finished", timeout=60_000)
    other = training(ENDED, id="r2", name="second", outcome="failed", message="no luck")
    fake.on("POST /requests", other)
    fake.on("GET /requests/r2", other)
    fake.on("GET /requests/r2/progress?after=0", ProgressView(events=(), next_after=0))
    lab.page.get_by_role("listitem", name="second.ipynb").dblclick()
    second = lab.page.locator(".jp-NotebookPanel:visible").last
    second.get_by_role("button", name="Train", exact=True).last.click()
    expect(lab.dialog).to_contain_text("Train second.ipynb")
    lab.accept("Train")
    expect(lab.page.locator(".capacity-Panel").filter(has_text="no luck")).to_be_visible()
    expect(lab.page.locator(".capacity-Panel").filter(has_text="epoch 30 of 30")).to_have_count(1)
    assert json.dumps([call.path for call in fake.calls]).count("/requests/r2") >= 1
