"""A data scientist at the hub's own doors: log-in form, hub API, launch page, notebook websocket.

The demo and the end-to-end tests act through this, so that what they show is
what a browser does: cookies, redirects of OAuth and XSRF tokens included.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

import requests
from websockets.sync.client import ClientConnection, connect

from jupyterhub_mesos.errors import CapacityError, NotAuthenticated, Unavailable

CALL_SECONDS: Final = 30.0
"""No page of ours or of the hub takes longer; a start of a server is asked for, not waited for, in a call."""

CELL_SECONDS: Final = 300.0
"""How long one cell may say nothing before the person gives up on its kernel."""


class CellFailed(CapacityError):
    """A cell of a notebook raised; the text ends with its traceback."""

    code = "cell-failed"
    status = 422


@dataclass(frozen=True, slots=True)
class Output:
    """A piece of what a cell printed; `text` may hold several lines."""

    cell: int
    text: str


class Person:
    """Somebody with a browser's cookies; every method is one thing that a person does.

    `hub_url` is the public address with the base path, e.g. `http://127.0.0.1:8000/`.
    """

    def __init__(self, hub_url: str, name: str, password: str) -> None:
        self.hub_url = hub_url.rstrip("/") + "/"
        self.name = name
        self.password = password
        self.browser = requests.Session()
        self.token = ""

    @property
    def service_url(self) -> str:
        """Where the capacity service stands for people."""
        return f"{self.hub_url}services/capacity/"

    def log_in(self) -> str:
        """Fill in the hub's log-in form and follow it to the launch page; return that page's HTML.

        Raises `NotAuthenticated` when the hub refuses name or password.
        """
        form_url = f"{self.hub_url}hub/login"
        self._get(form_url)
        answer = self._checked(
            self.browser.post(
                form_url,
                data={
                    "username": self.name,
                    "password": self.password,
                    "_xsrf": self._xsrf("/hub/"),
                },
                timeout=CALL_SECONDS,
            )
        )
        if urlsplit(answer.url).path.endswith("/hub/login"):
            raise NotAuthenticated(f"The hub refused {self.name}'s name or password at {form_url}.")
        self.token = self._new_token()
        return answer.text

    def _new_token(self) -> str:
        answer = self._checked(
            self.browser.post(
                f"{self.hub_url}hub/api/users/{quote(self.name)}/tokens",
                params={"_xsrf": self._xsrf("/hub/")},
                json={"note": "a script of mine"},
                headers={"Referer": f"{self.hub_url}hub/token"},
                timeout=CALL_SECONDS,
            )
        )
        return str(answer.json()["token"])

    def page(self, path: str = "") -> str:
        """Open a page of the capacity service and return its HTML."""
        return self._get(f"{self.service_url}{path}").text

    def press_start(self, profile: str, team: str | None = None, server_name: str = "") -> dict[str, Any]:
        """Press Start on the launch page, as its script does; return the request's view."""
        self.page()
        payload = {"kind": "notebook", "profile": profile, "server_name": server_name}
        answer = self._checked(
            self.browser.post(
                f"{self.service_url}api/v1/requests",
                params={"_xsrf": self._xsrf("/services/capacity/")},
                json={"payload": payload, **({"team": team} if team else {})},
                headers={"Referer": self.service_url},
                timeout=CALL_SECONDS,
            )
        )
        view: dict[str, Any] = answer.json()
        return view

    def hub_user(self) -> dict[str, Any]:
        """Ask the hub's REST API about oneself (servers, groups)."""
        answer = self._checked(
            requests.get(
                f"{self.hub_url}hub/api/users/{quote(self.name)}",
                headers=self._authorization,
                timeout=CALL_SECONDS,
            )
        )
        view: dict[str, Any] = answer.json()
        return view

    @property
    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"token {self.token}"}

    def save_notebook(self, path: str, content: Mapping[str, Any]) -> None:
        """Save a notebook into one's home through the server's contents API."""
        self._checked(
            requests.put(
                f"{self._server_url}api/contents/{quote(path)}",
                json={"type": "notebook", "format": "json", "content": content},
                headers=self._authorization,
                timeout=CALL_SECONDS,
            )
        )

    def run_notebook(
        self, path: str, content: Mapping[str, Any], on_output: Callable[[Output], None]
    ) -> None:
        """Run every code cell in the notebook's own kernel, over the websocket, in order.

        Raises `CellFailed` at the first cell that raises. The kernel is shut down at the end.
        """
        answer = self._checked(
            requests.post(
                f"{self._server_url}api/sessions",
                json={"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}},
                headers=self._authorization,
                timeout=CALL_SECONDS,
            )
        )
        session = answer.json()
        try:
            self._run_cells(session["kernel"]["id"], content, on_output)
        finally:
            requests.delete(
                f"{self._server_url}api/sessions/{session['id']}",
                headers=self._authorization,
                timeout=CALL_SECONDS,
            )

    def _run_cells(
        self, kernel: str, content: Mapping[str, Any], on_output: Callable[[Output], None]
    ) -> None:
        url = f"{self._server_url}api/kernels/{kernel}/channels".replace("http", "ws", 1)
        with connect(url, additional_headers=self._authorization, max_size=None) as channel:
            for number, cell in enumerate(content["cells"], 1):
                if cell["cell_type"] == "code":
                    for text in _run_cell(channel, number, "".join(cell["source"])):
                        on_output(Output(number, text))

    @property
    def _server_url(self) -> str:
        return f"{self.hub_url}user/{quote(self.name)}/"

    def _get(self, url: str) -> requests.Response:
        return self._checked(self.browser.get(url, timeout=CALL_SECONDS))

    def _checked(self, answer: requests.Response) -> requests.Response:
        if not answer.ok:
            raise Unavailable(
                f"{answer.request.method} {urlsplit(answer.url).path} as {self.name} was answered "
                f"{answer.status_code}: {answer.text[:2000]}"
            )
        return answer

    def _xsrf(self, path: str) -> str:
        """Return the XSRF token whose cookie's path fits `path` best."""
        base = urlsplit(self.hub_url).path.rstrip("/")
        cookies = [cookie for cookie in self.browser.cookies if cookie.name == "_xsrf" and cookie.value]
        fitting = [cookie for cookie in cookies if (base + path).startswith(cookie.path)]
        if not fitting:
            raise NotAuthenticated(f"No page under {path} gave {self.name} an XSRF token.")
        return str(max(fitting, key=lambda cookie: len(cookie.path)).value)


def _run_cell(channel: ClientConnection, number: int, code: str) -> Iterator[str]:
    """Execute one cell; yield what it prints, return when the kernel is idle again."""
    message_id = uuid.uuid4().hex
    channel.send(json.dumps(_execute_request(message_id, code)))
    while True:
        message = json.loads(channel.recv(CELL_SECONDS))
        if message.get("parent_header", {}).get("msg_id") != message_id or message["channel"] != "iopub":
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            yield content["text"]
        elif kind in {"execute_result", "display_data"}:
            yield content["data"].get("text/plain", "") + "\n"
        elif kind == "error":
            raise CellFailed(f"Cell {number} raised {content['ename']}:\n" + "\n".join(content["traceback"]))
        elif kind == "status" and content["execution_state"] == "idle":
            return


def _execute_request(message_id: str, code: str) -> dict[str, Any]:
    """Build an `execute_request` of the Jupyter messaging protocol 5.3."""
    return {
        "header": {
            "msg_id": message_id,
            "msg_type": "execute_request",
            "username": "",
            "session": message_id,
            "version": "5.3",
        },
        "parent_header": {},
        "metadata": {},
        "content": {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        },
        "channel": "shell",
        "buffers": [],
    }
