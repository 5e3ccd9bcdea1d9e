"""The smallest single-user server: answers the hub's look at `/api` and says who it is.

Run as `python tiny_server.py`, with the environment that the hub gives a server.
"""

from __future__ import annotations

import asyncio
import os
import signal
from urllib.parse import urlsplit

import tornado.web
from jupyterhub import __version__

SLOW_PERSON = "sam"
SLOW_SECONDS = 6.0
"""Longer than the `http_timeout` of the end-to-end tests' hub."""


class Api(tornado.web.RequestHandler):
    """What the hub waits for."""

    def get(self) -> None:
        self.set_header("X-JupyterHub-Version", __version__)
        self.write({"version": "tiny", "user": os.environ.get("JUPYTERHUB_USER", "")})


def tiny_app() -> tornado.web.Application:
    return tornado.web.Application([(r".*/api", Api)])


async def serve() -> None:
    if os.environ.get("JUPYTERHUB_USER") == SLOW_PERSON:
        await asyncio.sleep(SLOW_SECONDS)  # like a JupyterLab with many extensions on a busy machine
    address = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    tiny_app().listen(address.port or 0, address.hostname or "127.0.0.1")
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(serve())
