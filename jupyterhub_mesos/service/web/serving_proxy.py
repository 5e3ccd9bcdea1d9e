"""The door to a team's model servers: checks who asks, then passes the call on.

Only what the Open Inference Protocol needs goes through: method, path, query,
body and their types. The caller's token and cookies never reach the model
server (it gets a token of its own), and its headers (a cookie, a redirect)
never reach the browser.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from jupyterhub_mesos.errors import InvalidInput, Unavailable
from jupyterhub_mesos.service.operations import ModelServer
from jupyterhub_mesos.service.web.base import ApiHandler, WebContext
from jupyterhub_mesos.service.web.contract import contract

FORWARD_SECONDS: Final = 60.0
"""As long as a large batch may take."""
MAX_CALLS: Final = 512
"""Calls on their way to all model servers together; far below a process's usual 1,024 open files."""
MAX_CALLS_EACH: Final = 16
"""Calls on their way to one model server: it answers one at a time, and a slow one must not hold the rest."""
MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024
"""Twice what a request may send; held in memory until it is complete."""
_PASSED_ON: Final = ("Content-Type", "Accept", "Inference-Header-Content-Length")
_HEAD_BYTES: Final = 64 * 1024


class ModelDoor:
    """Passes calls on to model servers, a bounded number to each at a time."""

    def __init__(self) -> None:
        # The loop's shared client has ten places in all, which one slow model server would take.
        self._client = SimpleAsyncHTTPClient(
            force_instance=True,
            max_clients=MAX_CALLS,
            max_body_size=MAX_ANSWER_BYTES,
            max_buffer_size=MAX_ANSWER_BYTES + _HEAD_BYTES,
        )
        self._under_way: Counter[str] = Counter()

    async def call(self, server: ModelServer, request: HTTPRequest) -> HTTPResponse:
        """Return the model server's answer, whatever its status. Raises `Unavailable` where there is none."""
        with self._place(server.request_id):
            try:
                return await self._client.fetch(request, raise_error=False)
            except HTTPClientError as error:
                raise Unavailable(
                    f"The model server does not answer in time, or with more than {MAX_ANSWER_BYTES} bytes; "
                    "its page shows its output. Send a smaller batch, or try again."
                ) from error
            except OSError as error:
                raise Unavailable("The model server does not answer; its page shows its output.") from error

    @contextmanager
    def _place(self, server: str) -> Generator[None]:
        if self._under_way[server] >= MAX_CALLS_EACH:
            raise Unavailable(
                f"{MAX_CALLS_EACH} calls are on their way to this model server: try again in a moment."
            )
        if self._under_way.total() >= MAX_CALLS:
            raise Unavailable(f"{MAX_CALLS} calls are on their way to model servers: try again in a moment.")
        self._under_way[server] += 1
        try:
            yield
        finally:
            self._under_way[server] -= 1
            if not self._under_way[server]:
                del self._under_way[server]


class ServingHandler(ApiHandler):
    """`/serving/ID/v2/…`."""

    takes_own_tokens = True
    counts_writes = False  # an inference changes nothing here; `ModelDoor` bounds how many there are

    def initialize(self, context: WebContext, door: ModelDoor) -> None:  # type: ignore[override]  # one more
        """Take a whole batch."""
        super().initialize(context)
        self.max_bytes = context.settings.max_body_bytes
        self._door = door

    @contract(query=None)
    async def get(self, request_id: str, path: str) -> None:
        """Pass a look on."""
        await self._forward(request_id, path)

    @contract(query=None)
    async def post(self, request_id: str, path: str) -> None:
        """Pass an inference on."""
        await self._forward(request_id, path)

    async def _forward(self, request_id: str, path: str) -> None:
        if ".." in path.split("/"):
            raise InvalidInput(f"{path!r} leaves the model server's paths", where="path")
        server = self.context.operations.model_server(self.identity, request_id)
        response = await self._door.call(server, self._passed_on(server, path))
        self.set_status(response.code)
        self.set_header("Content-Type", response.headers.get("Content-Type", "application/json"))
        self.send(response.body)

    def _passed_on(self, server: ModelServer, path: str) -> HTTPRequest:
        asked = self.request
        headers = {name: asked.headers[name] for name in _PASSED_ON if name in asked.headers}
        is_post = asked.method == "POST"
        return HTTPRequest(
            _address(server, path, asked.query),
            method="POST" if is_post else "GET",
            headers={**headers, "Authorization": f"Bearer {server.token}"},
            body=asked.body if is_post else None,
            request_timeout=FORWARD_SECONDS,
            follow_redirects=False,
        )


def _address(server: ModelServer, path: str, query: str) -> str:
    endpoint = server.endpoint
    return f"http://{endpoint.host}:{endpoint.ports['http']}/{path}" + (f"?{query}" if query else "")
