"""Which requests somebody asks for: the words of a query, read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.service.identity import Identity
from jupyterhub_mesos_quota.model import RequestStatus, WorkloadKind

PAGE_SIZE: Final = 50
PAGE_SIZE_MOST: Final = 200
MAX_SEQ_DIGITS: Final = 18
"""A database of ours counts to 2**63, which has one digit more."""


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """`GET /requests`: everything left out means everything that the asker may see."""

    user: str | None = None
    team: str | None = None
    kind: str | None = None
    status: str | None = None
    parent: str | None = None
    cursor: str | None = None
    limit: int = PAGE_SIZE
    text: str | None = None
    since: float | None = None
    until: float | None = None


def kinds_for(who: Identity, wanted: frozenset[str] | None) -> frozenset[str] | None:
    """Return the kinds to look for, none where all: a token of ours sees what it may ask for."""
    if who.is_of_the_hub:
        return wanted
    possible = frozenset(kind.value for kind in who.may_ask_for)
    return possible if wanted is None else possible & wanted


def one_of(
    kinds: type[WorkloadKind] | type[RequestStatus], text: str | None, where: str
) -> frozenset[str] | None:
    """Read a comma-separated list of words of an enumeration."""
    if not text:
        return None
    known = [str(kind.value) for kind in kinds]
    wanted = frozenset(text.split(","))
    for word in sorted(wanted - frozenset(known)):
        raise InvalidInput(f"{word!r} is none of {', '.join(known)}", where=where)
    return wanted


def stored_cursor(text: str | None) -> int | None:
    """Read the cursor of a list that the ledger keeps: below which number the next page begins."""
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_SEQ_DIGITS):
        raise InvalidInput(f"{text!r} is no cursor: pass on `next_cursor` as it was answered", where="cursor")
    return int(text)
