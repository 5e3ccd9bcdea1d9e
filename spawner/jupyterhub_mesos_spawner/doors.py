"""The hub's doors to a start, and what each answers when there is no start now.

A *page door* is followed by a browser: it is led on (303 with `Location`) to a
page of the service. An *API door* is followed by a program: it gets a status,
`Retry-After` and a `Link` to the request. All of them are `SpawnException`s,
which the hub neither counts as failures nor logs with a traceback.

That the hub copies an exception's `headers` into its answer, and that an
`options_form` may raise, is not documented by the hub: docs/explanation/doors.md
lists what rests on it, and tests/spawner pins it.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from tornado.web import RequestHandler

from jupyterhub_mesos.errors import Queued, Unavailable
from jupyterhub_mesos_spawner.client import Refusal
from jupyterhub_mesos_spawner.hub import APIHandler, HubUser, SpawnException

RETRY_AFTER_SECONDS: Final = 10
"""When a program may ask again; the request starts by itself, so sooner gains nothing."""

CHOICES: Final = ("profile", "team")
"""What a form of ours sends; the service refuses any other option."""

HUB_ARGUMENTS: Final = frozenset({"_xsrf"})
"""Arguments of the hub's own that reach a form's data."""

FORM_FOR_ANOTHER: Final = """\
<p>You are starting a server for {user}. Left empty, the default profile and the user's own team count.</p>
<div class="form-group"><label for="capacity-profile">Profile</label>
<input class="form-control" id="capacity-profile" name="profile" maxlength="63"></div>
<div class="form-group"><label for="capacity-team">Team to charge</label>
<input class="form-control" id="capacity-team" name="team" maxlength="63"></div>
"""


class HasLaunchPage(Protocol):
    """A spawner whose doors lead to a launch page."""

    user: HubUser
    name: str
    handler: RequestHandler | None
    launch_page_url: str


class StartDenied(SpawnException):
    """No server starts now; `headers` are copied into the answer, `page_url` is where a browser goes on.

    The text is set in every form that the hub's pages, event stream and API read; its HTML is escaped.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        status_code: int,
        headers: Mapping[str, str] | None = None,
        page_url: str = "",
    ) -> None:
        self.jupyterhub_message = message
        self.jupyterhub_html_message = _html(message, page_url)
        super().__init__(
            message, reason=reason, status_code=status_code, message_html=self.jupyterhub_html_message
        )
        self.headers = dict(headers or {})
        self.page_url = page_url


class StartQueued(StartDenied):
    """The start has to wait: its request stands in the queue, and the service starts it in its turn."""

    def __init__(self, queued: Queued, *, is_page: bool) -> None:
        if is_page:
            status, headers = HTTPStatus.SEE_OTHER, {"Location": queued.page_url}
        else:
            status = HTTPStatus.CONFLICT
            headers = {
                "Retry-After": str(RETRY_AFTER_SECONDS),
                "Link": f'<{queued.page_url}>; rel="status"',
            }
        super().__init__(
            str(queued), reason=queued.code, status_code=status, headers=headers, page_url=queued.page_url
        )
        self.request_id = queued.request_id


class LedToPage(StartDenied):
    """A browser that would choose options is led to the service's launch page; nothing is started."""

    def __init__(self, page_url: str) -> None:
        super().__init__(
            "Choose what to start on the launch page.",
            reason="launch-page",
            status_code=HTTPStatus.SEE_OTHER,
            headers={"Location": page_url},
            page_url=page_url,
        )


class LaunchFailed(SpawnException):
    """A claimed server did not come up: its own fault or its node's, never the hub's."""

    def __init__(self, message: str) -> None:
        self.jupyterhub_message = message
        self.jupyterhub_html_message = escape(message)
        super().__init__(
            message,
            reason="launch-failed",
            status_code=HTTPStatus.BAD_GATEWAY,
            message_html=self.jupyterhub_html_message,
        )


def refused(refusal: Refusal) -> StartDenied:
    """Say in the hub what the service refused, with its words and status.

    But 404, which at the hub's API means that there is no such user, is said as 409.
    """
    problem = refusal.problem
    status = HTTPStatus.CONFLICT if problem.status == HTTPStatus.NOT_FOUND else problem.status
    return StartDenied(
        problem.detail, reason=problem.code, status_code=status, page_url=problem.page_url or ""
    )


def unreachable(error: Unavailable) -> StartDenied:
    """Say that the service does not answer, and that this start therefore waits nowhere."""
    return StartDenied(
        "The capacity service does not answer, so the server was not started and is not queued: "
        "try again in a moment, or tell an admin.",
        reason=error.code,
        status_code=HTTPStatus.SERVICE_UNAVAILABLE,
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def is_page(handler: RequestHandler | None) -> bool:
    """Whether a browser's page asked for the start (and not the REST API, or the hub itself)."""
    return handler is not None and not isinstance(handler, APIHandler)


def launch_page_form(spawner: HasLaunchPage) -> str:
    """Lead a browser that asks for its own options form to the launch page.

    An admin acting for another user, and a form that comes back after a failed
    submission, get a plain form instead. Raises `LedToPage`.
    """
    # the hub leaves the handler in place after a form; a later form must not see it
    handler, spawner.handler = spawner.handler, None
    if handler is None or handler.current_user.name != spawner.user.name:
        return FORM_FOR_ANOTHER.format(user=escape(spawner.user.name))
    query = {"server": spawner.name, "next": _own_path(handler.get_argument("next", ""))}
    asked = urlencode({key: value for key, value in query.items() if value})
    raise LedToPage(f"{spawner.launch_page_url}?{asked}" if asked else spawner.launch_page_url)


def options_from_form(form_data: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a form's lists into options; whatever is no choice of ours stays in, for the service to refuse."""
    options: dict[str, Any] = {}
    for key, values in form_data.items():
        if key in HUB_ARGUMENTS or (key in CHOICES and not any(values)):
            continue
        options[key] = values[0] if len(values) == 1 else values
    return options


def _own_path(url: str) -> str:
    """Return a path on this host, or nothing: a `next` that leads elsewhere is dropped."""
    is_own = url.startswith("/") and not url.startswith(("//", "/\\"))
    return url if is_own else ""


def _html(message: str, page_url: str) -> str:
    text = escape(message)
    return f'{text} <a href="{escape(page_url)}">See the request.</a>' if page_url else text
