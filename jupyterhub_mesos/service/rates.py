"""How often one person may write: a bucket of tokens each, which fills as time goes by."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from jupyterhub_mesos.errors import TooMany

SECONDS_PER_MINUTE: Final = 60.0


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

    def take(self, name: str) -> None:
        """Count one write of `name`; raises `TooMany`."""
        if self._most == 0:
            return
        now = self._clock()
        self._sweep(now)
        bucket = self._buckets.setdefault(name, _Bucket(self._most, now))
        bucket.left = min(self._most, bucket.left + (now - bucket.at) * self._per_second)
        bucket.at = now
        if bucket.left < 1:
            seconds = math.ceil((1 - bucket.left) / self._per_second)
            raise TooMany(
                f"{name} has asked for more than {self._most} {self._noun} in a minute: "
                f"the next one is possible in {seconds} s.",
                retry_seconds=seconds,
            )
        bucket.left -= 1

    def _sweep(self, now: float) -> None:
        """Forget, once a minute, who has not written for one: their buckets are full again."""
        if now - self._swept_at < SECONDS_PER_MINUTE:
            return
        self._swept_at = now
        self._buckets = {
            name: bucket for name, bucket in self._buckets.items() if now - bucket.at < SECONDS_PER_MINUTE
        }
