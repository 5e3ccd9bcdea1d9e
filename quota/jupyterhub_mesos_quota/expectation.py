"""When a waiting request may be expected to start, learnt from how long others like it waited.

The estimate is Kaplan and Meier's (1958): those that still wait, or were withdrawn,
count for as long as they waited, so that the slow ones are not left out. It is
conditional on what was waited already, and says nothing where too few are like it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from jupyterhub_mesos_quota.model import Request, TeamId
from jupyterhub_mesos_quota.resources import Flavor

FEWEST: Final = 10
"""Starts like it, later than it has waited already, below which nothing is said."""
MOST_KEPT: Final = 1_000
"""Waits kept per kind: the newest, since a cluster changes."""
MEDIAN: Final = 0.5
BOUND: Final = 0.1
"""What still waits at the bound: one in ten."""


@dataclass(frozen=True, slots=True)
class Wait:
    """How long one waited; `has_started` is False where it was withdrawn, or waits still."""

    team: TeamId
    accelerators: tuple[tuple[Flavor, int], ...]  # of all its replicas
    seconds: float
    has_started: bool = True


@dataclass(frozen=True, slots=True)
class Expectation:
    """When a request may start, in seconds from now; None for what is later than all that was seen.

    Nine of ten start `within`.
    """

    median: float | None
    within: float | None
    learnt_from: int  # starts


def wait_of(request: Request, seconds: float, *, has_started: bool = True) -> Wait:
    """Note how long a request waited."""
    accelerators = (request.resources * request.replicas).accelerators
    return Wait(request.team, accelerators, seconds, has_started)


class WaitHistory:
    """The newest waits, by team and accelerators, as the ledger's rows tell them."""

    def __init__(self, waits: Iterable[Wait] = ()) -> None:
        self._by_kind: dict[tuple[TeamId | None, tuple[tuple[Flavor, int], ...]], deque[Wait]] = {}
        for wait in waits:
            self.add(wait)

    def add(self, wait: Wait) -> None:
        """Learn from one more."""
        for kind in ((wait.team, wait.accelerators), (None, wait.accelerators)):
            self._by_kind.setdefault(kind, deque(maxlen=MOST_KEPT)).append(wait)

    def expect(self, request: Request, waited: float, waiting: Sequence[Wait] = ()) -> Expectation | None:
        """Say when a request may start that has `waited` so many seconds, or None: not enough history yet.

        `waiting` are those that wait now, itself included or not. Its own team's history
        is asked first, then all teams'.
        """
        accelerators = (request.resources * request.replicas).accelerators
        for team in (request.team, None):
            known = [
                *self._by_kind.get((team, accelerators), ()),
                *(
                    each
                    for each in waiting
                    if each.accelerators == accelerators and team in {None, each.team}
                ),
            ]
            later = [wait for wait in known if wait.seconds > waited]
            starts = sum(wait.has_started for wait in later)
            if starts >= FEWEST:
                curve = list(_surviving(later))
                return Expectation(_when(curve, MEDIAN, waited), _when(curve, BOUND, waited), starts)
        return None


def _surviving(waits: Sequence[Wait]) -> Iterator[tuple[float, float]]:
    """Yield `(seconds, part that still waits)` at each time that somebody started."""
    left, part = len(waits), 1.0
    by_time = groupby(sorted(waits, key=lambda wait: wait.seconds), key=lambda wait: wait.seconds)
    for seconds, group in by_time:
        ended = list(group)
        started = sum(wait.has_started for wait in ended)
        if started:
            part *= 1 - started / left
            yield seconds, part
        left -= len(ended)


def _when(curve: Sequence[tuple[float, float]], part: float, waited: float) -> float | None:
    tolerance = 1e-9  # sums of parts are not exact
    return next((seconds - waited for seconds, left in curve if left <= part + tolerance), None)


def tell(expectation: Expectation | None) -> str:
    """Say it in a sentence."""
    if expectation is None or expectation.median is None:
        return "When it starts cannot be said: not enough history yet."
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
