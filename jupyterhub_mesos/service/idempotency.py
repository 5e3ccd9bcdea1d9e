"""Writes that may be repeated: under one key of one asker a write is done once, and its answer told again.

- The first change that a write enters into the ledger carries its key, so both are durable or neither is.
  The answer follows in a commit of its own, before it is sent. Where the service dies between the two, the
  key says that the write was done and which request it was about, and no answer is kept.
- A refusal keeps no key: it changed nothing, and may be asked for again.
- An answer that holds a secret is not kept; its key is.
- Keys are forgotten after `KEY_SECONDS`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from jupyterhub_mesos.errors import Conflict, InvalidInput, KeyReused
from jupyterhub_mesos.service.changes import Change
from jupyterhub_mesos.service.rows import KEY_SECONDS, KeyName, KeyRow
from jupyterhub_mesos_quota.events import EndRequested, RequestSubmitted

if TYPE_CHECKING:
    from jupyterhub_mesos.service.ledger import Ledger

MAX_KEY_CHARACTERS: Final = 255
WAIT_SECONDS: Final = 30.0
"""As long as a repeated write waits for the first; a client's own time-out is not longer."""


@dataclass(slots=True)
class Write:
    """A write under a key; `is_entered` once the ledger has been given the key."""

    name: KeyName
    digest: str
    is_entered: bool = False


_CURRENT: ContextVar[Write | None] = ContextVar("write under a key", default=None)


def write_of(asker: str, header: str, *content: bytes) -> Write:
    """Read the header `Idempotency-Key`; `content` is all that makes one write another."""
    key = header.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':  # the form that the IETF's draft gives it
        key = key[1:-1]
    if not 0 < len(key) <= MAX_KEY_CHARACTERS or not key.isascii() or not key.isprintable():
        raise InvalidInput(
            f"a key has 1 to {MAX_KEY_CHARACTERS} printable ASCII characters, such as a new UUID per write",
            where="Idempotency-Key",
        )
    digest = hashlib.sha256()
    for part in content:
        digest.update(hashlib.sha256(part).digest())
    return Write(KeyName(asker, key), digest.hexdigest())


def with_key(changes: Sequence[Change], at: float) -> tuple[Change, ...]:
    """Return the changes of a write, the first with its key where it has one that is not entered yet."""
    write = _CURRENT.get()
    if write is None or write.is_entered or not changes:
        return tuple(changes)
    write.is_entered = True
    row = KeyRow(write.name, write.digest, at, _subjects(changes))
    first = replace(changes[0], records=(*changes[0].records, row))
    return (first, *changes[1:])


def key_change(changes: Sequence[Change], at: float) -> Change | None:
    """Return a change that enters the key of many changes, of which any may be refused."""
    write = _CURRENT.get()
    if write is None or write.is_entered:
        return None
    write.is_entered = True
    return Change(None, (KeyRow(write.name, write.digest, at, _subjects(changes)),))


def _subjects(changes: Sequence[Change]) -> tuple[str, ...]:
    """Return the requests that changes are about."""
    found: list[str] = []
    for change in changes:
        match change.event:
            case RequestSubmitted():
                found.append(change.event.request.id)
            case EndRequested():
                found.append(change.event.request_id)
            case _:
                continue
    return tuple(found)


@dataclass(slots=True)
class IdempotencyKeys:
    """Keys of writes: claimed for as long as the write lasts, then kept with its answer."""

    ledger: Ledger
    _in_progress: dict[KeyName, asyncio.Event] = field(default_factory=dict[KeyName, asyncio.Event])

    async def claim(self, write: Write) -> KeyRow | None:
        """Claim a write's key for it, or return what is kept of the first write; waits while that goes on.

        Raises `KeyReused` where the first was another write, `Conflict` where it takes too long.
        """
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while (busy := self._in_progress.get(write.name)) is not None:
                    await busy.wait()
        except TimeoutError:
            raise Conflict(
                "The same write is still being done: ask again with its key in a moment."
            ) from None
        self._in_progress[write.name] = asyncio.Event()
        try:
            kept = await self.ledger.read(lambda store: store.key(write.name))
            if kept is None or self.ledger.clock() - kept.at > KEY_SECONDS:
                return None
            if kept.digest != write.digest:
                raise KeyReused(
                    f"The key {write.name.key!r} was used for another write: make a new key for each write, "
                    "and repeat one only with the same method, path, query and body."
                )
        except BaseException:
            self.release(write)
            raise
        self.release(write)
        return kept

    def release(self, write: Write) -> None:
        """Let the next one with this key go on."""
        self._in_progress.pop(write.name).set()

    @contextmanager
    def using(self, write: Write) -> Generator[None]:
        """Have the first change that is entered meanwhile carry the key, which was claimed."""
        token = _CURRENT.set(write)
        try:
            yield
        finally:
            _CURRENT.reset(token)
            self.release(write)

    async def keep(self, write: Write, status: int, answer: str | None, location: str | None) -> None:
        """Keep what was answered, durable when this returns."""
        row = KeyRow(write.name, write.digest, self.ledger.clock(), (), status, location, answer)
        write.is_entered = True
        await self.ledger.apply(Change(None, (row,)))
