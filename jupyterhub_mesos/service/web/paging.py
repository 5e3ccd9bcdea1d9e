"""Pages of lists that are held in memory: a cursor says after which item the next page begins.

A cursor is the last item's name with its position. Where that item has gone, the next
page begins at the position: nothing is told twice, and of what moves (the queue)
a page may miss some.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.service.web.queries import PageQuery

T = TypeVar("T")


def page_of(
    items: Sequence[T], query: PageQuery, name: Callable[[T], str]
) -> tuple[tuple[T, ...], str | None]:
    """Return a page of `items`, and the cursor of the next one where there is more."""
    begin = 0 if query.cursor is None else _begin(items, query.cursor, name)
    page = tuple(items[begin : begin + query.limit])
    end = begin + len(page)
    return page, f"{end}~{name(page[-1])}" if page and end < len(items) else None


def _begin(items: Sequence[T], cursor: str, name: Callable[[T], str]) -> int:
    position, mark, last = cursor.partition("~")
    if not mark or not position.isascii() or not position.isdecimal():
        raise InvalidInput(
            f"{cursor!r} is no cursor: pass on `next_cursor` as it was answered", where="cursor"
        )
    index = int(position)
    if 0 < index <= len(items) and name(items[index - 1]) == last:
        return index
    return next((at for at, item in enumerate(items, start=1) if name(item) == last), index)
