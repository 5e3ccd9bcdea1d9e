"""How often one person may write: a bucket of tokens each, which fills as time goes by."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from jupyterhub_mesos.errors import TooMany

SECONDS_PER_MINUTE: Final = 60.0
ITEMS_PER_WRITE: Final = 50
"""How many items of batches a user may ask for per change that is allowed: an item costs so much less."""


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class WriteRates:
    """At most `per_minute` writes in a minute, and as many at once; 0 is no limit."""

    def __init__(self, per_minute: int, clock: Callable[[], float], noun: str = "changes") -> None:
        """`clock` counts seconds and never goes back; `noun` is what is counted."""
        self._noun = noun
        self._most = per_minute
        self._per_second = per_minute / SECONDS_PER_MINUTE
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}
        self._swept_at = clock()

    def take(self, name: str, count: int = 1) -> None:
        """Count `count` writes of `name` at once; raises `TooMany`, and counts none then."""
        if self._most == 0:
            return
        now = self._clock()
        self._sweep(now)
        bucket = self._buckets.setdefault(name, _Bucket(self._most, now))
        bucket.left = min(self._most, bucket.left + (now - bucket.at) * self._per_second)
        bucket.at = now
        if count > self._most:
            raise TooMany(
                f"{count} {self._noun} asked for at once; {self._most} are possible: ask for fewer."
            )
        if bucket.left < count:
            seconds = math.ceil((count - bucket.left) / self._per_second)
            what = "the next one is" if count == 1 else f"{count} at once are"
            raise TooMany(
                f"{name} has asked for more than {self._most} {self._noun} in a minute: "
                f"{what} possible in {seconds} s.",
                retry_seconds=seconds,
            )
        bucket.left -= count

    def _sweep(self, now: float) -> None:
        """Forget, once a minute, who has not written for one: their buckets are full again."""
        if now - self._swept_at < SECONDS_PER_MINUTE:
            return
        self._swept_at = now
        self._buckets = {
            name: bucket for name, bucket in self._buckets.items() if now - bucket.at < SECONDS_PER_MINUTE
        }
