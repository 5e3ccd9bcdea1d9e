"""Which part of a replay is looked at: what comes before it warms the pool up."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Window:
    """From `from_s` to before `to_s`, in the trace's seconds."""

    from_s: float = 0.0
    to_s: float = inf

    def __contains__(self, at: float) -> bool:
        return self.from_s <= at < self.to_s

    def overlap_s(self, begin: float, end: float) -> float:
        """Return how many of the seconds from `begin` to `end` lie inside."""
        return max(0.0, min(end, self.to_s) - max(begin, self.from_s))


EVERYTHING = Window()
