"""The Export button in a real JupyterLab and Chromium, with a real kernel, model and git repository."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from jupyterhub_mesos.wire import ProgressView
from jupyterhub_mesos_quota.model import RequestStatus
from lab_page import LabPage, browser_page
from lab_server import Rig
from model_fixtures import bare_repository, git, set_hook
from notebooks import cell, notebook, training, write

DATA = """
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
images, labels = load_digits(return_X_y=True)
train_images, test_images = images[:1400], images[1400:]
train_labels, test_labels = labels[:1400], labels[1400:]
"""
FIT = "model = LogisticRegression(max_iter=200).fit(train_images / 16, train_labels)\ntest_images /= 16"
SLOW = "import time\nmodel.predict = lambda rows: time.sleep(60)"
READY = cell("print('ready')")


@pytest.fixture
def rig(lab_rig: Rig) -> Rig:
    lab_rig.fake.replies.clear()
    lab_rig.fake.calls.clear()
    return lab_rig


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    with browser_page(chromium) as page:
        yield page


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return bare_repository(tmp_path / "models.git")


def opened(rig: Rig, page: Page, name: str, *sources: str) -> LabPage:
    """Open a notebook of these cells and run it; each test has a kernel of its own."""
    write(rig.lab.home / f"{name}.ipynb", notebook([*map(cell, sources), READY]))
    lab = LabPage(page, rig.lab).open(f"{name}.ipynb")
    lab.run_cells()
    return lab


def export_to(lab: LabPage, remote: Path) -> None:
    lab.press("Export")
    lab.dialog.get_by_label("Git repository").fill(str(remote))
    lab.accept("Export")


def test_a_model_goes_from_the_kernel_to_a_tag_in_git_and_is_served(
    rig: Rig, page: Page, remote: Path
) -> None:
    lab = opened(rig, page, "digits", DATA, FIT)
    counts = lab.notebook.locator(".jp-InputArea-prompt").all_inner_texts()
    lab.press("Export")
    fields = lab.dialog
    expect(fields.get_by_label("Object", exact=True)).to_have_value("model")
    expect(fields).to_contain_text("model: LogisticRegression, 5")  # and its size in kB
    expect(fields).to_contain_text("64 features → 10 classes")
    expect(fields.get_by_label("Name", exact=True)).to_have_value("digits")
    expect(fields.get_by_label("Example inputs")).to_have_value("test_images")
    expect(fields.get_by_label("Held-out rows")).to_have_value("test_images")
    expect(fields.get_by_label("Their labels")).to_have_value("test_labels")
    fields.get_by_label("Git repository").fill(str(remote))
    lab.accept("Export")
    panel = lab.panel
    expect(lab.state).to_have_text("Pushed", timeout=60_000)
    expect(panel.get_by_role("listitem")).to_contain_text(
        ["collect", "convert", "check", "test", "bundle", "push"]
    )
    expect(panel).to_contain_text(f"digits/v1 is in {remote} and can be served.")
    expect(panel).to_contain_text("held_out_accuracy 0.9")
    assert git("-C", str(remote), "tag").split() == ["digits/v1"]
    assert lab.notebook.locator(".jp-InputArea-prompt").all_inner_texts() == counts, (
        "no trace in the notebook"
    )

    served = training(RequestStatus.ENDED, id="s1", name="digits", outcome="stopped")
    rig.fake.on("POST /requests", served)
    rig.fake.on("GET /requests/s1", served)
    rig.fake.on("GET /requests/s1/progress?after=0", ProgressView(events=(), next_after=0))
    panel.get_by_role("button", name="Serve it").click()
    expect(lab.panel.get_by_role("heading", name="digits", exact=True)).to_be_visible()
    payload = json.loads(next(call.body for call in rig.fake.calls if call.method == "POST"))["payload"]
    assert (payload["bundle"], payload["ref"]) == (str(remote), "digits/v1")


def test_a_remote_that_refuses_is_heard_and_the_export_can_be_done_again(
    rig: Rig, page: Page, remote: Path
) -> None:
    set_hook(remote, "echo 'no models on Fridays' >&2; exit 1")
    lab = opened(rig, page, "refused", DATA, FIT)
    export_to(lab, remote)
    expect(lab.state).to_have_text("Not exported", timeout=60_000)
    expect(lab.panel.get_by_role("alert")).to_contain_text("no models on Fridays")
    expect(lab.panel.get_by_role("listitem")).to_contain_text(
        ["collect", "convert", "check", "test", "bundle"]
    )
    assert git("-C", str(remote), "tag") == ""


def test_a_kernel_without_a_model_says_so_and_has_nothing_to_press(rig: Rig, page: Page) -> None:
    lab = opened(rig, page, "none", "numbers = [1, 2, 3]")
    lab.press("Export")
    expect(lab.dialog).to_contain_text("No model is in the kernel: run the cells that make it")
    expect(lab.dialog.get_by_role("button", name="Export", exact=True)).to_be_disabled()
    page.keyboard.press("Escape")


def test_a_kernel_that_lacks_the_package_says_what_to_install(rig: Rig, page: Page) -> None:
    hide = (
        "import importlib.util as u\nfound = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'onnx' else found(name, package)"
    )
    lab = opened(rig, page, "lacking", DATA, FIT, hide)
    lab.press("Export")
    expect(lab.dialog).to_contain_text("lacks onnx: run %pip install 'jupyterhub-mesos[export]'")
    expect(lab.dialog.get_by_role("button", name="Export", exact=True)).to_be_disabled()
    page.keyboard.press("Escape")


def test_a_busy_kernel_is_waited_for(rig: Rig, page: Page, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.02)"
    write(rig.lab.home / "busy.ipynb", notebook([cell(DATA), cell(FIT), cell(wait), READY]))
    lab = LabPage(page, rig.lab).open("busy.ipynb")
    lab.start_cells()
    lab.notebook.locator('.jp-Notebook-ExecutionIndicator[data-status="busy"]').wait_for()
    lab.press("Export")
    expect(lab.dialog).to_contain_text("The kernel is busy")
    gate.touch()
    expect(lab.dialog.get_by_label("Object", exact=True)).to_have_value("model", timeout=60_000)
    page.keyboard.press("Escape")


def test_cancel_interrupts_the_export_and_the_kernel_lives_on(rig: Rig, page: Page, remote: Path) -> None:
    lab = opened(rig, page, "slow", DATA, FIT, SLOW)
    export_to(lab, remote)
    expect(lab.panel).to_contain_text("step 3 of 9", timeout=60_000)
    lab.panel.get_by_role("button", name="Cancel").click()
    expect(lab.panel.get_by_role("alert")).to_have_text("The export was cancelled in this step")
    assert git("-C", str(remote), "tag") == ""
    lab.notebook.locator(".jp-Cell").first.click()
    lab.run_cells()


def test_a_kernel_that_is_restarted_ends_the_export(rig: Rig, page: Page, remote: Path) -> None:
    lab = opened(rig, page, "restarted", DATA, FIT, SLOW)
    export_to(lab, remote)
    expect(lab.panel).to_contain_text("step 3 of 9", timeout=60_000)
    lab.notebook.locator(".jp-Cell").first.click()
    lab.menu("Kernel", "Restart Kernel…")
    with page.expect_response("**/restart*"):  # a server that ends before it hangs
        lab.dialog.locator(".jp-mod-accept").click()
        expect(lab.panel.get_by_role("alert")).to_contain_text("The kernel was restarted or ended")
    assert git("-C", str(remote), "tag") == ""
