"""The steps of an export as they are taken: each has a number, a result in one line, and its seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

Report = Callable[[str], None]
Found = TypeVar("Found")


def say(line: str) -> None:
    """Print a line at once, so that a person sees each step when it is done."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step did, in a person's words, and how long it took."""

    name: str
    result: str
    seconds: float


@dataclass(slots=True)
class Progress:
    """Counts the steps up to `total` and reports each: `3/9 check    valid; … (0.12 s)`."""

    total: int
    report: Report = say
    done: list[StepResult] = field(default_factory=list[StepResult])

    def take(self, name: str, step: Callable[[], tuple[Found, str]]) -> Found:
        """Take a step, which returns what it found and a sentence on it; what it raises ends the export."""
        began = time.perf_counter()
        found, result = step()
        seconds = time.perf_counter() - began
        self.done.append(StepResult(name, result, seconds))
        self.report(f"{len(self.done)}/{self.total} {name:<8} {result} ({seconds:.2f} s)")
        return found

    def leave_out(self, name: str, reason: str) -> None:
        """Count a step that is not taken, with the reason."""
        self.take(name, lambda: (None, f"left out: {reason}"))
