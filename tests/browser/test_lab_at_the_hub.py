"""Both buttons through the real hub, service, workers and git: what a person does with the mouse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from deadlines import eventually
from installation import START_SECONDS, Installation
from jupyterhub_mesos.cli.demo_probes import is_ready, newest_tag
from lab_page import LabPage, browser_page
from notebooks import cell

CONFIG = Path(__file__).parent / "lab_hub_config.py"
EXAMPLE = Path(__file__).parents[2] / "examples" / "digits.ipynb"
JOB_MS = 120_000


@pytest.fixture(scope="module")
def lab_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("lab-installation"), CONFIG)
    installation.start()
    yield installation
    installation.end_everything()
    installation.stop()


def example() -> dict[str, Any]:
    """Return the shipped example without the cells that the buttons stand for."""
    content: dict[str, Any] = json.loads(EXAMPLE.read_text())
    scripted = ("train(workers", "export(")
    content["cells"] = [
        one for one in content["cells"] if not any(word in "".join(one["source"]) for word in scripted)
    ]
    content["cells"].append(cell("print('ready')"))
    return content


@pytest.mark.timeout(400)  # a hub, JupyterLab in Chromium, two workers, an export and a model server
def test_a_notebook_trains_exports_and_serves_by_its_buttons(
    lab_cloud: Installation, chromium: Browser
) -> None:
    lab_cloud.start_notebook("ann", "medium")
    ann = lab_cloud.person("ann")
    eventually(lambda: is_ready(ann), "the hub takes ann's server as ready", START_SECONDS)
    ann.save_notebook("digits.ipynb", example())
    with browser_page(chromium) as page:
        lab = LabPage(page).open_at_hub(
            f"{lab_cloud.url}user/ann/lab/tree/digits.ipynb", "ann", lab_cloud.folder.password("vision")
        )
        train(lab, lab_cloud)
        export_and_serve(lab, lab_cloud)
        run_pipeline(lab, lab_cloud)


def train(lab: LabPage, cloud: Installation) -> None:
    lab.press("Train")
    lab.dialog.get_by_label("CPU per worker").fill("0.5")
    lab.dialog.get_by_label("Memory per worker").fill("0.5")
    lab.dialog.get_by_label("EPOCHS").fill("4")
    lab.accept("Train")
    expect(lab.state).to_have_text("Finished", timeout=JOB_MS)
    expect(lab.panel).to_contain_text("epoch 4 of 4")
    expect(lab.panel.get_by_role("img", name="accuracy")).to_be_visible()
    (job,) = cloud.client("ann").requests(kind="training")
    assert (job.outcome, job.team, job.replicas) == ("finished", "vision", 2)


def export_and_serve(lab: LabPage, cloud: Installation) -> None:
    lab.notebook.locator(".jp-Cell").first.click()
    lab.panel.get_by_role("button", name="Use it in the notebook").click()
    lab.run_cells()
    lab.press("Export")
    expect(lab.dialog.get_by_label("Object", exact=True)).to_have_value("model")
    lab.accept("Export")
    expect(lab.state).to_have_text("Pushed", timeout=JOB_MS)
    assert newest_tag(cloud.folder.root / "lake" / "vision" / "models.git") == "digits/v1"
    lab.panel.get_by_role("button", name="Serve it").click()
    expect(lab.state).to_have_text("Running", timeout=JOB_MS)
    expect(lab.panel).to_contain_text("It answers at")
    lab.panel.get_by_role("button", name="Cancel").click()  # its room is the pipeline's
    expect(lab.state).to_have_text("Stopped", timeout=JOB_MS)


def run_pipeline(lab: LabPage, cloud: Installation) -> None:
    lab.press("Export")
    fields = lab.dialog
    fields.get_by_role("radio", name="Pipeline").check()
    expect(fields.get_by_label("Held-out rows")).to_have_value("test_images")
    expect(fields.get_by_label("Their labels")).to_have_value("test_target")
    fields.get_by_label("CPU per worker").fill("0.5")
    fields.get_by_label("Memory per worker").fill("0.5")
    fields.get_by_label("Minimum accuracy").fill("50")
    fields.get_by_label("EPOCHS").fill("3")
    lab.accept("Export")
    expect(fields).to_have_count(0, timeout=JOB_MS)
    steps = lab.panel.get_by_role("list", name="Steps").locator(":scope > li")
    expect(steps.first.get_by_role("img", name="accuracy")).to_be_visible(timeout=JOB_MS)
    expect(lab.state).to_have_text("Finished", timeout=JOB_MS)
    expect(steps.locator(".capacity-Pipeline-word")).to_have_text(["done"] * 6)
    assert newest_tag(cloud.folder.root / "lake" / "vision" / "models.git") == "digits/v2"
    ask(lab, steps.last)
    (run,) = cloud.client("ann").requests(kind="pipeline")
    children = {view.kind for view in cloud.client("ann").requests() if view.parent == run.id}
    assert children == {"training", "serving"}


def ask(lab: LabPage, serving: Locator) -> None:
    serving.get_by_role("button", name="Follow the model server").click()
    lab.panel.get_by_role("button", name="Insert code that asks it").click()
    lab.page.keyboard.press("Shift+Enter")
    lab.until_idle()
    lab.page.keyboard.insert_text("print(sum(ask(test_images)['label'] == test_target) > 180)")
    lab.page.keyboard.press("Control+Enter")
    expect(lab.notebook.locator(".jp-OutputArea-output").last).to_have_text("True", timeout=JOB_MS)
