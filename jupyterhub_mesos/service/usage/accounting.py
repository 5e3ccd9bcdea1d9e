"""Hours that were held and times that were waited, by team, user, kind, flavor and day; pure.

An allocation counts from its grant until it is gone: so long nobody else could have had it. It counts within
the window only, and each day has its part. A wait, from the asking to the first grant, counts once, whole, on
the day of that grant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from statistics import quantiles
from typing import Final
from zoneinfo import ZoneInfo

from jupyterhub_mesos_quota.resources import Resources

SECONDS_PER_HOUR: Final = 3600.0
NO_FLAVOR: Final = "none"
"""What the flavor of that which holds no accelerator is called."""
QUARTER_SECONDS: Final = 900
"""Zones are whole quarters of an hour apart, so that a quarter lies in one day."""
QUARTERS_KEPT: Final = 4096
"""Six weeks of them."""
PERCENTILES: Final = 100
P90: Final = 89


class Part(StrEnum):
    """What hours are told apart by."""

    TEAM = "team"
    USER = "user"
    KIND = "kind"
    FLAVOR = "flavor"
    DAY = "day"


Key = tuple[str, ...]  # one word per part that was asked for


@dataclass(frozen=True, slots=True)
class Held:
    """An allocation as accounting sees it; times in Unix seconds, `waited` in seconds, first grants alone."""

    team: str
    user: str
    kind: str
    resources: Resources
    granted_at: float
    gone_at: float | None
    waited: float | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when, in Unix seconds, the end not included; days are those of `zone`."""

    since: float
    until: float
    zone: ZoneInfo


@dataclass(slots=True)
class Tally:
    """What comes together under one key: hours, and each wait in seconds."""

    cpu_hours: float = 0.0
    memory_gib_hours: float = 0.0
    accelerator_hours: dict[str, float] = field(default_factory=dict[str, float])
    waits: list[float] = field(default_factory=list[float])

    def add(self, resources: Resources, hours: float) -> None:
        """Count resources that were held for so many hours."""
        self.cpu_hours += resources.cpu_millis / 1000 * hours
        self.memory_gib_hours += resources.mem_mib / 1024 * hours
        for flavor, count in resources.accelerators:
            self.accelerator_hours[flavor] = self.accelerator_hours.get(flavor, 0.0) + count * hours

    @property
    def all_accelerator_hours(self) -> float:
        """Those of all flavors together."""
        return sum(self.accelerator_hours.values())

    @property
    def mean_wait(self) -> float | None:
        """The mean wait in seconds, None where nothing was granted."""
        return sum(self.waits) / len(self.waits) if self.waits else None

    @property
    def wait_of_nine_in_ten(self) -> float | None:
        """So long, in seconds, nine of ten waited at most."""
        if len(self.waits) < 2:
            return self.waits[0] if self.waits else None
        return quantiles(self.waits, n=PERCENTILES, method="inclusive")[P90]


@dataclass(slots=True)
class Account:
    """Adds up what was held, by key; `total` has all of it."""

    window: Window
    parts: tuple[Part, ...]
    now: float
    tallies: dict[Key, Tally] = field(default_factory=dict[Key, Tally])
    total: Tally = field(default_factory=Tally)

    def take(self, held: Iterable[Held]) -> None:
        """Count allocations."""
        for one in held:
            self._take_hours(one)
            if one.waited is not None and self.window.since <= one.granted_at < self.window.until:
                self.total.waits.append(one.waited)
                flavor = next((name for name, _ in one.resources.accelerators), NO_FLAVOR)
                self._tally(one, flavor, one.granted_at).waits.append(one.waited)

    def _take_hours(self, one: Held) -> None:
        begin = max(one.granted_at, self.window.since)
        end = min(self.now if one.gone_at is None else one.gone_at, self.window.until)
        for start, stop in self._spans(begin, end):
            hours = (stop - start) / SECONDS_PER_HOUR
            self.total.add(one.resources, hours)
            for flavor, piece in self._pieces(one.resources):
                self._tally(one, flavor, start).add(piece, hours)

    def _spans(self, begin: float, end: float) -> Iterator[tuple[float, float]]:
        """Yield the time from begin to end, day by day where days are told apart."""
        zone, is_by_day = self.window.zone, Part.DAY in self.parts
        while begin < end:
            stop = min(end, _day(int(begin // QUARTER_SECONDS), zone)[1]) if is_by_day else end
            yield begin, stop
            begin = stop

    def _pieces(self, resources: Resources) -> Iterator[tuple[str, Resources]]:
        """Yield each flavor apart where flavors are told apart; CPU and memory go with the first."""
        if Part.FLAVOR not in self.parts or len(resources.accelerators) < 2:
            yield next((name for name, _ in resources.accelerators), NO_FLAVOR), resources
            return
        (first, count), *others = resources.accelerators
        yield first, Resources.of(resources.cpu_millis, resources.mem_mib, {first: count})
        for flavor, number in others:
            yield flavor, Resources.of(0, 0, {flavor: number})

    def _tally(self, one: Held, flavor: str, at: float) -> Tally:
        words: dict[Part, str] = {Part.TEAM: one.team, Part.USER: one.user, Part.KIND: one.kind}
        words[Part.FLAVOR] = flavor
        if Part.DAY in self.parts:
            words[Part.DAY] = _day(int(at // QUARTER_SECONDS), self.window.zone)[0]
        return self.tallies.setdefault(tuple(words[part] for part in self.parts), Tally())


@lru_cache(maxsize=QUARTERS_KEPT)
def _day(quarter: int, zone: ZoneInfo) -> tuple[str, float]:
    """Return the day of a quarter of an hour (since 1970), and when it ends; some have 23 or 25 hours."""
    day = datetime.fromtimestamp(quarter * QUARTER_SECONDS, zone).date()
    end = datetime.combine(day + timedelta(days=1), time(), zone)
    return day.isoformat(), end.astimezone(UTC).timestamp()
