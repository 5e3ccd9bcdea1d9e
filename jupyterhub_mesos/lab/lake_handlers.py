"""The routes below `/capacity/lake/`: the team's data as this notebook server sees it.

Everything is done with the server's own rights, and no key ever leaves it: S3 is asked from here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import ensure_async
from tornado import web

from jupyterhub_mesos.errors import InvalidInput, Unavailable
from jupyterhub_mesos.lab.handlers import CapacityHandler
from jupyterhub_mesos.lab.lake_messages import (
    LakeEntry,
    LakeFolderOrder,
    LakeListing,
    LakePreview,
    LakeSource,
    LakeSources,
    Sort,
)
from jupyterhub_mesos.lab.lake_previews import preview, reading_code
from jupyterhub_mesos.lab.lake_uploads import Receiving, check_size
from jupyterhub_mesos.lake import sources as lake
from jupyterhub_mesos.lake.entries import Entry, Source, Upload, clean, uri_of
from jupyterhub_mesos.lake.s3 import LACKING

if TYPE_CHECKING:
    from tornado.http1connection import HTTP1Connection

PAGE: Final = 200
PAGE_MOST: Final = 1000
DEFAULT_UPLOAD_BYTES: Final = 5 * 1024**3
"""What S3 takes in one piece; more is for a program."""
UPLOAD_VARIABLE: Final = "CAPACITY_LAKE_UPLOAD_BYTES"
"""The operator's bound in a notebook server's environment (`c.Spawner.environment`)."""
ANSWERED_BYTES: Final = 64 * 1024 * 1024
"""So many bytes more than may be uploaded are read and dropped, so that the browser hears why."""
SECONDS: Final = 60.0
"""For one look: a source that answers slower is told to be slow, and the browser is not left waiting."""
NO_LAKE: Final = (
    "This server was not started by the hub's capacity service, so it knows of no lake: start it from "
    "the hub, or set LAKE_TEAM_URI=file:///a/folder before it starts."
)
_SORTS: Final[Mapping[Sort, Callable[[Entry], Any]]] = {
    "name": lambda entry: entry.name.casefold(),
    "size": lambda entry: entry.size or 0,
    "modified": lambda entry: entry.modified or 0.0,
}
_NAMED: Final[Mapping[str, Sort]] = {"name": "name", "size": "size", "modified": "modified"}
_TRUTHS: Final[Mapping[str, bool]] = {"": False, "0": False, "false": False, "1": True, "true": True}
_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a folder is asked for, in which order."""

    sort: Sort
    is_descending: bool
    offset: int
    limit: int


class LakeHandler(CapacityHandler):
    """What the lake's routes share: the source and path of the query, and a time limit."""

    async def timed(self, call: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Run a look in a thread for a bounded time."""
        try:
            async with asyncio.timeout(SECONDS):
                return await self.in_thread(call, *args, **kwargs)
        except TimeoutError as error:
            raise Unavailable(f"the source has not answered within {SECONDS:g} s: try again") from error

    def place(self) -> tuple[str, str]:
        """Return the source's name and the clean path that were asked for."""
        return self.get_query_argument("source"), clean(self.get_query_argument("path", "", strip=False))

    def number(self, name: str, otherwise: int) -> int:
        """Return a whole number of the query."""
        text = self.get_query_argument(name, str(otherwise))
        if not text.isdecimal():
            raise InvalidInput(f"{name} is {text!r}; a whole number from 0 is needed")
        return int(text)

    def truth(self, name: str) -> bool:
        """Return a yes or no of the query."""
        text = self.get_query_argument(name, "").lower()
        if text not in _TRUTHS:
            raise InvalidInput(f"{name} is {text!r}; true or false is needed")
        return _TRUTHS[text]


class LakeSourcesHandler(LakeHandler):
    """What there is to browse."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the sources; of a plain Jupyter Server none, with the reason."""
        self.answer(await self.in_thread(_sources))


class LakeListHandler(LakeHandler):
    """What a folder holds."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer one page."""
        name, path = self.place()
        self.answer(await self.timed(_listing, name, path, self._page()))

    def _page(self) -> Page:
        asked = self.get_query_argument("sort", "name")
        sort = _NAMED.get(asked)
        if sort is None:
            raise InvalidInput(f"sort is {asked!r}; {', '.join(_SORTS)} are possible")
        return Page(
            sort=sort,
            is_descending=self.truth("descending"),
            offset=self.number("offset", 0),
            limit=min(self.number("limit", PAGE), PAGE_MOST),
        )


class LakePreviewHandler(LakeHandler):
    """What a file looks like."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer its first rows, its picture, its beginning or why there is nothing to show."""
        name, path = self.place()
        self.answer(await self.timed(_preview, name, path))


class LakeFoldersHandler(LakeHandler):
    """Make a folder."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Make a folder; its entry is the answer."""
        order = self.order(LakeFolderOrder)
        self.answer(await self.timed(_make_folder, order.source, order.path), HTTPStatus.CREATED)


@web.stream_request_body
class LakeFileHandler(LakeHandler):
    """Upload a file as the body of one PUT, or delete one.

    The body is written as it arrives. A connection that breaks, a cancel or an error leaves nothing behind.
    """

    _receiving: Receiving | None = None

    async def prepare(self) -> None:  # type: ignore[override]  # as APIHandler itself has it
        """Check who asks and where to, before the first piece of a body is taken."""
        await super().prepare()
        await self._check_asker()
        if self.request.method == "PUT":
            most = max_upload_bytes()
            cast("HTTP1Connection", self.request.connection).set_max_body_size(most + ANSWERED_BYTES)
            check_size(int(self.request.headers.get("Content-Length", "0")), most)
            name, path = self.place()
            upload = await self.timed(_begin, name, path, may_replace=self.truth("overwrite"))
            self._receiving = Receiving(upload, most)

    async def data_received(self, chunk: bytes) -> None:
        """Write a piece; the next is read when it is written."""
        if self._receiving is not None:
            await self.in_thread(self._receiving.take, chunk)

    @web.authenticated
    @authorized
    async def put(self) -> None:
        """Put the whole file in its place; its entry is the answer."""
        if self._receiving is None:
            raise InvalidInput("an upload has a body")
        await self.in_thread(self._receiving.commit)
        self.answer(await self.timed(_entry, *self.place()), HTTPStatus.CREATED)

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        """Remove one file; `confirm=true` says that somebody was asked."""
        if not self.truth("confirm"):
            raise InvalidInput("a file is deleted for ever: confirm=true is needed")
        await self.timed(_delete, *self.place())
        self.set_status(HTTPStatus.NO_CONTENT)
        self.finish()

    def on_connection_close(self) -> None:
        """Take back what was written when the browser goes away."""
        super().on_connection_close()
        self._discard()

    def on_finish(self) -> None:
        """Take back what was written of an upload that failed."""
        super().on_finish()
        self._discard()

    async def _check_asker(self) -> None:
        """Refuse whom the decorators would: they come too late for a body that is written as it arrives."""
        allowed = self.current_user is not None and await ensure_async(
            self.authorizer.is_authorized(self, self.current_user, "write", self.auth_resource)
        )
        if not allowed:
            raise web.HTTPError(HTTPStatus.FORBIDDEN)

    def _discard(self) -> None:
        receiving, self._receiving = self._receiving, None
        if receiving is not None:
            asyncio.get_running_loop().run_in_executor(None, receiving.discard)


def max_upload_bytes() -> int:
    """Return how large a file may be that comes from the browser."""
    text = os.environ.get(UPLOAD_VARIABLE, "")
    return int(text) if text.isdecimal() else DEFAULT_UPLOAD_BYTES


# ---- in a thread -----------------------------------------------------------------------------------


def _sources() -> LakeSources:
    found = [
        LakeSource(
            name=folder.name,
            title=folder.title,
            kind="folder",
            is_writable=folder.is_writable,
            uri=uri_of(folder.name, ""),
            place=folder.place(""),
        )
        for folder in lake.folders()
    ]
    lacking = "" if find_spec("s3fs") else LACKING
    for view in lake.connections():
        place = "/".join(part for part in (f"s3://{view.bucket}", view.prefix.strip("/")) if part)
        found.append(
            LakeSource(
                name=view.name,
                title=view.title or view.name,
                kind="s3",
                is_writable=view.mode == "rw",
                uri=uri_of(view.name, ""),
                place=place,
                lacking=lacking,
            )
        )
    return LakeSources(
        sources=tuple(found), max_upload_bytes=max_upload_bytes(), lacking="" if found else NO_LAKE
    )


def _listing(name: str, path: str, page: Page) -> LakeListing:
    source = lake.source(name)
    listing = source.list(path)
    entries = sorted(listing.entries, key=_SORTS[page.sort], reverse=page.is_descending)
    entries.sort(key=lambda entry: not entry.is_folder)
    return LakeListing(
        source=name,
        path=path,
        is_writable=source.is_writable,
        sort=page.sort,
        is_descending=page.is_descending,
        entries=tuple(_shown(source, entry) for entry in entries[page.offset : page.offset + page.limit]),
        offset=page.offset,
        total=len(entries),
        is_partial=listing.is_partial,
    )


def _preview(name: str, path: str) -> LakePreview:
    source = lake.source(name)
    entry = source.stat(path)
    if entry.is_folder:
        raise InvalidInput(f"{uri_of(name, path)} is a folder: list it")
    shown = preview(source, entry)
    return LakePreview(
        entry=_shown(source, entry),
        content=shown.content,
        summary=shown.summary,
        is_cut=shown.is_cut,
        code=reading_code(uri_of(name, path), entry),
    )


def _entry(name: str, path: str) -> LakeEntry:
    source = lake.source(name)
    return _shown(source, source.stat(path))


def _begin(name: str, path: str, *, may_replace: bool) -> Upload:
    return lake.source(name).upload(path, may_replace=may_replace)


def _make_folder(name: str, path: str) -> LakeEntry:
    source = lake.source(name)
    return _shown(source, source.make_folder(path))


def _delete(name: str, path: str) -> None:
    lake.source(name).delete(path)


def _shown(source: Source, entry: Entry) -> LakeEntry:
    return LakeEntry(
        source=source.name,
        path=entry.path,
        name=entry.name,
        is_folder=entry.is_folder,
        size=entry.size,
        modified=entry.modified,
        uri=uri_of(source.name, entry.path),
        place=source.place(entry.path),
    )
