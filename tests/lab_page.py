"""JupyterLab in a real Chromium, as a person uses it: by what is written on the buttons."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Browser, Locator, Page, expect

from lab_server import LabServer

LOAD_MS: Final = 60_000
ACT_MS: Final = 20_000

_IS_IDLE: Final = """() => {
    const shown = [...jupyterapp.shell.widgets('main')].filter(one => one.isVisible);
    const notebooks = shown.filter(one => one.sessionContext);
    const kernels = notebooks.map(one => one.sessionContext.session?.kernel);
    const isIdle = one => one?.connectionStatus === 'connected' && one.status === 'idle';
    return kernels.length > 0 && kernels.every(isIdle);
}"""


@contextmanager
def browser_page(browser: Browser) -> Iterator[Page]:
    """Yield a page whose script errors fail the test."""
    errors: list[str] = []
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(ACT_MS)
    expect.set_options(timeout=ACT_MS)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []


class LabPage:
    """A page on which notebooks are open."""

    def __init__(self, page: Page, lab: LabServer | None = None) -> None:
        self.page = page
        self._lab = lab

    @property
    def lab(self) -> LabServer:
        """The server without a hub."""
        assert self._lab is not None
        return self._lab

    def open(self, notebook: str) -> LabPage:
        """Open a notebook alone, and wait until its kernel is connected: a run before that is lost."""
        self.page.goto(self.lab.page(notebook), timeout=LOAD_MS)
        self.until_idle()
        return self

    def open_another(self, notebook: str) -> None:
        """Open a notebook from the file browser, beside what is open."""
        self.page.get_by_role("listitem", name=notebook).dblclick()
        self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)").get_by_role("heading").first.wait_for()

    def open_at_hub(self, url: str, name: str, password: str) -> LabPage:
        """Open a notebook's address at a hub, and log in where it asks for that."""
        self.page.goto(url, timeout=LOAD_MS)
        self.page.fill("#username_input", name)
        self.page.fill("#password_input", password)
        self.page.click("#login_submit")
        self.page.wait_for_selector(".jp-NotebookPanel", timeout=LOAD_MS)
        self.until_idle()
        return self

    @property
    def notebook(self) -> Locator:
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def until_idle(self) -> None:
        """Wait until the kernel of the visible notebook is connected and has nothing to do."""
        self.page.wait_for_function(_IS_IDLE, timeout=LOAD_MS)

    def menu(self, menu: str, item: str) -> None:
        """Choose from the menu bar; an item's name may be followed by its shortcut."""
        self.page.get_by_role("menuitem", name=menu, exact=True).click()
        self.page.get_by_role("menuitem", name=item).first.click()

    def start_cells(self) -> None:
        """Run all cells, and do not wait."""
        self.menu("Run", "Run All Cells")

    def run_cells(self) -> None:
        """Run all cells to the end of the last, which must print `ready`."""
        self.start_cells()
        expect(self.notebook.locator(".jp-OutputArea-output").last).to_contain_text("ready", timeout=LOAD_MS)
        self.until_idle()

    def press(self, name: str) -> None:
        """Press a button of the notebook's toolbar."""
        self.notebook.get_by_role("button", name=name, exact=True).click()

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    def accept(self, name: str) -> None:
        """Press the dialog's accept button."""
        self.dialog.get_by_role("button", name=name, exact=True).click()

    @property
    def panel(self) -> Locator:
        """The panel that follows something, and is in front."""
        return self.page.locator(".capacity-Panel:visible")

    @property
    def state(self) -> Locator:
        """Where that stands, in one word."""
        return self.panel.locator("header .capacity-State")

    @property
    def notification(self) -> Locator:
        return self.page.locator(".jp-toast-message, .Toastify__toast-body").first
