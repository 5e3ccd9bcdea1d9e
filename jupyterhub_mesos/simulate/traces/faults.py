"""Rows of a trace that are no job: what is wrong with each, how many there are, the first of them by name.

Some are *passed over*: nothing is wrong with them, and they are no work either
(a job that was cancelled while it waited, one that asks for nothing that the
pool counts). They are counted too, and stop nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

NAMED: Final = 10
"""How many bad rows are kept by name; the rest are counted."""


class Fault(StrEnum):
    """Why a row is no job."""

    MISSING = "missing value"
    UNREADABLE = "unreadable value"
    NEGATIVE = "negative value"
    TOO_LARGE = "larger than the pool"
    UNKNOWN_TEAM = "unknown team"
    NEVER_RAN = "never ran"
    NOT_COUNTED = "asks for nothing that the pool counts"

    @property
    def is_bad(self) -> bool:
        """Whether the row is wrong, rather than no work."""
        return self not in {Fault.NEVER_RAN, Fault.NOT_COUNTED}


class RowFault(Exception):
    """A row is no job; raised where it is read, answered where the trace is."""

    def __init__(self, fault: Fault, sentence: str) -> None:
        super().__init__(sentence)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row that is no job: where it stands ("line 18"), why, and the sentence."""

    where: str
    fault: Fault
    sentence: str

    def __str__(self) -> str:
        return f"{self.where}: {self.sentence}"


@dataclass(slots=True)
class Faults:
    """What was found while a trace was read."""

    counts: Counter[Fault] = field(default_factory=Counter[Fault])
    first: list[BadRow] = field(default_factory=list[BadRow])

    def note(self, where: str, fault: RowFault) -> None:
        """Count a row, and keep it by name while there are few."""
        self.counts[fault.fault] += 1
        if fault.fault.is_bad and len(self.first) < NAMED:
            self.first.append(BadRow(where, fault.fault, str(fault)))

    @property
    def bad(self) -> int:
        """How many rows are wrong."""
        return sum(count for fault, count in self.counts.items() if fault.is_bad)

    @property
    def passed_over(self) -> Mapping[Fault, int]:
        """How many rows are no work, by reason."""
        return {fault: count for fault, count in self.counts.items() if not fault.is_bad}

    def lines(self) -> list[str]:
        """Say it for a person: each kind with its number, then the first by name."""
        lines = [f"{count:,} x {fault}" for fault, count in sorted(self.counts.items())]
        lines += [f"  {row}" for row in self.first]
        if self.bad > len(self.first):
            lines.append(f"  ... and {self.bad - len(self.first):,} more")
        return lines
