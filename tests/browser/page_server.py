"""A single-user server with a page, which says whose it is and which path was asked for."""

from __future__ import annotations

import asyncio
import os
from html import escape

import tornado.web

import tiny_server

PAGE = """<!doctype html><html lang="en"><head><title>{user}'s server</title>
<link rel="icon" href="data:,"></head><body><h1>The server of {user}</h1><p>{path}</p></body></html>"""


class Lab(tornado.web.RequestHandler):
    def get(self) -> None:
        prefix = os.environ["JUPYTERHUB_SERVICE_PREFIX"]
        if self.request.path == prefix:
            self.redirect(f"{prefix}lab")
            return
        self.write(PAGE.format(user=escape(os.environ["JUPYTERHUB_USER"]), path=escape(self.request.path)))


def app() -> tornado.web.Application:
    return tornado.web.Application([(r".*/api", tiny_server.Api), (r".*", Lab)])


if __name__ == "__main__":
    tiny_server.tiny_app = app
    asyncio.run(tiny_server.serve())
