"""What a run prints: lines for people, and where a program reads them a `StepEvent` as JSON beside each."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final, TextIO

from jupyterhub_mesos.pipeline.rendering import STEPS
from jupyterhub_mesos.wire import PipelineStep, StepEvent, StepState

MAX_RESULT: Final = 4096
"""Of a step's sentence, as `StepEvent` takes it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step made: `result` for people, `output` a name that is another one whenever the result is."""

    result: str
    output: str
    request: str | None = None
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Reporter:
    """Prints to `stream`; `with_events` adds the JSON lines that the service reads as progress."""

    with_events: bool
    stream: TextIO = sys.stdout

    @classmethod
    def for_stdout(cls, *, with_events: bool) -> Reporter:
        """Print to this process's output; events are asked for, or follow where no person reads."""
        return cls(with_events or not sys.stdout.isatty(), sys.stdout)

    def head(self, line: str) -> None:
        """Print what the run is, before its steps."""
        self._print(line)

    def say(self, line: str) -> None:
        """Print a line of a step's own; indented, so that it is never taken for one of ours."""
        self._print("\n".join(f"    {part}" for part in line.splitlines()))

    def quote(self, line: str) -> None:
        """Print what a program of the notebook printed, which cannot be taken for an event."""
        self._print(f"    | {line}")

    def step(
        self, step: PipelineStep, state: StepState, outcome: Outcome, seconds: float | None = None
    ) -> None:
        """Say where a step stands."""
        event = StepEvent(
            step=step,
            number=STEPS.index(step) + 1,
            of=len(STEPS),
            state=state,
            result=outcome.result[:MAX_RESULT],
            seconds=None if seconds is None else round(seconds, 3),
            request=outcome.request,
            rows=outcome.rows,
        )
        self._print("\n".join(lines_of(event)))
        if self.with_events:
            self._print(event.model_dump_json())

    def _print(self, text: str) -> None:
        self.stream.write(text + "\n")
        self.stream.flush()


def lines_of(event: StepEvent) -> list[str]:
    """Spell an event for people: `2/6 test done: accuracy 0.9583 (3.2 s)`, its table below."""
    first, *rest = event.result.splitlines() or [""]
    result = f": {first}" if first else ""
    seconds = "" if event.seconds is None else f" ({event.seconds:.1f} s)"
    head = f"{event.number}/{event.of} {event.step} {event.state}{result}{seconds}"
    return [head, *(f"    {line}" for line in (*rest, *_table(event.rows)))]


def _table(rows: tuple[tuple[str, ...], ...]) -> list[str]:
    if not rows:
        return []
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return [line.rstrip() for line in lines]
