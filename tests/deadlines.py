"""Waiting without sleeping through: a condition is looked at until it holds or a deadline passes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

DEADLINE_SECONDS: Final = 20.0
"""Far more than anything here takes, on a busy machine with 2 cores."""
LOOK_SECONDS: Final = 0.02


def eventually(look: Callable[[], T], what: str, seconds: float = DEADLINE_SECONDS) -> T:
    """Return the first truthy answer of `look`; fail with `what` at the deadline.

    For things that cannot tell us (another process's file, a port). What can tell is awaited
    with `asyncio.timeout` instead.
    """
    end = time.monotonic() + seconds
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what} (last seen: {answer!r})")
        time.sleep(LOOK_SECONDS)
