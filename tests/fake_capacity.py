"""The part of the capacity service's API that the client speaks: scripted replies over a real socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from jupyterhub_mesos.wire import Wire

PREFIX = "/services/capacity/api/v1"
TOKEN = "the-notebooks-own-token"

Reply = Wire | tuple[int, dict[str, Any]] | tuple[int, str]


@dataclass
class Call:
    """What a client sent."""

    method: str
    path: str
    token: str
    body: bytes


@dataclass
class FakeCapacity:
    """Replies by `METHOD /path?query`; the last one of a list is repeated."""

    replies: dict[str, list[Reply]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    url: str = ""

    def on(self, request: str, *replies: Reply) -> None:
        self.replies[request] = list(replies)

    def reply(self, request: str) -> Reply:
        waiting = self.replies.get(request)
        if waiting is None:
            return 404, {"title": "x", "status": 404, "detail": f"no {request}", "code": "not-found"}
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]


@contextmanager
def serving(fake: FakeCapacity) -> Iterator[FakeCapacity]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.removeprefix(PREFIX)
            fake.calls.append(Call(self.command, path, self.headers["Authorization"], body))
            self._answer(fake.reply(f"{self.command} {path}"))

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the base class asks for these names

        def _answer(self, reply: Reply) -> None:
            status, content = (200, reply.model_dump_json()) if isinstance(reply, Wire) else reply
            text = content if isinstance(content, str) else json.dumps(content)
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"{fake.url}/login")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}/services/capacity"
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
