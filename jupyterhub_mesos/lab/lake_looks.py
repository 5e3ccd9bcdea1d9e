"""What a look at a file yields, and the bounds that every kind of look shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from jupyterhub_mesos.lab.lake_messages import LakeContent, LakeNothing

HEAD_BYTES: Final = 256 * 1024
"""What is read of a text or a table of text."""
MAX_ROWS: Final = 100
MAX_COLUMNS: Final = 200
MAX_CELL: Final = 300
"""Characters of a cell."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is shown, a line about it, and whether there is more."""

    content: LakeContent
    summary: str
    is_cut: bool = False


def nothing(sentence: str) -> Look:
    """Show nothing, with the reason."""
    return Look(LakeNothing(sentence=sentence), "")


def cell(value: object) -> str | None:
    """Return a value as a table shows it."""
    if value is None:
        return None
    text = value if isinstance(value, str) else repr(value) if isinstance(value, float) else str(value)
    return text if len(text) <= MAX_CELL else text[:MAX_CELL] + "…"


def counted(number: int, noun: str) -> str:
    """Return `1 row`, `2 rows`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
