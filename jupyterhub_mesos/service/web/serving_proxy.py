"""The door to a team's model servers: checks who asks, then passes the call on.

Only what the Open Inference Protocol needs goes through: method, path, query,
body and their types. The caller's token and cookies never reach the model
server, and its headers (a cookie, a redirect) never reach the browser.
"""

from __future__ import annotations

from typing import Final

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from jupyterhub_mesos.errors import InvalidInput, Unavailable
from jupyterhub_mesos.service.web.base import ApiHandler, WebContext
from jupyterhub_mesos.tasks import Endpoint

FORWARD_SECONDS: Final = 60.0
"""As long as a large batch may take."""
_PASSED_ON: Final = ("Content-Type", "Accept", "Inference-Header-Content-Length")


class ServingHandler(ApiHandler):
    """`/serving/ID/v2/…`."""

    def initialize(self, context: WebContext) -> None:
        """Take a whole batch."""
        super().initialize(context)
        self.max_bytes = context.settings.max_body_bytes

    async def get(self, request_id: str, path: str) -> None:
        """Pass a look on."""
        await self._forward(request_id, path)

    async def post(self, request_id: str, path: str) -> None:
        """Pass an inference on."""
        await self._forward(request_id, path)

    async def _forward(self, request_id: str, path: str) -> None:
        if ".." in path.split("/"):
            raise InvalidInput(f"{path!r} leaves the model server's paths", where="path")
        endpoint = self.context.operations.endpoint(self.identity, request_id)
        is_post = self.request.method == "POST"
        request = HTTPRequest(
            _address(endpoint, path, self.request.query),
            method="POST" if is_post else "GET",
            headers={name: self.request.headers[name] for name in _PASSED_ON if name in self.request.headers},
            body=self.request.body if is_post else None,
            request_timeout=FORWARD_SECONDS,
            follow_redirects=False,
        )
        try:
            response = await AsyncHTTPClient().fetch(request, raise_error=False)
        except (OSError, HTTPClientError) as error:
            raise Unavailable("The model server does not answer; its page shows its output.") from error
        if response.code == HTTPClientError(599).code:
            raise Unavailable("The model server does not answer in time; its page shows its output.")
        self.set_status(response.code)
        self.set_header("Content-Type", response.headers.get("Content-Type", "application/json"))
        self.send(response.body)


def _address(endpoint: Endpoint, path: str, query: str) -> str:
    port = endpoint.ports["http"]
    return f"http://{endpoint.host}:{port}/{path}" + (f"?{query}" if query else "")
