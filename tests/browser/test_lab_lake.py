"""The lake's browser in a real JupyterLab and Chromium, over real folders."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from deadlines import eventually
from lab_page import LabPage, browser_page
from lab_server import Rig
from notebooks import cell, notebook, write

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def page(chromium: Browser, lab_rig: Rig) -> Iterator[Page]:
    """One page for all tests: what is loaded once stays, as with a person."""
    write(lab_rig.lab.home / "reader.ipynb", notebook([cell("1 + 1")]))
    with browser_page(chromium) as page:
        LabPage(page, lab_rig.lab).open("reader.ipynb")
        page.get_by_role("tab", name="Lake").click()
        yield page


@pytest.fixture
def team(lab_rig: Rig) -> Path:
    """A folder of the team's source, new for each test."""
    folder = lab_rig.lab.home / "lake" / "team" / "data"
    for file in folder.glob("*"):
        file.unlink()
    folder.mkdir(exist_ok=True)
    (folder / "table.csv").write_text("name,grey\nzero,0.5\n<b>one</b>,1.5\n")
    (folder / "dot.png").write_bytes(PNG)
    (folder / "page.html").write_text("<script>document.title = 'taken'</script>")
    np.savez(folder / "digits.npz", images=np.zeros((3, 8, 8)), target=np.arange(3))
    return folder


@pytest.fixture
def sources(team: Path, page: Page) -> Locator:
    """The browser, with the list of the sources."""
    lake = page.get_by_role("region", name="Lake")
    first = lake.get_by_role("navigation").get_by_role("button", name="Lake")
    if first.is_visible():
        first.click()
    return lake


@pytest.fixture
def lake(sources: Locator) -> Locator:
    """The browser, with the test's folder open."""
    lake = sources
    lake.get_by_role("option", name="lake://team").dblclick()
    lake.get_by_role("option", name="data").dblclick()
    expect(lake.get_by_role("option", name="table.csv")).to_be_visible()
    return lake


def preview(page: Page) -> Locator:
    return page.locator(".capacity-Panel:visible")


def test_sources_and_folders_are_walked_by_keyboard_alone(sources: Locator, page: Page) -> None:
    listed = page.get_by_role("listbox", name="Sources")
    expect(listed.get_by_role("option")).to_contain_text(["lake://team", "lake://shared"])
    listed.focus()
    listed.press("Home")
    listed.press("Enter")
    files = page.get_by_role("listbox", name="Files")
    expect(files.get_by_role("option", name="data")).to_be_visible()
    files.focus()
    files.press("Home")
    files.press("Enter")
    expect(files.get_by_role("option")).to_contain_text(["digits.npz", "dot.png", "page.html", "table.csv"])
    place = page.get_by_role("navigation", name="Place in the lake")
    expect(place.locator("[aria-current]")).to_have_text("data")
    files.focus()
    files.press("End")
    files.press("Enter")
    expect(preview(page).get_by_role("heading", name="table.csv")).to_be_visible()
    files.focus()
    files.press("Backspace")
    expect(files.get_by_role("option", name="data")).to_have_attribute("aria-selected", "true")


def test_a_table_is_shown_with_its_types_and_as_text(lake: Locator, page: Page) -> None:
    lake.get_by_role("option", name="table.csv").dblclick()
    table = preview(page).get_by_role("table")
    expect(table.get_by_role("columnheader")).to_contain_text(["name", "grey"])
    expect(table.get_by_role("cell")).to_have_text(["zero", "0.5", "<b>one</b>", "1.5"])


def test_pictures_arrays_and_foreign_pages_are_shown_for_what_they_are(lake: Locator, page: Page) -> None:
    lake.get_by_role("option", name="dot.png").dblclick()
    expect(preview(page).get_by_role("img", name="dot.png")).to_be_visible()
    lake.get_by_role("option", name="digits.npz").dblclick()
    expect(preview(page)).to_contain_text(re.compile("3 . 8 . 8"))
    lake.get_by_role("option", name="page.html").dblclick()
    expect(preview(page)).to_contain_text("<script>document.title = 'taken'</script>")
    assert page.title() != "taken"


def test_a_file_is_uploaded_and_replaced_only_when_asked(
    lake: Locator, page: Page, team: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new.txt"
    new.write_text("first")
    picker = lake.get_by_label("Files to upload")
    picker.set_input_files(new)
    expect(lake.get_by_role("option", name="new.txt")).to_have_attribute("aria-selected", "true")
    assert (team / "new.txt").read_text() == "first"
    new.write_text("second")
    picker.set_input_files(new)
    expect(page.get_by_role("dialog")).to_contain_text("Replace new.txt?")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(lake.get_by_role("status")).to_contain_text("Cancelled")
    assert (team / "new.txt").read_text() == "first"
    lake.get_by_role("button", name="Close").click()
    picker.set_input_files(new)
    page.get_by_role("dialog").get_by_role("button", name="Replace").click()
    eventually(lambda: (team / "new.txt").read_text() == "second", "the file is replaced")
    expect(lake.get_by_role("region", name="Uploads")).to_have_count(0)


def test_a_cancelled_upload_leaves_nothing(lake: Locator, page: Page, team: Path, tmp_path: Path) -> None:
    new = tmp_path / "large.bin"
    new.write_bytes(bytes(1000))
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/capacity/lake/file**", hold)
    lake.get_by_label("Files to upload").set_input_files(new)
    expect(lake.get_by_role("progressbar", name="Upload of large.bin")).to_be_visible()
    lake.get_by_role("region", name="Uploads").get_by_role("button", name="Cancel").click()
    expect(lake.get_by_role("status")).to_contain_text("Cancelled: nothing of it was kept.")
    page.unroute("**/capacity/lake/file**")
    assert held
    assert "large.bin" not in {file.name for file in team.iterdir()}


def test_a_folder_is_made_and_a_file_deleted_after_a_question(lake: Locator, page: Page, team: Path) -> None:
    lake.get_by_role("button", name="New folder").click()
    page.get_by_role("dialog").get_by_label("Its name").fill("runs")
    page.get_by_role("dialog").get_by_role("button", name="Make it").click()
    expect(lake.get_by_role("option", name="runs")).to_be_visible()
    (team / "runs").rmdir()
    lake.get_by_role("option", name="dot.png").click()
    lake.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert (team / "dot.png").exists()
    lake.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(lake.get_by_role("option", name="dot.png")).to_have_count(0)
    assert not (team / "dot.png").exists()


def test_the_code_that_reads_a_file_runs_in_the_notebook(lake: Locator, page: Page, lab_rig: Rig) -> None:
    lake.get_by_role("option", name="digits.npz").click()
    lake.get_by_role("button", name="Insert code").click()
    lab = LabPage(page, lab_rig.lab)
    expect(lab.notebook.locator(".jp-Cell").nth(1)).to_contain_text("lake://team/data/digits.npz")
    page.keyboard.press("Control+Enter")
    lab.until_idle()
    expect(lab.notebook.locator(".jp-Cell").nth(1).locator(".jp-OutputArea-output")).to_have_count(0)


def test_a_read_only_source_says_so_and_takes_nothing(sources: Locator) -> None:
    lake = sources
    lake.get_by_role("option", name="lake://shared").dblclick()
    expect(lake).to_contain_text("read-only")
    lake.get_by_role("option", name="digits").dblclick()
    expect(lake).to_contain_text("This folder is empty.")
    for name in ("Upload files here", "New folder"):
        expect(lake.get_by_role("button", name=name)).to_be_disabled()


def test_a_folder_that_has_gone_is_said(lake: Locator, team: Path) -> None:
    for file in team.iterdir():
        file.unlink()
    team.rmdir()
    lake.get_by_role("button", name="Refresh").click()
    expect(lake.get_by_role("alert")).to_be_visible()


def test_many_files_come_page_by_page(lake: Locator, team: Path) -> None:
    for number in range(250):
        (team / f"n{number:03}.txt").touch()
    lake.get_by_role("button", name="Refresh").click()
    expect(lake).to_contain_text("254 entries")
    files = lake.get_by_role("listbox", name="Files").get_by_role("option")
    expect(files).to_have_count(200)
    lake.get_by_role("button", name="Show more (200 of 254)").click()
    expect(files).to_have_count(254)
