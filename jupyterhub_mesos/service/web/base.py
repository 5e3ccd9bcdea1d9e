"""What every handler shares: the asker, the body's limits, JSON and problems."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from jupyterhub.services.auth import HubOAuthenticated  # type: ignore[import-untyped]  # the hub ships no types
from pydantic import BaseModel
from tornado.web import HTTPError, RequestHandler

from jupyterhub_mesos.errors import InvalidInput, NotAllowed, NotAuthenticated, NotFound, TooLarge, TooMany
from jupyterhub_mesos.service.identity import Identity, TokenKind
from jupyterhub_mesos.service.settings import CapacitySettings
from jupyterhub_mesos.service.web.auth import HubIdentities, check_hub_key
from jupyterhub_mesos.service.web.problems import MEDIA_TYPE, headers_of, parse, problem_of
from jupyterhub_mesos.wire import Problem

if TYPE_CHECKING:
    from jinja2 import Environment

    from jupyterhub_mesos.service.hub_side import HubSide
    from jupyterhub_mesos.service.lake import LakeOperations
    from jupyterhub_mesos.service.levers import Levers
    from jupyterhub_mesos.service.operations import Operations
    from jupyterhub_mesos.service.rates import WriteRates
    from jupyterhub_mesos.service.team_operations import TeamOperations
    from jupyterhub_mesos.service.tokens import TeamTokens
    from jupyterhub_mesos.service.web.events import Feed

log = logging.getLogger(__name__)
_M = TypeVar("_M", bound=BaseModel)

SMALL_BODY_BYTES: Final = 64 * 1024
"""Enough for every body but a job's source and a launch's environment."""

_TRUTH: Final = {"": True, "1": True, "true": True, "0": False, "false": False}
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class WebContext:
    """What handlers need of the rest of the service."""

    settings: CapacitySettings
    identities: HubIdentities
    operations: Operations
    teams: TeamOperations
    hub_side: HubSide
    feed: Feed
    templates: Environment
    rates: WriteRates
    tokens: TeamTokens
    lake: LakeOperations
    levers: Levers


class BaseHandler(HubOAuthenticated, RequestHandler):  # type: ignore[misc]  # untyped base
    """Limits and security headers, for pages and API alike.

    `takes_own_tokens`: whether the tokens of teams and pipelines lead here, not the hub's alone;
    `takes_lake_tokens`: the same of the tokens that every task has for the lake.
    """

    max_bytes = SMALL_BODY_BYTES
    takes_own_tokens = False
    takes_lake_tokens = False

    def initialize(self, context: WebContext) -> None:
        """Take what the application hands on."""
        self.context = context
        self.hub_auth: Any = context.identities.oauth
        self._identity: Identity | None = None

    def set_default_headers(self) -> None:
        """Say what a browser may do with what we send."""
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        self.clear_header("Server")

    def get_current_user(self) -> Identity | None:
        """Return who asks, where it is known already; nothing is asked here."""
        return self._identity

    @property
    def identity(self) -> Identity:
        """Who asks; only after `prepare`."""
        if self._identity is None:
            raise NotAuthenticated("Log in, or show a token of the hub in `Authorization: Bearer TOKEN`.")
        return self._identity

    def send(self, body: str | bytes = b"") -> None:
        """Send the body and end the answer."""
        self.finish(body or None)  # pyright: ignore[reportUnknownMemberType]  # tornado's types name a bare dict

    def send_piece(self, text: str) -> None:
        """Send a piece of a body that goes on."""
        self.write(text)  # pyright: ignore[reportUnknownMemberType]  # as above

    async def identify(self) -> None:
        """Learn who asks, None for nobody; raises `NotAllowed` where a token of ours leads elsewhere."""
        self._identity = who = await self.context.identities.of(self)
        if who is None or who.is_of_the_hub:
            return
        is_taken = self.takes_lake_tokens if who.kind == TokenKind.LAKE else self.takes_own_tokens
        if not is_taken:
            raise NotAllowed(
                f"The token of a {who.kind} asks for workloads and looks at its own, nothing else: "
                "show a token of the hub here."
            )

    def check_size(self) -> None:
        """Refuse a body that is larger than this route takes."""
        size = len(self.request.body)
        if size > self.max_bytes:
            raise TooLarge(f"The body has {size} bytes; this route takes {self.max_bytes} at most.")

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Log only what is not an answer: a traceback for a bug, nothing for a refusal."""
        if value is not None and problem_of(value).status == 500 and not isinstance(value, HTTPError):
            log.error("%s %s failed", self.request.method, self.request.path, exc_info=(typ, value, tb))

    def number(self, name: str, otherwise: int) -> int:
        """Return a whole number of the query; raises `InvalidInput`."""
        text = self.get_query_argument(name, None)
        if text is None:
            return otherwise
        try:
            return int(text)
        except ValueError as error:
            raise InvalidInput(f"{text!r} is no whole number", where=name) from error

    def truth(self, name: str) -> bool:
        """Return a yes or no of the query, no where it is left out; raises `InvalidInput`."""
        text = self.get_query_argument(name, "false").lower()
        if text not in _TRUTH:
            raise InvalidInput(f"{text!r} is neither true nor false", where=name)
        return _TRUTH[text]


class ApiHandler(BaseHandler):
    """A route of the API: answers JSON, and a problem for every error; never a redirect.

    `counts_writes`: whether a user's writes here count against `writes_per_minute`.
    """

    counts_writes = True

    async def prepare(self) -> None:
        """Learn who asks; nobody passes without a token or a cookie with its XSRF token."""
        self.check_size()
        await self.identify()
        if self._identity is None:
            raise NotAuthenticated(
                "Log in, or show a token of the hub in `Authorization: Bearer TOKEN`; a page's script "
                "also has to send the page's `_xsrf`."
            )
        is_person = self._identity.kind != TokenKind.SERVICE
        if self.counts_writes and is_person and self.request.method not in _READS:
            self.context.rates.take(self._identity.name)

    def body(self, model: type[_M]) -> _M:
        """Read the request's JSON as `model`."""
        return parse(model, self.request.body)

    def answer(self, value: BaseModel, status: int = 200) -> None:
        """Send a message as JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.send(value.model_dump_json())

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send the problem that the error is."""
        error = kwargs.get("exc_info", (None, HTTPError(status_code), None))[1]
        if isinstance(error, TooMany) and error.retry_seconds is not None:
            self.set_header("Retry-After", str(error.retry_seconds))
        self.send_problem(problem_of(error or HTTPError(status_code)))

    def send_problem(self, problem: Problem) -> None:
        """Send a problem with its status and headers."""
        self.set_status(problem.status, problem.title)
        self.set_header("Content-Type", MEDIA_TYPE)
        for name, value in headers_of(problem).items():
            self.set_header(name, value)
        self.send(problem.model_dump_json(exclude_none=True))


class HubKeyHandler(ApiHandler):
    """A route for the hub's spawners only: they show the hub's key."""

    async def prepare(self) -> None:
        """Let only the hub pass."""
        self.check_size()
        check_hub_key(self.request.headers.get("Authorization", ""), self.context.settings.hub_key)
        await asyncio.sleep(0)  # as every other `prepare`: the loop may go on between many spawns


class UnknownRouteHandler(ApiHandler):
    """Everything under the API that is no route."""

    async def prepare(self) -> None:
        """Answer 404 to everybody alike."""
        raise NotFound(f"There is no route {self.request.method} {self.request.path}.")


def json_text(value: object) -> str:
    """Return JSON for a page's data attribute (the template escapes it)."""
    return json.dumps(value, separators=(",", ":"))
