"""What every handler shares: the asker, the body's limits, JSON and problems."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode

from jupyterhub.services.auth import HubOAuthenticated  # type: ignore[import-untyped]  # the hub ships no types
from pydantic import BaseModel
from tornado.web import HTTPError, RequestHandler

from jupyterhub_mesos.errors import (
    NotAllowed,
    NotAuthenticated,
    NotFound,
    TooLarge,
    TooMany,
    UnsupportedMediaType,
)
from jupyterhub_mesos.service.idempotency import Write, write_of
from jupyterhub_mesos.service.identity import Identity, TokenKind
from jupyterhub_mesos.service.settings import CapacitySettings
from jupyterhub_mesos.service.web.auth import HubIdentities, check_hub_key
from jupyterhub_mesos.service.web.contract import Contract, Query, contract_of, read_query
from jupyterhub_mesos.service.web.problems import MEDIA_TYPE, headers_of, parse, problem_of
from jupyterhub_mesos.service.web.repeating import (
    KEY_HEADER,
    REPLAYED_HEADER,
    Answer,
    kept_answer,
    lost,
    remade_id,
)
from jupyterhub_mesos.wire import Problem

if TYPE_CHECKING:
    from jinja2 import Environment

    from jupyterhub_mesos.service.batches import Batches
    from jupyterhub_mesos.service.holding.wishes import Wishes
    from jupyterhub_mesos.service.hub_side import HubSide
    from jupyterhub_mesos.service.idempotency import IdempotencyKeys
    from jupyterhub_mesos.service.lake import LakeOperations
    from jupyterhub_mesos.service.levers import Levers
    from jupyterhub_mesos.service.metrics.counting import Measures
    from jupyterhub_mesos.service.operations import Operations
    from jupyterhub_mesos.service.rates import WriteRates
    from jupyterhub_mesos.service.team_edits import TeamEdits
    from jupyterhub_mesos.service.team_operations import TeamOperations
    from jupyterhub_mesos.service.tokens import TeamTokens
    from jupyterhub_mesos.service.usage.operations import Usage
    from jupyterhub_mesos.service.web.events import Feed

log = logging.getLogger(__name__)
_M = TypeVar("_M", bound=BaseModel)
_Q = TypeVar("_Q", bound=Query)

SMALL_BODY_BYTES: Final = 64 * 1024
"""Enough for every body but a job's source and a launch's environment."""

JSON_TYPE: Final = "application/json"
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class WebContext:
    """What handlers need of the rest of the service."""

    settings: CapacitySettings
    identities: HubIdentities
    operations: Operations
    teams: TeamOperations
    team_edits: TeamEdits
    usage: Usage
    hub_side: HubSide
    feed: Feed
    templates: Environment
    rates: WriteRates
    item_rates: WriteRates
    batches: Batches
    keys: IdempotencyKeys
    tokens: TeamTokens
    lake: LakeOperations
    levers: Levers
    wishes: Wishes
    measures: Measures


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


class ApiHandler(BaseHandler):
    """A route of the API: answers JSON, and a problem for every error; never a redirect.

    `counts_writes`: whether a user's writes here count against `writes_per_minute`.
    """

    counts_writes = True
    _query: Query | None = None
    _holds_answer = False
    _held: Answer | None = None

    @classmethod
    def methods(cls) -> tuple[str, ...]:
        """Return the methods that this route answers."""
        known = (name for name in cls.SUPPORTED_METHODS if hasattr(cls, name.lower()))
        unanswered = RequestHandler._unimplemented_method
        return tuple(name for name in known if getattr(cls, name.lower()) is not unanswered)

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
        self.check_query()
        if self.counts_writes and self.request.method not in _READS and KEY_HEADER in self.request.headers:
            await self._repeat_or_claim(self.request.headers[KEY_HEADER])

    async def _repeat_or_claim(self, key: str) -> None:
        """Answer as the first write under this key was, or claim the key for this one."""
        asked, method = self.request, self.request.method or ""
        content = method.encode(), asked.uri.encode() if asked.uri else b"", asked.body
        write = write_of(f"{self.identity.kind}:{self.identity.name}", key, *content)
        written = contract_of(type(self), method)
        if written is None:
            return  # no such method: the answer is 405
        kept = await self.context.keys.claim(write)
        if kept is None:
            once = partial(self._write_once, write, written, getattr(self, method.lower()))
            setattr(self, method.lower(), once)  # tornado calls it next
            return
        self.set_header(REPLAYED_HEADER, "true")
        answer, made = kept_answer(kept), remade_id(kept, written)
        if answer is None and made is not None:
            self.answer(await self.context.operations.get(self.identity, made), written.statuses[0])
        elif answer is None:
            raise lost(kept, written)
        else:
            self._send_answer(answer)

    async def _write_once(
        self, write: Write, written: Contract, do: Callable[..., Awaitable[None]], *args: str
    ) -> None:
        """Do a write under its key, and send what it answers once that is kept."""
        self._holds_answer = True
        with self.context.keys.using(write):
            await do(*args)
            answer = self._held
            if answer is None:
                raise TypeError(f"{self.request.path} has answered past its contract")
            body = None if written.is_secret else answer.body
            await self.context.keys.keep(write, answer.status, body, answer.location)
        self._send_answer(answer)

    def _send_answer(self, answer: Answer) -> None:
        self.set_status(answer.status)
        if answer.location is not None:
            self.set_header("Location", answer.location)
        if answer.body:
            self.set_header("Content-Type", JSON_TYPE)
        self.send(answer.body)

    def check_query(self) -> None:
        """Read the query as the method's contract has it; raises `InvalidInput`."""
        written = contract_of(type(self), self.request.method or "")
        if written is not None and written.query is not None:
            self._query = read_query(written.query, self.request.query_arguments)

    def query(self, model: type[_Q]) -> _Q:
        """Return the query, which is a `model` by the method's contract; only after `prepare`."""
        if not isinstance(self._query, model):
            raise TypeError(f"{self.request.path} has no {model.__name__} in its contract")
        return self._query

    def body(self, model: type[_M]) -> _M:
        """Read the request's JSON as `model`, which the method's contract names."""
        written = contract_of(type(self), self.request.method or "")
        if written is None or written.takes is not model:
            raise TypeError(f"{self.request.path} has no {model.__name__} in its contract")
        said = self.request.headers.get("Content-Type", JSON_TYPE)
        if said.partition(";")[0].strip().lower() != JSON_TYPE:
            raise UnsupportedMediaType(
                f"The body is said to be {said!r}; this route takes {JSON_TYPE}: send that, and say so."
            )
        return parse(model, self.request.body)

    def answer(self, value: BaseModel, status: int = 200) -> None:
        """Send a message as JSON: one that the method's contract names."""
        written = contract_of(type(self), self.request.method or "")
        if written is None or written.answers is not type(value) or status not in written.statuses:
            raise TypeError(f"{self.request.path}: {type(value).__name__}, {status} is not in its contract")
        self._answer(Answer(status, value.model_dump_json(), self._headers.get("Location")))

    def answer_nothing(self) -> None:
        """Say that it is done, with no body."""
        self._answer(Answer(HTTPStatus.NO_CONTENT, "", None))

    def _answer(self, answer: Answer) -> None:
        """Send an answer, or hold it until its key is kept."""
        if self._holds_answer:
            self._held = answer
        else:
            self._send_answer(answer)

    def answer_page(self, value: BaseModel, next_cursor: str | None) -> None:
        """Send a page of a list, with a `Link` to the next one."""
        if next_cursor is not None:
            given = {name: values[-1] for name, values in self.request.query_arguments.items()}
            query = urlencode({**given, "cursor": next_cursor})
            self.set_header("Link", f'<{self.request.path}?{query}>; rel="next"')
        self.answer(value)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send the problem that the error is."""
        error = kwargs.get("exc_info", (None, HTTPError(status_code), None))[1]
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", ", ".join(self.methods()))
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
        self.check_query()
        await asyncio.sleep(0)  # as every other `prepare`: the loop may go on between many spawns


class UnknownRouteHandler(ApiHandler):
    """Everything under the API that is no route."""

    async def prepare(self) -> None:
        """Answer 404 to everybody alike."""
        raise NotFound(f"There is no route {self.request.method} {self.request.path}.")


def json_text(value: object) -> str:
    """Return JSON for a page's data attribute (the template escapes it)."""
    return json.dumps(value, separators=(",", ":"))
