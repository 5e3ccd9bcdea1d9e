"""The client's calls: messages of `wire` go out and come back, lists come page by page, writes have keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import urlencode
from uuid import uuid4

from pydantic import ValidationError

from jupyterhub_mesos.client_http import KEY_HEADER, Transport
from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.wire import MAX_BATCH_ITEMS, Paged, Wire
from jupyterhub_mesos.wire.levers import Order

_W = TypeVar("_W", bound=Wire)
_P = TypeVar("_P", bound=Paged)
_O = TypeVar("_O", bound=Order)
_T = TypeVar("_T")
_NONE: Mapping[str, str] = MappingProxyType({})


class Calls:
    """Typed calls over a transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, path: str, model: type[_W], query: Mapping[str, str] | None = None) -> _W:
        """Look at something."""
        return model.model_validate_json(self._transport.call("GET", with_query(path, query or {})))

    def pages(self, path: str, model: type[_P], query: Mapping[str, str]) -> Iterator[_P]:
        """Yield a list page by page, each asked for when it is wanted."""
        asked = dict(query)
        while True:
            page = self.get(path, model, asked)
            yield page
            if page.next_cursor is None:
                return
            asked["cursor"] = page.next_cursor

    def whole(
        self,
        path: str,
        model: type[_P],
        field: str = "items",
        query: Mapping[str, str] = _NONE,
    ) -> _P:
        """Return a list with the items of all its pages."""
        first, *others = self.pages(path, model, query)
        items = [item for page in (first, *others) for item in getattr(page, field)]
        return first.model_copy(update={field: tuple(items), "next_cursor": None})

    def post(self, path: str, message: Wire, model: type[_W], key: str | None = None) -> _W:
        """Send a message that changes something."""
        return model.model_validate_json(self.write("POST", path, body_of(message), key=key))

    def write(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] = _NONE,
    ) -> bytes:
        """Ask for a change under a key, so that it is done once however often it has to be asked for."""
        return self._transport.call(method, path, body, {KEY_HEADER: key or str(uuid4()), **headers})


def chunks(items: Iterable[_T]) -> Iterator[tuple[_T, ...]]:
    """Yield as many items as one batch takes, until there are no more."""
    left = iter(items)
    while chunk := tuple(islice(left, MAX_BATCH_ITEMS)):
        yield chunk


def with_query(path: str, query: Mapping[str, str]) -> str:
    """Return a path with its query."""
    return f"{path}?{urlencode(query)}" if query else path


def order_of(kind: type[_O], **values: object) -> _O:
    """Make an order; raises `InvalidInput` for what the service would refuse anyway."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        text = first["msg"].removeprefix("Value error, ")
        raise InvalidInput(text, where=".".join(map(str, first["loc"]))) from error


def body_of(message: Wire) -> bytes:
    """Return a message as it is sent."""
    return message.model_dump_json().encode()
