"""Pauses that grow."""

from __future__ import annotations

import asyncio
from typing import Final

FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 1.0
"""Between two looks at a server that comes up or goes down: doubled from the first to the longest."""


class Pauses:
    """Pauses that grow, between looks at something that takes its time."""

    def __init__(self) -> None:
        self.seconds = FIRST_PAUSE_SECONDS

    async def wait(self) -> None:
        """Wait, the next time twice as long."""
        await asyncio.sleep(self.seconds)
        self.seconds = min(self.seconds * 2, LONGEST_PAUSE_SECONDS)
