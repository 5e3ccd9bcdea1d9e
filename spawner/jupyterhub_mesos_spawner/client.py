"""The hub's side of the capacity service, as the spawner calls it.

Every call answers a message of `wire` or raises one of

```
Queued        the start has to wait; the request stands in the queue
Refusal       the service says no (4xx), with its own words and code
Unavailable   no answer, an answer that is none, or a failure of the service
```

Nothing is retried here: who calls knows what may be asked twice. The hub's key
is sent in a header and stands in no message, log or error.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from pydantic import ValidationError
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.httputil import HTTPInputError
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from jupyterhub_mesos.errors import CapacityError, Queued, Unavailable
from jupyterhub_mesos.wire import (
    API_PREFIX,
    HubClaim,
    HubLaunch,
    HubServer,
    HubStart,
    Problem,
    Wire,
)

CALL_SECONDS: Final = 20.0
"""The service answers after one commit; only a stalled one takes longer."""

CONNECT_SECONDS: Final = 5.0
CALLS_AT_ONCE: Final = 100
"""As many as the hub's default `concurrent_spawn_limit`, so that no start waits for another's call."""

DEFAULT_SERVER: Final = "~"
"""Stands for the default server (whose name is empty) in a path."""

_Message = TypeVar("_Message", bound=Wire)


class Refusal(CapacityError):
    """The service says no; `problem` has its words, code and status."""

    code = "refused"
    status = 400

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class _Http(SimpleAsyncHTTPClient):
    """A client of our own per event loop: tornado's shared one runs only ten calls at once."""


@dataclass(frozen=True, slots=True)
class HubSide:
    """Where the service is (`url` with its prefix) and the file with the key that it shares with the hub."""

    url: str
    key_file: Path

    async def start(self, ask: HubStart) -> HubClaim:
        """Claim the grant that `ask` names, or ask for room. Raises `Queued` where there is none."""
        return _read(HubClaim, await self._call("POST", "starts", ask))

    async def launch(self, allocation_id: str, launch: HubLaunch) -> HubServer:
        """Launch a claimed allocation; idempotent. Alive without a URL means that it is still starting."""
        path = f"allocations/{_segment(allocation_id)}/launch"
        return _read(HubServer, await self._call("PUT", path, launch))

    async def server(self, user: str, server_name: str, allocation: str = "") -> HubServer:
        """Ask what the service knows of a server; the allocation tells a user whom the hub has renamed."""
        query = f"?allocation={_segment(allocation)}" if allocation else ""
        return _read(HubServer, await self._call("GET", _server_path(user, server_name) + query))

    async def recover(self, user: str, server_name: str) -> HubServer:
        """Ask of a server whose start a hub was killed in; what was never launched is taken back."""
        return _read(HubServer, await self._call("POST", _server_path(user, server_name) + "/recover"))

    async def stop(self, user: str, server_name: str) -> None:
        """Ask for the end of a server's allocation; that it is over is said by `server`."""
        await self._call("POST", _server_path(user, server_name) + "/stop")

    async def withdraw(self, user: str, server_name: str) -> None:
        """End or withdraw whatever there is of a server: it, or its user, is removed."""
        await self._call("DELETE", _server_path(user, server_name))

    async def _call(self, method: str, path: str, body: Wire | None = None) -> HTTPResponse:
        request = HTTPRequest(
            f"{self.url.rstrip('/')}{API_PREFIX}/hub/{path}",
            method=method,
            headers={"Authorization": f"Bearer {self._key()}", "Content-Type": "application/json"},
            body=body.model_dump_json() if body is not None else None,
            allow_nonstandard_methods=True,
            connect_timeout=CONNECT_SECONDS,
            request_timeout=CALL_SECONDS,
            follow_redirects=False,
        )
        try:
            answer = await _Http(max_clients=CALLS_AT_ONCE).fetch(request, raise_error=False)
        except (HTTPClientError, HTTPInputError, OSError) as error:
            raise Unavailable(f"The capacity service does not answer: {error}") from error
        return _checked(answer)

    def _key(self) -> str:
        try:
            return self.key_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(f"The hub's key cannot be read from {self.key_file}: {error}") from error


def _segment(text: str) -> str:
    return quote(text, safe="")


def _server_path(user: str, server_name: str) -> str:
    return f"servers/{_segment(user)}/{_segment(server_name) or DEFAULT_SERVER}"


def _checked(answer: HTTPResponse) -> HTTPResponse:
    """Return a good answer; raise what a bad one says."""
    if answer.code < HTTPStatus.MULTIPLE_CHOICES:
        return answer
    # tornado counts its own failures (refused, timed out) as 599
    if answer.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Unavailable(f"The capacity service failed: {_words(answer)}")
    if answer.code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND}:
        raise Unavailable("The capacity service does not accept the hub's key: both must read the same file.")
    problem = _problem(answer)
    if problem.code == Queued.code and problem.request_id and problem.page_url:
        raise Queued(problem.detail, request_id=problem.request_id, page_url=problem.page_url)
    raise Refusal(problem)


def _problem(answer: HTTPResponse) -> Problem:
    try:
        return Problem.model_validate_json(answer.body)
    except ValidationError as error:
        raise Unavailable(f"The capacity service answered {answer.code} without a reason.") from error


def _words(answer: HTTPResponse) -> str:
    try:
        return Problem.model_validate_json(answer.body or b"").detail
    except ValidationError:
        return str(answer.error or answer.reason)


def _read(message: type[_Message], answer: HTTPResponse) -> _Message:
    try:
        return message.model_validate_json(answer.body)
    except ValidationError as error:
        # the values are left out: a message may hold tokens
        raise Unavailable(
            f"The capacity service's answer is no {message.__name__}: are hub and service of one version?"
        ) from error
