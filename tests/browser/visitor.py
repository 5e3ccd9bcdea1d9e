"""Somebody at a browser: a page that remembers what went wrong on it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response, expect

from installation import PEOPLE, Installation

OURS: Final = "/services/capacity/"
LAUNCH: Final = re.compile(r"/services/capacity/(\?.*)?$")
REQUEST: Final = re.compile(r"/services/capacity/requests/\w+")
LEFT_BEFORE_THE_ANSWER: Final = "net::ERR_ABORTED"
"""What a browser says of an answer that nobody waits for any more, after a page was left."""


@dataclass
class Visitor:
    """A person's browser window; `troubles` is what its pages of ours complained about."""

    name: str
    cloud: Installation
    context: BrowserContext
    page: Page
    troubles: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Take note of console errors (refusals by the CSP among them) and failed requests."""
        self.context.on("console", self._on_console)
        self.context.on("weberror", lambda error: self.troubles.append(str(error.error)))
        self.context.on("requestfailed", self._on_failure)
        self.context.on("response", self._on_response)

    def _on_console(self, message: ConsoleMessage) -> None:
        where = str(message.location.get("url", ""))
        if message.type in {"error", "warning"} and OURS in where:
            self.troubles.append(f"{message.type}: {message.text} ({where})")

    def _on_failure(self, request: Request) -> None:
        if OURS in request.url and request.failure != LEFT_BEFORE_THE_ANSWER:
            self.troubles.append(f"{request.failure}: {request.url}")

    def _on_response(self, response: Response) -> None:
        if OURS in response.url and response.status >= 400:
            self.troubles.append(f"{response.status}: {response.url}")

    def log_in(self) -> None:
        """Fill in the hub's form."""
        self.page.goto(f"{self.cloud.url}hub/login")
        self.page.get_by_label("Username").fill(self.name)
        self.page.get_by_label("Password").fill(self.cloud.folder.secret(f"password_{PEOPLE[self.name]}"))
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page).to_have_url(LAUNCH)

    def go(self, path: str = "") -> None:
        """Open a page of the service."""
        self.page.goto(f"{self.cloud.url}services/capacity/{path}")

    def go_hub(self, path: str) -> None:
        """Open any page of the installation."""
        self.page.goto(f"{self.cloud.url}{path}")

    def press_start(self, size: str = "Small") -> None:
        """Choose a size on the launch page and press Start."""
        self.page.get_by_role("radio", name=size).check()
        self.page.get_by_role("button", name="Start").click()

    def ask_in_vain(self, size: str = "Large") -> str:
        """Press Start where there is no room; return the request's id."""
        self.press_start(size)
        expect(self.page).to_have_url(REQUEST)
        expect(self.page.get_by_role("status").filter(has_text="Waiting")).to_be_visible()
        return self.page.url.rpartition("/")[2].partition("?")[0]

    def sees_server(self, path: str = "/lab") -> None:
        """Expect to stand in one's own server."""
        expect(self.page.get_by_role("heading", name=f"The server of {self.name}")).to_be_visible()
        # the hub adds `redirects` where its route to the server is a moment behind the server itself
        address = re.escape(f"{self.cloud.url}user/{self.name}{path}") + r"(\?redirects=\d)?$"
        expect(self.page).to_have_url(re.compile(address))
