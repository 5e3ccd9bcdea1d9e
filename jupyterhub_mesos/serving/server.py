"""The routes of the Open Inference Protocol v2 over tornado; docs/reference/serving.md lists them."""

from __future__ import annotations

import hmac
import json
import logging
from dataclasses import dataclass
from typing import Any, Final

from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher, Rule
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from jupyterhub_mesos.errors import CapacityError, NotAuthenticated, NotFound, TooLarge, Unavailable
from jupyterhub_mesos.serving.model import ServedModel
from jupyterhub_mesos.serving.protocol import Json

log = logging.getLogger(__name__)

SERVER_NAME: Final = "jupyterhub-mesos"
RETRY_SECONDS: Final = 1


@dataclass(slots=True)
class State:
    """What the handlers share; `is_draining` is set once, at the end."""

    model: ServedModel
    version: str
    token: str = ""
    max_body_bytes: int = 16 * 1024 * 1024
    is_draining: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether requests are answered now."""
        return self.model.is_ready and not self.is_draining


class Handler(RequestHandler):
    """What every route shares: the token, errors as `{"error": sentence}`."""

    state: State

    def initialize(self, state: State) -> None:
        """Take the shared state."""
        self.state = state

    def prepare(self) -> None:
        """Ask for the token, where one is set."""
        _check_token(self.request, self.state.token)

    def check_model(self, name: str, version: str | None) -> None:
        """Raise NotFound for another model or version than the one that is served."""
        model = self.state.model
        if name != model.wanted.name:
            raise NotFound(f"there is no model {name!r} here; there is {model.wanted.name!r}")
        if version is not None and version.removeprefix("v") != model.version:
            raise NotFound(f"{name} has no version {version!r} here; there is {model.version!r}")

    def answer(self, message: Json, status: int = 200) -> None:
        """Send JSON."""
        self.send(json.dumps(message).encode(), status)

    def send(self, body: bytes, status: int = 200) -> None:
        """Send JSON that is written already."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.write(body)  # pyright: ignore[reportUnknownMemberType] - tornado says `dict` without its types
        self.finish()  # pyright: ignore[reportUnknownMemberType] - as above

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer an error of ours with its sentence, every other with its title only."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, CapacityError):
            status_code = error.status
            text = str(error)
        else:
            text = self._reason
        if isinstance(error, NotAuthenticated):
            self.set_header("WWW-Authenticate", "Bearer")
        if isinstance(error, Unavailable):
            self.set_header("Retry-After", str(RETRY_SECONDS))
        self.answer({"error": text}, status_code)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log what is ours to mend with its traceback; what the client sent is the client's."""
        if not isinstance(value, CapacityError | HTTPError):
            log.error("request %s failed", self.request.path, exc_info=(typ, value, tb))

    def compute_etag(self) -> None:
        """Make none: nothing here is kept by a cache, and it is a hash of every answer."""

    def data_received(self, chunk: bytes) -> None:
        """No route takes a body in parts."""


class Unknown(Handler):
    """Every other path."""

    def prepare(self) -> None:
        """Say where to look."""
        raise NotFound(f"there is nothing at {self.request.path}; GET /v2 begins the Open Inference Protocol")


class Server(Handler):
    """`GET /v2`."""

    def get(self) -> None:
        """Name the server."""
        self.answer({"name": SERVER_NAME, "version": self.state.version, "extensions": []})


class Live(Handler):
    """`GET /v2/health/live`: the process answers. No token is asked for: probes have none."""

    def prepare(self) -> None:
        """Let everybody in."""

    def get(self) -> None:
        """Say so."""
        self.answer({"live": True})


class Ready(Live):
    """`GET /v2/health/ready`: 200 once the bundle is verified, 503 before and while it drains."""

    def get(self) -> None:
        """Say so."""
        self.answer({"ready": self.state.is_ready}, 200 if self.state.is_ready else 503)


class Model(Handler):
    """`GET /v2/models/NAME[/versions/V]`."""

    def get(self, name: str, version: str | None = None) -> None:
        """Describe the model."""
        self.check_model(name, version)
        self.answer(self.state.model.describe())


class ModelReady(Handler):
    """`GET /v2/models/NAME[/versions/V]/ready`."""

    def get(self, name: str, version: str | None = None) -> None:
        """Say whether the model answers."""
        if self.state.model.is_ready or name != self.state.model.wanted.name:
            self.check_model(name, version)
        self.answer({"name": name, "ready": self.state.is_ready}, 200 if self.state.is_ready else 503)


class LargerThan(Matcher):
    """Matches a request that announces a larger body; the server cuts a chunked one at the same bound."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """Look at the head of the request."""
        length = request.headers.get("Content-Length", "0")
        return {} if length.isdigit() and int(length) > self._max_bytes else None


@stream_request_body
class BodyTooLarge(Handler):
    """What `LargerThan` matches: it streams, so that the refusal comes before the body is read.

    The other routes do not stream: their body is there when they are called,
    which takes two turns of the loop less.
    """

    def prepare(self) -> None:
        """Refuse, a stranger first."""
        super().prepare()
        self.set_header("Connection", "close")
        raise TooLarge(
            f"the body is {self.request.headers['Content-Length']} bytes; at most "
            f"{self.state.max_body_bytes} are taken: send the batch in parts"
        )


class Infer(Handler):
    """`POST /v2/models/NAME[/versions/V]/infer`."""

    async def post(self, name: str, version: str | None = None) -> None:
        """Run the model."""
        if self.state.is_draining:
            raise Unavailable("the server is being stopped: ask another one")
        self.check_model(name, version)
        self.send(await self.state.model.infer(self.request.body))


def _check_token(request: HTTPServerRequest, token: str) -> None:
    given = request.headers.get("Authorization", "")
    scheme, _, secret = given.partition(" ")
    if token and not (scheme.lower() == "bearer" and hmac.compare_digest(secret.encode(), token.encode())):
        raise NotAuthenticated("send `Authorization: Bearer TOKEN` with this model's token")


def make_app(state: State) -> Application:
    """Lay out the routes."""
    shared = {"state": state}
    model = r"/v2/models/([^/]+)(?:/versions/([^/]+))?"
    return Application(
        [
            Rule(LargerThan(state.max_body_bytes), BodyTooLarge, shared),
            (model + r"/infer", Infer, shared),  # they are tried in turn
            (r"/v2/?", Server, shared),
            (r"/v2/health/live", Live, shared),
            (r"/v2/health/ready", Ready, shared),
            (model, Model, shared),
            (model + r"/ready", ModelReady, shared),
        ],
        default_handler_class=Unknown,
        default_handler_args=shared,
        log_function=_log_request,
    )


def _log_request(handler: RequestHandler) -> None:
    """Log one line per request that went wrong: a good one costs nothing."""
    if handler.get_status() >= 400 and not isinstance(handler, Live):
        log.info("%s %s: %d", handler.request.method, handler.request.path, handler.get_status())
