"""One queue of keys: each waits once, is worked on by one worker at a time, and backs off when it fails.

`work` is the loop of one worker; its pieces are `get` a key, then `done` or `failed`.
Timers are the event loop's; the jitter is passed in.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

from jupyterhub_mesos.errors import CapacityError
from jupyterhub_mesos_quota.errors import QuotaError

log: Final = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)

MAX_DOUBLINGS: Final = 32
"""Beyond it the back-off has long met its cap; keeps the power a small number."""


class WorkQueue(Generic[K]):
    """Keys to work on.

    A key added while it is worked on is given out again afterwards. A key with a
    timer is given out at once when it is added: new evidence ends the waiting.
    """

    def __init__(self, backoff_seconds: float, cap_seconds: float, jitter: Callable[[], float]) -> None:
        """`jitter` returns a factor, e.g. between 0.5 and 1."""
        self._backoff_seconds = backoff_seconds
        self._cap_seconds = cap_seconds
        self._jitter = jitter
        self._ready: asyncio.Queue[K] = asyncio.Queue()
        self._waiting: set[K] = set()  # in `_ready`
        self._working: set[K] = set()  # given out
        self._again: set[K] = set()  # added while given out
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}

    def add(self, key: K) -> None:
        """Have `key` worked on soon."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if key in self._working:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.put_nowait(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Have `key` worked on after `seconds`, or earlier if that was asked for already."""
        if key in self._waiting or key in self._again:
            return
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= loop.time() + seconds:
                return
            timer.cancel()
        self._timers[key] = loop.call_later(seconds, self.add, key)

    async def get(self) -> K:
        """Wait for a key; it is the caller's alone until `done` or `failed`."""
        key = await self._ready.get()
        self._waiting.discard(key)
        self._working.add(key)
        return key

    def done(self, key: K, *, again_after: float | None = None) -> None:
        """Give a key back after good work; look at it again after a time, if given."""
        self._failures.pop(key, None)
        self._give_back(key)
        if again_after is not None:
            self.add_after(key, again_after)

    def failed(self, key: K) -> float:
        """Give a key back after bad work; it comes again after the back-off, which is returned."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        doublings = min(failures - 1, MAX_DOUBLINGS)
        seconds = min(self._backoff_seconds * 2.0**doublings, self._cap_seconds) * self._jitter()
        self._give_back(key)
        self.add_after(key, seconds)
        return seconds

    def is_backing_off(self, key: K) -> bool:
        """Say whether the last work on a key failed: it comes again by itself."""
        return key in self._failures

    async def work(self, step: Callable[[K], Awaitable[float | None]]) -> None:
        """Work for ever; `step` returns after how long to look again, if at all; a failure is repeated."""
        while True:
            key = await self.get()
            try:
                again = await step(key)
            except (CapacityError, QuotaError) as error:
                log.warning("%s: %s; again in %.1f s", key, error, self.failed(key))
            except Exception:  # the one broad catch: a bug in one key may not end the others
                log.exception("%s: a bug; again in %.1f s", key, self.failed(key))
            else:
                self.done(key, again_after=again)

    def clear(self) -> None:
        """Forget everything and end the timers."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._again.clear()
        self._failures.clear()
        self._waiting.clear()
        while not self._ready.empty():
            self._ready.get_nowait()

    def _give_back(self, key: K) -> None:
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)
