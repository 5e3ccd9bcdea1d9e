"""When one that waits may be expected to start, from how long others waited.

The estimate is Kaplan and Meier's (1958): those that still wait, or were withdrawn,
count for as long as they waited, so that the slow ones are not left out. It is
conditional on what was waited already, and says nothing where too few are known.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

FEWEST: Final = 10
"""Starts later than it has waited already, below which nothing is said."""
MEDIAN: Final = 0.5
"""What still waits at the median."""
WITHIN: Final = 0.9
"""What has started at the bound."""
TOLERANCE: Final = 1e-9
"""Products of parts are not exact."""

Waited = tuple[float, bool]
"""So many seconds, and whether it started then; else it was withdrawn, or waits still."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """When a request may start, in seconds from now; None for what is later than all that was seen.

    Nine of ten start `within`.
    """

    median: float | None
    within: float | None
    learnt_from: int  # starts


@dataclass(frozen=True, slots=True)
class Curve:
    """What part still waits after how many seconds: one entry for each time at which somebody started."""

    seconds: Sequence[float]
    left: Sequence[float]  # the part that waits on
    starts: Sequence[int]  # so many had started by then

    @classmethod
    def of(cls, waits: Sequence[Waited]) -> Curve:
        """Work the curve out."""
        times, parts, starts = list[float](), list[float](), list[int]()
        at_risk, part, count = len(waits), 1.0, 0
        for seconds, group in groupby(sorted(waits), key=lambda wait: wait[0]):
            ended = list(group)
            started = sum(has_started for _, has_started in ended)
            if started:
                part, count = part * (1 - started / at_risk), count + started
                times.append(seconds)
                parts.append(part)
                starts.append(count)
            at_risk -= len(ended)
        return cls(times, parts, starts)

    def expect(self, waited: float) -> Expectation | None:
        """Say when one starts that has waited so long, or None where too few started later than that.

        The bound is a little later than nine of ten of those seen, so that it holds for nine of ten of
        those to come: of n, the next falls with even chances into each of the n + 1 gaps between them.
        """
        past = bisect_right(self.seconds, waited)
        later = (self.starts[-1] if self.starts else 0) - (self.starts[past - 1] if past else 0)
        if later < FEWEST:
            return None
        left = self.left[past - 1] if past else 1.0
        beyond = max(0.0, 1 - WITHIN * (later + 1) / later)
        median, within = (self._when(left * part, waited, past) for part in (MEDIAN, beyond))
        return Expectation(median, within, later)

    def _when(self, part: float, waited: float, past: int) -> float | None:
        place = bisect_left(self.left, -part - TOLERANCE, lo=past, key=lambda left: -left)
        return self.seconds[place] - waited if place < len(self.seconds) else None


def tell(expectation: Expectation | None) -> str:
    """Say it in a sentence."""
    if expectation is None:
        return "When it starts cannot be said: not enough history yet."
    if expectation.median is None:
        return "When it starts cannot be said: fewer than half of those like it have started so far."
    within = "" if expectation.within is None else f", and nine of ten within {_in_words(expectation.within)}"
    return (
        f"Of {expectation.learnt_from} like it, half started within {_in_words(expectation.median)} "
        f"from here{within}."
    )


def _in_words(seconds: float) -> str:
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            count = round(seconds / size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "a minute"
