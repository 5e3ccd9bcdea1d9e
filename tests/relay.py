"""A relay before a TCP server that can be cut: at once, or in the middle of a commit of PostgreSQL."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from enum import Enum
from typing import Final

from sqlalchemy.engine import make_url

COMMIT: Final = b"COMMIT"
DEADLINE_SECONDS: Final = 20.0


class Cut(Enum):
    """Where the next commit's connection breaks."""

    BEFORE = "the server never hears of the commit"
    AFTER = "the client never hears of the commit that was made"


class Relay:
    """Relays to `host:port` while its block runs; `cut_at` breaks one commit."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self.cut_at: Cut | None = None
        self.is_closed_to_new = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        """The database's URL, through the relay."""
        port = self._listener.getsockname()[1]
        through = self._url.set(host="127.0.0.1", port=port).update_query_dict({"sslmode": "disable"})
        return through.render_as_string(hide_password=False)

    def __enter__(self) -> Relay:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(DEADLINE_SECONDS)

    def cut(self) -> None:
        """Break every connection."""
        for one in tuple(self._open):
            _shut(one)

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.is_closed_to_new:
                client.close()
                continue
            server = socket.create_connection((self._url.host, self._url.port))
            self._open |= {client, server}
            breaks = threading.Event()
            self._start(self._forth, client, server, breaks)
            self._start(self._back, server, client, breaks)

    def _forth(self, client: socket.socket, server: socket.socket, breaks: threading.Event) -> None:
        while data := _received(client):
            if COMMIT in data and self.cut_at is not None:
                cut, self.cut_at = self.cut_at, None
                if cut is Cut.BEFORE:
                    break
                breaks.set()
            if not _sent(server, data):
                break
        else:
            breaks.wait(0)
        if not breaks.is_set():
            self._drop(client, server)

    def _back(self, server: socket.socket, client: socket.socket, breaks: threading.Event) -> None:
        while data := _received(server):
            if breaks.is_set() or not _sent(client, data):
                break  # the server has answered the commit, and nobody hears it
        self._drop(client, server)

    def _drop(self, *pair: socket.socket) -> None:
        for one in pair:
            _shut(one)
            one.close()
            self._open.discard(one)


def _received(one: socket.socket) -> bytes:
    with suppress(OSError):
        return one.recv(65536)
    return b""


def _sent(one: socket.socket, data: bytes) -> bool:
    with suppress(OSError):
        one.sendall(data)
        return True
    return False


def _shut(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
