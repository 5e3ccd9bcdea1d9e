"""A small real hub over a real socket: answers what a service's login and token checks ask."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import url_concat
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

ACCESS = "access:services!service=capacity"
ADMIN = "custom:jupyterhub-mesos:admin"


@dataclass
class Person:
    name: str
    groups: tuple[str, ...] = ()
    scopes: tuple[str, ...] = (ACCESS,)
    kind: str = "user"

    def model(self) -> dict[str, Any]:
        model: dict[str, Any] = {"name": self.name, "kind": self.kind, "scopes": list(self.scopes)}
        return model if self.kind == "service" else model | {"groups": list(self.groups), "admin": False}


@dataclass
class SmallHub:
    """`tokens` is who holds which; `browser` is who a browser at the login page is."""

    tokens: dict[str, Person]
    browser: str = "member"
    codes: dict[str, str] = field(default_factory=dict)
    asked: int = 0
    is_broken: bool = False
    starts: list[str] = field(default_factory=list)
    service_origin: str = ""
    port: int = 0
    _server: HTTPServer | None = None

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hub/api"

    def open(self) -> None:
        rules: list[Any] = [
            (r"/hub/api/user", _User, {"hub": self}),
            (r"/hub/api/oauth2/authorize", _Authorize, {"hub": self}),
            (r"/hub/api/oauth2/token", _Token, {"hub": self}),
            (r"/hub/api/users/(.*)", _Start, {"hub": self}),
            (r"/hub/api/users", _Users, {"hub": self}),
        ]
        self._server = HTTPServer(Application(rules, log_function=lambda handler: None))
        sockets = bind_sockets(0, "127.0.0.1")
        self._server.add_sockets(sockets)
        self.port = sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.stop()
        await self._server.close_all_connections()


class _Handler(RequestHandler):
    def initialize(self, hub: SmallHub) -> None:
        self.hub = hub


class _User(_Handler):
    def get(self) -> None:
        self.hub.asked += 1
        if self.hub.is_broken:
            self.set_status(503)
            return
        person = self.hub.tokens.get(self.request.headers.get("Authorization", "").partition(" ")[2])
        if person is None:
            self.set_status(403)
            self.finish(json.dumps({"status": 403, "message": "Forbidden"}))
            return
        self.finish(json.dumps(person.model()))


class _Users(_Handler):
    def get(self) -> None:
        if self.hub.is_broken:
            self.set_status(503)
            return
        self.finish(json.dumps({"items": [], "_pagination": {"next": None}}))


class _Authorize(_Handler):
    def get(self) -> None:
        code = secrets.token_hex(8)
        self.hub.codes[code] = self.hub.browser
        callback = self.hub.service_origin + self.get_argument("redirect_uri")
        self.redirect(url_concat(callback, {"code": code, "state": self.get_argument("state")}))


class _Token(_Handler):
    def post(self) -> None:
        token = self.hub.codes.pop(self.get_argument("code"))
        self.finish(json.dumps({"access_token": token, "token_type": "Bearer"}))


class _Start(_Handler):
    def post(self, path: str) -> None:
        self.hub.starts.append(path)
        self.set_status(202)

    def get(self, path: str) -> None:
        self.finish(json.dumps({"name": path.partition("/")[0], "servers": {}}))
