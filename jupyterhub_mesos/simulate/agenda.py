"""What is to happen on the virtual clock, in order of time."""

from __future__ import annotations

from enum import IntEnum
from heapq import heapify, heappop, heappush
from typing import NamedTuple


class Due(IntEnum):
    """What is due; of one moment the smaller goes first: what frees room comes before who wants it."""

    ENDS = 0  # the work of an allocation is done
    GONE = 1  # a stopped allocation is gone
    LAUNCHED = 2  # every task of an allocation runs
    SUBMITS = 3  # a job of a session that is late


class Entry(NamedTuple):
    """One thing that is due; `number` is the order in which it was planned, `key` an allocation or a job."""

    at: float
    due: Due
    number: int
    key: str


class Agenda:
    """A heap of entries, without those that were struck out."""

    def __init__(self) -> None:
        self._heap: list[Entry] = []
        self._ends: dict[str, int] = {}  # the number of the end that stands, by allocation
        self._next = 0

    def plan(self, at: float, due: Due, key: str) -> None:
        """Note what is due at a moment."""
        self._next += 1
        heappush(self._heap, Entry(at, due, self._next, key))
        if due is Due.ENDS:
            self._ends[key] = self._next

    def strike_end(self, key: str) -> None:
        """An allocation was stopped: it does not end by itself."""
        self._ends.pop(key, None)
        if len(self._heap) > 2 * len(self._ends) + 1024:
            self._heap = [entry for entry in self._heap if self._stands(entry)]
            heapify(self._heap)

    def first(self) -> Entry | None:
        """Return what is due next."""
        while self._heap and not self._stands(self._heap[0]):
            heappop(self._heap)
        return self._heap[0] if self._heap else None

    def pop(self) -> Entry:
        """Take out what `first` answered."""
        entry = heappop(self._heap)
        if entry.due is Due.ENDS:
            del self._ends[entry.key]
        return entry

    def _stands(self, entry: Entry) -> bool:
        return entry.due is not Due.ENDS or self._ends.get(entry.key) == entry.number

    def entries(self) -> list[Entry]:
        """Return what is due, in order."""
        return sorted(entry for entry in self._heap if self._stands(entry))

    def recall(self, entries: list[Entry]) -> None:
        """Take over what `entries` returned."""
        self._heap = list(entries)
        self._ends = {entry.key: entry.number for entry in entries if entry.due is Due.ENDS}
        self._next = max((entry.number for entry in entries), default=0)
