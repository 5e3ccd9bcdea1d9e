"""How far a long command is: a bar on a terminal, a line now and then elsewhere; always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final, TextIO

BAR_SIGNS: Final = 30
BAR_SECONDS: Final = 0.2
LINE_SECONDS: Final = 10.0
"""Between two lines where there is no terminal: a log is read afterwards."""


class ProgressLine:
    """Shows `part` of a whole, from 0 to 1, with what stands beside it; `clock` is monotonic."""

    def __init__(self, file: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = sys.stderr if file is None else file
        self._is_terminal = self._file.isatty()
        self._clock = clock
        self._width = 0
        self._pause = BAR_SECONDS if self._is_terminal else LINE_SECONDS
        self._began = clock()
        self._next = self._began + self._pause

    def show(self, title: str, part: float, beside: str) -> None:
        """Show it, where the last time was long enough ago."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + self._pause
        left = f", {_span((now - self._began) * (1 - part) / part)} left" if part > 0.01 else ""
        if not self._is_terminal:
            print(f"{title}: {part:.0%}, {beside}{left}", file=self._file, flush=True)
            return
        full = round(part * BAR_SIGNS)
        self._write(f"{title} [{'#' * full}{'.' * (BAR_SIGNS - full)}] {part:.0%} {beside}{left}")

    def clear(self) -> None:
        """Take the bar off the terminal."""
        if self._width:
            self._write("")
            print("\r", end="", file=self._file, flush=True)
            self._width = 0

    def _write(self, line: str) -> None:
        print("\r" + line.ljust(self._width), end="", file=self._file, flush=True)
        self._width = len(line)


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
