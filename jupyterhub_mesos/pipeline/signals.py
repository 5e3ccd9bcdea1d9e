"""SIGTERM and Ctrl-C as an exception that a step can clean up after, once, and never in the wrong moment."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Interrupted(BaseException):  # as KeyboardInterrupt: nobody's `except Exception` swallows it
    """The run was asked to end by the signal `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number

    @property
    def exit_code(self) -> int:
        """What a shell sees of a process that a signal ended."""
        return 128 + self.number


class Signals:
    """Raises `Interrupted` for the first signal; later ones do not disturb the cleaning up."""

    def __init__(self) -> None:
        self._is_held = False
        self._waiting: int | None = None
        self._is_raised = False

    @contextmanager
    def caught(self) -> Generator[None]:
        """Take the signals in the main thread until the end of the block."""
        before = {number: signal.signal(number, self._arrived) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def held(self) -> Generator[None]:
        """Let a signal wait until the end of the block: for what must be noted once it is done."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
        if self._waiting is not None:
            self._raise(self._waiting)

    def _arrived(self, number: int, _frame: FrameType | None) -> None:
        if self._is_raised:
            return
        if self._is_held:
            self._waiting = number
        else:
            self._raise(number)

    def _raise(self, number: int) -> None:
        self._is_raised = True
        raise Interrupted(number)
