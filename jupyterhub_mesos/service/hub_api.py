"""The few calls of JupyterHub's REST API that the service makes, with its own token.

Scopes: `start:servers`, `read:servers`, `list:users`. What each answer of
`POST …/servers` means was measured on the hub, see `StartAnswer`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, Protocol
from urllib.parse import quote, urlencode

from pydantic import BaseModel, Field, ValidationError
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse

from jupyterhub_mesos.errors import Unavailable
from jupyterhub_mesos.service.rows import ServerKey
from jupyterhub_mesos_quota.model import AllocationId

PAGE: Final = 200
"""Users in one page; the hub silently cuts a longer one."""
START_SECONDS: Final = 60.0
"""The hub answers a start within 10 s (`slow_spawn_timeout`) and its own work; beyond, it is stuck."""
READ_SECONDS: Final = 20.0


class StartAnswer(StrEnum):
    """What the hub made of a start."""

    READY = "ready"  # 201: the server answers
    PENDING = "pending"  # 202: on its way, or another start is; without a promise
    RUNNING = "running"  # 400: it runs already, or is being stopped
    NO_USER = "no-user"  # 404: the user is unknown to the hub, or deleted
    FAILED = "failed"  # 409, 500 and others: the spawn failed, or its stop was pressed


class HubStarts(Protocol):
    """What the controller needs of a hub; all methods raise `Unavailable` when the hub is away."""

    async def start_server(
        self, user: str, server_name: str, grant: AllocationId, options: Mapping[str, Any]
    ) -> StartAnswer:
        """Ask the hub to start a server that claims `grant`."""
        ...

    async def servers(self) -> frozenset[ServerKey]:
        """List the servers that the hub believes to run, to start or to stop."""
        ...

    async def knows(self, user: str) -> bool:
        """Say whether the hub has a user of that name."""
        ...


class _User(BaseModel):
    name: str
    servers: dict[str, Any] = {}


class _Next(BaseModel):
    offset: int


class _Pagination(BaseModel):
    next: _Next | None = None


class _UserPage(BaseModel):
    """A page of users, of which we read the part that we need."""

    items: list[_User]
    pagination: _Pagination = Field(alias="_pagination")


def _page(response: HTTPResponse) -> _UserPage:
    if response.code != 200:
        raise Unavailable(f"the hub does not list its users (HTTP {response.code})")
    try:
        return _UserPage.model_validate_json(response.body)
    except ValidationError as error:
        raise Unavailable(
            "the hub answered users in words that we do not know: is it JupyterHub 6?"
        ) from error


def _is_of_the_hub(response: HTTPResponse) -> bool:
    """Tell the hub's own 404 from that of anything else at its address."""
    try:
        return bool(json.loads(response.body)["status"] == response.code)
    except (ValueError, KeyError, TypeError):
        return False


class HubApi:
    """A hub over HTTP; `url` ends in `/hub/api`."""

    def __init__(self, url: str, token: str, *, hub: str = "", max_clients: int = 12) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._hub = hub
        self._max_clients = max_clients
        self._client: AsyncHTTPClient | None = None

    def close(self) -> None:
        """Let the connections go."""
        if self._client is not None:
            self._client.close()
            self._client = None

    async def start_server(
        self, user: str, server_name: str, grant: AllocationId, options: Mapping[str, Any]
    ) -> StartAnswer:
        """Ask the hub to start a server that claims `grant`."""
        path = f"/users/{quote(user, safe='')}/servers/{quote(server_name, safe='')}"
        body = json.dumps({"user_options": dict(options)})
        url = f"{path}?{urlencode({'grant': grant})}"
        response = await self._fetch("POST", url, body=body, seconds=START_SECONDS)
        return self._start_answer(response)

    async def servers(self) -> frozenset[ServerKey]:
        """List the servers that the hub believes to run, to start or to stop."""
        found: set[ServerKey] = set()
        offset: int | None = 0
        while offset is not None:
            query = urlencode({"state": "active", "limit": PAGE, "offset": offset})
            page = _page(await self._fetch("GET", f"/users?{query}", seconds=READ_SECONDS))
            for user in page.items:
                found.update(ServerKey(self._hub, user.name, name) for name in user.servers)
            offset = page.pagination.next.offset if page.pagination.next is not None else None
        return frozenset(found)

    async def knows(self, user: str) -> bool:
        """Say whether the hub has a user of that name."""
        response = await self._fetch("GET", f"/users/{quote(user, safe='')}", seconds=READ_SECONDS)
        if response.code == 200:
            return True
        if response.code == 404 and _is_of_the_hub(response):
            return False
        raise Unavailable(f"the hub does not say whether it has a user {user} (HTTP {response.code})")

    # --------------------------------------------------------------------------------------------

    def _start_answer(self, response: HTTPResponse) -> StartAnswer:
        known = {
            201: StartAnswer.READY,
            202: StartAnswer.PENDING,
            400: StartAnswer.RUNNING,
            404: StartAnswer.NO_USER,
        }
        code = response.code
        if code in {401, 403}:
            raise Unavailable(
                f"the hub refuses the service's token (HTTP {code}): "
                "give the service the scopes start:servers, read:servers and list:users"
            )
        if code == 429 or code in {502, 503, 504}:
            # 503 is the proxy without a hub, or a denied start; both are worth another try.
            raise Unavailable(f"the hub is busy or away (HTTP {code})")
        return known.get(code, StartAnswer.FAILED)

    async def _fetch(
        self, method: str, path: str, *, seconds: float, body: str | None = None
    ) -> HTTPResponse:
        request = HTTPRequest(
            self._url + path,
            method=method,
            body=body,
            headers={
                "Authorization": f"token {self._token}",
                "Accept": "application/jupyterhub-pagination+json",
                "Content-Type": "application/json",
            },
            connect_timeout=5.0,
            request_timeout=seconds,
            follow_redirects=False,  # a hub that sends us to a login page is no answer
        )
        if self._client is None:
            self._client = AsyncHTTPClient(force_instance=True, max_clients=self._max_clients)
        try:
            response = await self._client.fetch(request, raise_error=False)
        except (OSError, HTTPClientError) as error:
            raise Unavailable(f"the hub at {self._url} does not answer: {error}") from error
        if response.code == 599:
            raise Unavailable(f"the hub at {self._url} does not answer: {response.error}")
        return response
