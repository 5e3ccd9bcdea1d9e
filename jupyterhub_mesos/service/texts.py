"""Texts that every database of the ledger can hold.

SQLite stores what it is given; PostgreSQL refuses a zero character, half a
surrogate pair, and a text longer than its column, and with it everybody's
commit. So names are refused before that, on both, and what only describes is
written in characters that can be stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.service.rows import Outcome, Record, RequestInfo, TaskRow, TaskUpdate, TokenRow
from jupyterhub_mesos_quota.events import RequestSubmitted, UserRenamed

if TYPE_CHECKING:
    from jupyterhub_mesos.service.changes import Change

MOST_CHARACTERS: Final = 255
"""Of a name: what the tables have room for."""


def is_storable(text: str) -> bool:
    """Say whether every database takes a text as it is."""
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON may hold
        return False
    return True


def storable(text: str, most: int | None = None) -> str:
    """Return what describes something in characters that can be stored, cut after `most`."""
    if not is_storable(text):
        text = text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    return text[:most]


def check_names(change: Change) -> None:
    """Refuse a change of which a name does not fit; raises `InvalidInput`."""
    for what, name in _names(change):
        if not is_storable(name):
            raise InvalidInput(
                f"{storable(name, MOST_CHARACTERS)!r} holds a character that cannot be stored "
                "(zero, or half of a surrogate pair): leave it out",
                where=what,
            )
        if len(name) > MOST_CHARACTERS:
            raise InvalidInput(
                f"{name[:20]!r}... has {len(name)} characters; {MOST_CHARACTERS} are possible", where=what
            )


def with_storable_texts(change: Change) -> Change:
    """Return a change whose descriptions can be stored: the very same one, nearly always."""
    records = tuple(map(_with_storable_message, change.records))
    if records == change.records and is_storable(change.why):
        return change
    return replace(change, records=records, why=storable(change.why))


def _with_storable_message(record: Record) -> Record:
    if isinstance(record, Outcome | TaskRow | TaskUpdate) and not is_storable(record.message):
        return replace(record, message=storable(record.message))
    return record


def _names(change: Change) -> Iterator[tuple[str, str]]:
    yield "who asks", change.who
    if change.note is not None:
        yield "what it is about", change.note.subject
    match change.event:
        case RequestSubmitted():
            yield "user", change.event.request.user
        case UserRenamed():
            yield "new name", change.event.after
        case _:
            pass
    for record in change.records:
        match record:
            case RequestInfo() | TokenRow():
                yield "name", record.name
            case _:
                pass
