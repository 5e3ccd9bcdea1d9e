"""How much of the pool was in use: in the mean over time, and as a course in equal steps."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter

from jupyterhub_mesos.simulate.observers import Amounts, Json, Onlooker, size_of
from jupyterhub_mesos.simulate.window import EVERYTHING, Window

HOUR_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Level:
    """What was held of how much, and how many waited, from `at` on."""

    at: float
    used: int
    capacity: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Step:
    """The mean over one step of the course, which begins at `at`."""

    at: float
    used: float
    capacity: float
    waiting: float


_SEEN: Final = TypeAdapter(tuple[float | None, Level | None, list[tuple[float, float, float, float]]])


class Use(Onlooker):
    """Time-weighted; memory grows with the length of the window in steps, not with the jobs.

    Measured in accelerators of all flavors, in CPU where the pool has none.
    """

    def __init__(self, window: Window = EVERYTHING, step_s: float = HOUR_S) -> None:
        self._window = window
        self._step_s = step_s
        self._origin: float | None = None  # where the first step begins
        self._level: Level | None = None
        self._sums = tuple(
            array("d") for _ in range(4)
        )  # seconds, and times used, capacity, waiting; by step

    def sampled(self, at: float, used: Amounts, capacity: Amounts, waiting: int) -> None:
        """Count what was held since the last time, and note what is from now on."""
        if self._origin is None:
            self._origin = max(at, self._window.from_s)
        if self._level is not None:
            self._pass(self._level, self._origin, min(at, self._window.to_s))
        self._level = Level(at, size_of(used), size_of(capacity), waiting)

    def _pass(self, level: Level, origin: float, end: float) -> None:
        begin = max(level.at, origin)
        while begin < end:
            number = int((begin - origin) // self._step_s)
            until = min(end, origin + (number + 1) * self._step_s)
            if until <= begin:  # the rounding of floats: the step is over
                number, until = number + 1, min(end, origin + (number + 2) * self._step_s)
            self._add(number, until - begin, level)
            begin = until

    def _add(self, number: int, seconds: float, level: Level) -> None:
        whole, used, capacity, waiting = self._sums
        while len(whole) <= number:
            for each in self._sums:
                each.append(0.0)
        whole[number] += seconds
        used[number] += seconds * level.used
        capacity[number] += seconds * level.capacity
        waiting[number] += seconds * level.waiting

    @property
    def busy(self) -> float:
        """The part of the capacity that was held, over the window as far as it was replayed."""
        _, used, capacity, _ = (sum(each) for each in self._sums)
        return used / capacity if capacity else 0.0

    @property
    def seconds(self) -> float:
        """How much of the window was replayed."""
        return sum(self._sums[0])

    def course(self) -> list[Step]:
        """Return the means by step, in order."""
        origin = self._origin or 0.0
        return [
            Step(origin + number * self._step_s, *(each / seconds for each in sums))
            for number, (seconds, *sums) in enumerate(zip(*self._sums, strict=True))
            if seconds
        ]

    def saved(self) -> Json:
        """Return what was seen so far."""
        sums = list(zip(*self._sums, strict=True))
        seen: Json = _SEEN.dump_python((self._origin, self._level, sums), mode="json")
        return seen

    def recall(self, saved: Json) -> None:
        """Go on from there."""
        self._origin, self._level, sums = _SEEN.validate_python(saved)
        self._sums = tuple(array("d", each) for each in zip(*sums, strict=True)) or self._sums
