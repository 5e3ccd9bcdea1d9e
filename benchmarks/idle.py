"""Verdicts on 1,000 notebooks that are followed, beside reading each day again."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Final

from benchmarks.table import Figure
from jupyterhub_mesos.service.idle.rules import MINUTE, Notebook, Rule, first_match
from jupyterhub_mesos.service.idle.verdict import Reading, Trail, follow, judge, verdict

NOTEBOOKS: Final = 1000
DAY: Final = 24 * 60
"""Readings of a day, one a minute."""
RULES: Final = (
    *(Rule(f"team{number}", teams=frozenset({f"team{number}"})) for number in range(19)),
    Rule("usual"),
)
READ_AGAIN: Final = 20
"""Notebooks whose day is read again; the figure is scaled to all."""


def main(quick: bool) -> list[Figure]:
    """Measure the verdicts, and taking a reading in."""
    notebooks = [Notebook("large", frozenset({f"team{number % 25}", "all"})) for number in range(NOTEBOOKS)]
    day = [_reading(minute) for minute in range(DAY)]
    now = day[-1].at
    trails = [_followed(notebook, day) for notebook in notebooks]
    last = Reading(now + MINUTE, gpu_percent=3.0, gpu_mem_mib=70_000, cpu_millis=50)

    def judge_all() -> None:
        for notebook, trail in zip(notebooks, trails, strict=True):
            judge(first_match(RULES, notebook), trail, now)

    def read_again() -> None:
        for notebook in notebooks[:READ_AGAIN]:
            verdict(RULES, notebook, day, now)

    def follow_all() -> None:
        for trail in trails:
            follow(RULES[-1], trail, last)

    repeats = 5 if quick else 50
    again_ms = _milliseconds(read_again, 1 if quick else 3) * NOTEBOOKS / READ_AGAIN
    return [
        Figure(
            "verdicts for 1,000 notebooks",
            "ms",
            _milliseconds(judge_all, repeats),
            "the first of 20 rules found and the notebook judged; the median",
            baseline=again_ms,
            baseline_is="the same from a day of readings, one a minute, each read again",
            at_most=10.0,
        ),
        Figure(
            "one reading of each of 1,000 taken in",
            "ms",
            _milliseconds(follow_all, repeats),
            "the reading follows the notebook's trail; the median",
        ),
    ]


def _reading(minute: int) -> Reading:
    busy = minute % 90 == 0
    return Reading(minute * MINUTE, kernels_busy=int(busy), gpu_percent=80.0 if busy else 0.0, cpu_millis=50)


def _followed(notebook: Notebook, day: list[Reading]) -> Trail | None:
    rule, trail = first_match(RULES, notebook), None
    for reading in day[-60:]:
        trail = follow(rule, trail, reading) if rule is not None else None
    return trail


def _milliseconds(work: Callable[[], None], repeats: int) -> float:
    spans: list[float] = []
    for _ in range(repeats):
        began = perf_counter()
        work()
        spans.append((perf_counter() - began) * 1000)
    return median(spans)
