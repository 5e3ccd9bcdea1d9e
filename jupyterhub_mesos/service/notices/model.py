"""What people are told, and what a channel answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class NoticeKind(StrEnum):
    """What a notice is about."""

    STARTED = "started"  # what waited for a while runs
    ROOM = "room"  # there is room for what waits for its owner's word
    WARNED = "warned"  # what runs is to be stopped at a moment
    TAKEN = "taken"  # what ran was stopped and waits again
    ENDED = "ended"  # a job, pipeline or model server is over, or a notebook that its user did not end
    BUDGET = "budget"  # much of a budget is used


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell somebody; `at` in Unix seconds.

    `id` is the same whenever it is sent again. `user` is empty where it is the operators' alone.
    `link` is the address of a page, a path where the hub's public address is not configured.
    """

    id: str
    kind: NoticeKind
    at: float
    user: str
    team: str
    subject: str
    title: str
    text: str
    link: str


class Undeliverable(Exception):
    """A notice that no repetition will bring to its reader; the text says why."""


class Channel(Protocol):
    """A way to tell people."""

    @property
    def name(self) -> str:
        """Its name in the ledger and in logs."""
        ...

    async def send(self, notice: Notice) -> None:
        """Hand a notice on. Raises `Undeliverable`, or `Unavailable` where a later try may succeed."""
        ...
