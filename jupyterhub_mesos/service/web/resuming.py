"""What event streams have told, so that one that was cut off goes on where it was.

An event tells how something stands, whole; so of what was missed only the newest counts. An event's id is
`STREAM.NUMBER`: a stream that comes back with it is told what is otherwise now than it was told up to then.
So many streams are remembered; who comes back to one that is not, is told to look at everything anew.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

MAX_STREAMS: Final = 2000
"""Some kilobytes each; a stream that was cut off comes back within seconds."""


class Owner(NamedTuple):
    """Who is told, and about which request."""

    asker: str
    request: str | None


@dataclass(slots=True)
class Told:
    """What one stream has told: of each event its last number, and the hash of what it said."""

    owner: Owner
    stream: str = field(default_factory=lambda: secrets.token_hex(8))
    number: int = 0
    last: dict[str, tuple[int, bytes]] = field(default_factory=dict[str, tuple[int, bytes]])

    @property
    def id(self) -> str:
        """The id of the newest event."""
        return f"{self.stream}.{self.number}"

    def news(self, snapshot: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yield the events that are otherwise now, by name with their data; each has a new `id` meanwhile."""
        for name, data in snapshot.items():
            digest = hashlib.sha256(data.encode()).digest()
            if self.last.get(name, (0, b""))[1] != digest:
                self.number += 1
                self.last[name] = (self.number, digest)
                yield name, data

    def up_to(self, number: int) -> Told:
        """Return a stream that goes on after an event of this one."""
        heard = {name: (0, digest) for name, (at, digest) in self.last.items() if at <= number}
        return Told(self.owner, last=heard)


class Streams:
    """The newest streams."""

    def __init__(self, most: int = MAX_STREAMS) -> None:
        self._most = most
        self._told: OrderedDict[str, Told] = OrderedDict()

    def begin(self, owner: Owner) -> Told:
        """Remember a stream that begins."""
        return self._remembered(Told(owner))

    def resume(self, owner: Owner, event_id: str) -> Told | None:
        """Remember a stream that goes on after an event; None where that is not known, or another's."""
        stream, _, number = event_id.partition(".")
        told = self._told.get(stream)
        is_number = number.isascii() and number.isdecimal() and len(number) <= 18
        if told is None or told.owner != owner or not is_number or int(number) > told.number:
            return None
        return self._remembered(told.up_to(int(number)))

    def _remembered(self, told: Told) -> Told:
        self._told[told.stream] = told
        if len(self._told) > self._most:
            self._told.popitem(last=False)
        return told
