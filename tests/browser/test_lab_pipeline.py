"""The Export button's second kind: a real project in a real repository, its real hook, a scripted service."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

import pytest
from playwright.sync_api import Browser, Locator, Page, Response, expect

from fake_capacity import FakeCapacity
from jupyterhub_mesos.wire import LogView, ProgressEvent, ProgressView, RequestView
from jupyterhub_mesos_quota.model import RequestStatus, WorkloadKind
from lab_page import LabPage, browser_page
from lab_server import Rig
from model_fixtures import bare_repository, git, set_hook
from notebooks import (
    allocation,
    cell,
    digits_notebook,
    notebook,
    pipeline,
    pipeline_notebook,
    queued,
    said,
    stepped,
    training,
    worker,
    write,
)

ENDED = RequestStatus.ENDED
ROWS = (("form", "accuracy", "bytes"), ("fp32", "0.97", "13000"), ("int8", "0.97", "4100"))
SERVER = training(id="s1", name="digits", kind=WorkloadKind.SERVING, url="/services/capacity/models/s1/")


@pytest.fixture(scope="module")
def page(chromium: Browser, lab_rig: Rig) -> Iterator[Page]:
    with browser_page(chromium) as page:
        yield page


@pytest.fixture
def fake(lab_rig: Rig) -> FakeCapacity:
    fake = lab_rig.fake
    fake.replies.clear()
    fake.calls.clear()
    rmtree(lab_rig.lab.home / "lake" / "team" / "pipelines", ignore_errors=True)
    write(lab_rig.lab.home / "digits.ipynb", pipeline_notebook())
    return fake


@pytest.fixture
def lab(lab_rig: Rig, fake: FakeCapacity, page: Page) -> LabPage:
    return LabPage(page, lab_rig.lab).open("digits.ipynb")


def sent(fake: FakeCapacity) -> list[dict[str, object]]:
    bodies = [call.body for call in fake.calls if (call.method, call.path) == ("POST", "/requests")]
    return [json.loads(body)["payload"] for body in bodies]


def tell(fake: FakeCapacity, events: list[ProgressEvent], *views: RequestView, run: str = "p1") -> None:
    """Let the service say how a run went, with its training job `r1` and its server `s1`."""
    fake.on("POST /requests", pipeline(RequestStatus.QUEUED, id=run))
    fake.on(f"GET /requests/{run}", *views)
    count = len(events)
    nothing = ProgressView(events=(), next_after=count)
    fake.on(f"GET /requests/{run}/progress?after=0", ProgressView(events=tuple(events), next_after=count))
    fake.on(f"GET /requests/{run}/progress?after={count}", nothing)
    curve = [said(n, accuracy=1 - 1 / n) for n in range(1, 31)]
    fake.on("GET /requests/r1", training(ENDED, outcome="finished"))
    fake.on("GET /requests/r1/progress?after=0", ProgressView(events=tuple(curve), next_after=30))
    fake.on("GET /requests/r1/progress?after=30", ProgressView(events=(), next_after=30))
    fake.on("GET /requests/s1", SERVER)
    fake.on("GET /requests/s1/progress?after=0", ProgressView(events=(), next_after=0))


def whole_run() -> list[ProgressEvent]:
    return [
        stepped("train", "running", request="r1"),
        stepped("train", "done", request="r1", result="2 workers, accuracy 0.97", seconds=12.3),
        stepped("test", "done", result="accuracy 0.97, at least 0.9 was asked for", seconds=1.5),
        stepped("optimise", "done", result="int8 is kept", rows=ROWS, seconds=2.0),
        stepped("store", "done", result="digits/v1 in ~/lake/team/models.git"),
        stepped("verify", "done", result="the tag says the same"),
        stepped("serve", "done", request="s1", result="digits/v1 answers"),
    ]


def choose_pipeline(lab: LabPage) -> Locator:
    lab.press("Export")
    lab.dialog.get_by_role("radio", name="Pipeline").check()
    return lab.dialog


def export_pipeline(lab: LabPage) -> None:
    fields = choose_pipeline(lab)
    expect(fields.get_by_label("Git repository")).to_be_visible()
    lab.accept("Export")
    expect(lab.dialog).to_have_count(0, timeout=60_000)


def step(lab: LabPage, name: str) -> Locator:
    steps = lab.panel.get_by_role("list", name="Steps")
    return steps.locator(":scope > li").filter(has=lab.page.locator("strong", has_text=name))


def test_the_dialog_knows_what_the_cells_say_and_a_push_starts_the_run(
    lab: LabPage, lab_rig: Rig, fake: FakeCapacity
) -> None:
    tell(fake, whole_run(), pipeline(RequestStatus.QUEUED, explanation=queued().explanation))
    fields = choose_pipeline(lab)
    expect(fields).to_contain_text("What travels: cell 2 (train), cell 3 (model), cell 4 (test)")
    expect(fields).to_contain_text(re.compile(r"It runs in the Python of this notebook.s kernel: 3\."))
    expect(fields).to_contain_text("1 line stays here")
    expect(fields.get_by_label("Name", exact=True)).to_have_value("digits")
    expect(fields.get_by_label("Model", exact=True)).to_have_value("model")
    expect(fields.get_by_label("Held-out rows")).to_have_value("test_rows")
    expect(fields.get_by_label("Their labels")).to_have_value("test_labels")
    fields.get_by_label("Name", exact=True).fill("numbers")
    expect(fields.get_by_label("Git repository")).to_have_value("~/lake/team/pipelines/numbers.git")
    fields.get_by_label("Minimum accuracy").fill("80")
    fields.get_by_label("EPOCHS").fill("5")
    fields.get_by_label("Workers").fill("3")
    lab.accept("Export")
    expect(lab.panel).to_contain_text("2 of 3 in the queue.", timeout=60_000)
    remote = lab_rig.lab.home / "lake" / "team" / "pipelines" / "numbers.git"
    text = git("-C", str(remote), "show", "main:pipeline.yaml")
    assert "workers: 3" in text
    assert "accuracy: 0.8" in text
    assert "EPOCHS = 5\n" in git("-C", str(remote), "show", "main:train.py")
    lock = git("-C", str(remote), "show", "main:requirements.lock")
    assert "jupyterlab==" in lock, "the kernel's own packages"
    (payload,) = sent(fake)
    assert (payload["kind"], payload["name"]) == ("pipeline", "numbers")
    assert payload["repository"] == "~/lake/team/pipelines/numbers.git"
    assert payload["commit"] == git("-C", str(remote), "rev-parse", "main").strip()


def test_a_run_is_followed_step_by_step_to_the_served_model(lab: LabPage, fake: FakeCapacity) -> None:
    running = pipeline(allocation=allocation(worker(0)))
    tell(fake, whole_run(), running, running, pipeline(ENDED, outcome="finished"))
    export_pipeline(lab)
    expect(lab.state).to_have_text("Finished")
    steps = lab.panel.get_by_role("list", name="Steps").locator(":scope > li")
    expect(steps).to_contain_text(["Train", "Test", "Optimise", "Store", "Verify", "Serve"])
    expect(step(lab, "Train").get_by_role("img", name="accuracy over")).to_be_visible()
    expect(step(lab, "Train")).to_contain_text("12.3 s")
    table = step(lab, "Optimise").get_by_role("table")
    expect(table.get_by_role("columnheader")).to_have_text(["form", "accuracy", "bytes"])
    expect(table.get_by_role("cell")).to_have_text([*ROWS[1], *ROWS[2]])
    expect(step(lab, "Serve").get_by_role("link")).to_have_attribute("href", "/services/capacity/models/s1/")
    expect(lab.panel.get_by_role("button", name="Run again")).to_have_count(0)
    step(lab, "Train").get_by_role("button", name="Follow the job").click()
    expect(lab.panel.get_by_role("heading", name="digits", exact=True)).to_be_visible()
    expect(lab.panel).to_contain_text("epoch 30 of 30")


def test_a_test_step_that_fails_shows_its_cell_and_can_be_run_again(lab: LabPage, fake: FakeCapacity) -> None:
    why = "cell 4, line 1: AssertionError: assert 0.41 > 0.5"
    failed = [
        stepped("train", "done", result="2 workers", request="r1"),
        stepped("test", "running"),
        stepped("test", "failed", result=why),
    ]
    tell(fake, failed, pipeline(ENDED, outcome="failed", message=f"test: {why}"))
    export_pipeline(lab)
    expect(lab.state).to_have_text("Failed")
    expect(step(lab, "Test").get_by_role("alert")).to_have_text(why)
    expect(step(lab, "Store")).to_contain_text("not run")
    step(lab, "Test").get_by_role("button", name="Show cell 4").click()
    expect(lab.notebook.locator(".jp-Cell").nth(3)).to_have_class(re.compile(r"\bjp-mod-active\b"))

    tell(fake, whole_run(), pipeline(ENDED, outcome="finished", id="p2"), run="p2")
    lab.panel.get_by_role("button", name="Run again").click()
    expect(lab.state).to_have_text("Finished")
    first, second = sent(fake)
    assert second == json.loads(pipeline().payload.model_dump_json())
    assert first["kind"] == second["kind"]


def test_cancel_ends_the_run_and_what_was_done_stays_said(lab: LabPage, fake: FakeCapacity) -> None:
    running = pipeline(allocation=allocation(worker(0)))
    tell(fake, [stepped("train", "running", request="r1")], running)
    fake.on("DELETE /requests/p1", (204, ""))
    export_pipeline(lab)
    expect(step(lab, "Train")).to_contain_text("running")
    fake.on("GET /requests/p1", pipeline(ENDED, outcome="stopped"))
    lab.panel.get_by_role("button", name="Cancel").click()
    expect(lab.state).to_have_text("Stopped")
    expect(step(lab, "Train")).to_contain_text("cut off")
    assert [call.path for call in fake.calls if call.method == "DELETE"] == ["/requests/p1"]
    expect(lab.panel.get_by_role("button", name="Run again")).to_be_visible()


def test_a_service_that_goes_away_and_comes_back_is_waited_for(lab: LabPage, fake: FakeCapacity) -> None:
    away = {"title": "t", "status": 503, "detail": "the ledger does not answer", "code": "ledger-error"}
    running = pipeline(allocation=allocation(worker(0)))
    tell(fake, whole_run(), running, (503, away), (503, away), pipeline(ENDED, outcome="finished"))  # type: ignore[arg-type]
    export_pipeline(lab)
    expect(lab.panel).to_contain_text("The ledger does not answer Looking again")
    expect(lab.state).to_have_text("Finished", timeout=60_000)
    expect(lab.panel).not_to_contain_text("Looking again")


def test_the_panel_comes_back_with_the_page(lab: LabPage, fake: FakeCapacity) -> None:
    tell(fake, whole_run(), pipeline(ENDED, outcome="finished"))

    def is_saved(answer: Response) -> bool:
        return "/api/workspaces/" in answer.url and "capacity-pipelines:" in (answer.request.post_data or "")

    with lab.page.expect_response(is_saved):  # the layout is saved a moment later
        export_pipeline(lab)
        expect(lab.state).to_have_text("Finished")
    lab.page.goto(f"{lab.lab.url}lab")
    expect(lab.state).to_have_text("Finished", timeout=60_000)
    expect(step(lab, "Optimise")).to_contain_text("int8 is kept")


def test_a_remote_with_a_ci_of_its_own_is_named_and_the_run_can_be_had_here(
    lab: LabPage, fake: FakeCapacity, tmp_path: Path
) -> None:
    remote = bare_repository(tmp_path / "gitlab.git")
    set_hook(remote, "echo 'see https://gitlab.example/pipelines/7' >&2")
    fields = choose_pipeline(lab)
    fields.get_by_label("Git repository").fill(str(remote))
    lab.accept("Export")
    expect(lab.state).to_have_text("Pushed", timeout=60_000)
    commit = git("-C", str(remote), "rev-parse", "main").strip()
    expect(lab.panel).to_contain_text(f"Commit {commit[:12]} of {remote} has the project")
    expect(lab.panel).to_contain_text("see https://gitlab.example/pipelines/7")
    assert sent(fake) == []
    tell(fake, whole_run(), pipeline(ENDED, outcome="finished"))
    lab.panel.get_by_role("button", name="Run it here").click()
    expect(lab.state).to_have_text("Finished")
    (payload,) = sent(fake)
    assert (payload["repository"], payload["commit"]) == (str(remote), commit)


@pytest.mark.parametrize(
    ("cells", "sentence", "number"),
    [
        ([cell("x = 1", "train"), cell("for x in", "model")], "Cell 2, line 1 is not Python", 2),
        ([cell("x = 1", "train")], "is tagged 'model'", None),
    ],
)
def test_a_notebook_that_makes_no_pipeline_is_told_why_and_where(
    lab_rig: Rig, page: Page, fake: FakeCapacity, cells: list[dict[str, object]], sentence: str, number: int
) -> None:
    write(lab_rig.lab.home / "broken.ipynb", notebook(cells))
    lab = LabPage(page, lab_rig.lab).open("broken.ipynb")
    fields = choose_pipeline(lab)
    expect(fields.get_by_role("alert").first).to_contain_text(sentence)
    expect(fields.get_by_role("button", name="Export", exact=True)).to_be_disabled()
    page.keyboard.press("Escape")
    if number is not None:
        at = lab.notebook.locator(".jp-Cell").nth(number - 1)
        expect(at).to_have_class(re.compile(r"\bjp-mod-active\b"))


def test_a_value_that_does_not_hold_is_said_at_its_field(lab: LabPage, fake: FakeCapacity) -> None:
    fields = choose_pipeline(lab)
    fields.get_by_label("EPOCHS").fill("many")
    lab.accept("Export")
    expect(fields.get_by_role("alert")).to_contain_text("EPOCHS is 30 in the notebook, and 'many' is not")
    expect(fields.get_by_label("EPOCHS")).to_have_attribute("aria-invalid", "true")
    expect(fields.get_by_label("EPOCHS")).to_be_focused()
    assert sent(fake) == []
    lab.page.keyboard.press("Escape")


def test_two_notebooks_have_panels_of_their_own(lab: LabPage, lab_rig: Rig, fake: FakeCapacity) -> None:
    tell(fake, whole_run(), pipeline(ENDED, outcome="finished"))
    export_pipeline(lab)
    expect(lab.state).to_have_text("Finished")
    write(lab_rig.lab.home / "second.ipynb", digits_notebook())
    other = training(ENDED, id="r2", name="second", outcome="failed", message="no luck")
    fake.on("POST /requests", other)
    fake.on("GET /requests/r2", other)
    fake.on("GET /requests/r2/progress?after=0", ProgressView(events=(), next_after=0))
    fake.on(
        "GET /requests/r2/logs?task=t&offset=0",
        LogView(task="t", text="", offset=0, next_offset=0, is_complete=True),
    )
    lab.page.get_by_role("listitem", name="second.ipynb").dblclick()
    second = lab.page.locator(".jp-NotebookPanel:visible").last
    second.get_by_role("button", name="Train", exact=True).last.click()
    expect(lab.dialog).to_contain_text("Train second.ipynb")
    lab.accept("Train")
    expect(lab.page.locator(".capacity-Panel").filter(has_text="no luck")).to_be_visible()
    expect(lab.page.locator(".capacity-Panel").filter(has_text="int8 is kept")).to_have_count(1)
