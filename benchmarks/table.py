"""What a benchmark answers: figures beside their baseline, and the table that they make.

A figure says what was measured, in which unit, against what, and what we go for. Machines differ and are
noisy, so the ratio to the baseline of the same run is what can be compared; the absolute figure stands
beside it with the machine's description.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CPU_FACTS: Final = Path("/proc/cpuinfo")
MEMORY_FACTS: Final = Path("/proc/meminfo")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    `definition` says what exactly was measured, `baseline_is` what it is compared with in the same run;
    `at_most` and `at_least` are what we go for, in `unit`.
    """

    what: str
    unit: str
    ours: float
    definition: str
    baseline: float | None = None
    baseline_is: str = ""
    at_most: float | None = None
    at_least: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours to the baseline."""
        return self.ours / self.baseline if self.baseline else None

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.at_most is None and self.at_least is None:
            return None
        above = self.at_least is None or self.ours >= self.at_least
        return above and (self.at_most is None or self.ours <= self.at_most)

    @property
    def goal(self) -> str:
        """The goal in words."""
        if self.at_most is not None:
            return f"<= {number(self.at_most)}"
        return f">= {number(self.at_least)}" if self.at_least is not None else ""


def number(value: float | None) -> str:
    """Spell a number with three significant digits."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


HEADS: Final = ("what", "unit", "ours", "baseline", "ratio", "goal", "met")


def cells(figure: Figure) -> tuple[str, ...]:
    """Lay a figure out in the columns of `HEADS`."""
    met = {True: "yes", False: "NO", None: ""}[figure.is_met]
    ours, baseline, ratio = (number(value) for value in (figure.ours, figure.baseline, figure.ratio))
    return figure.what, figure.unit, ours, baseline, ratio, figure.goal, met


def plain_table(figures: Sequence[Figure]) -> str:
    """Return the figures as aligned text."""
    rows = [HEADS, *(cells(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def markdown_table(figures: Sequence[Figure]) -> str:
    """Return the figures as a table of a page."""
    lines = ["| " + " | ".join(HEADS) + " |", "| --- " * len(HEADS) + "|"]
    lines += ["| " + " | ".join(cells(figure)) + " |" for figure in figures]
    return "\n".join(lines)


def definitions(figures: Iterable[Figure]) -> str:
    """Return what each figure is, as a list of a page."""
    return "\n".join(
        f"- **{figure.what}**: {figure.definition}"
        + (f" Baseline: {figure.baseline_is}." if figure.baseline_is else "")
        for figure in figures
    )


def machine() -> str:
    """Describe the machine in one line."""
    cores = os.cpu_count() or 1
    memory = _fact(MEMORY_FACTS, "MemTotal").split()
    size = f", {int(memory[0]) // 1024 // 1024} GiB" if memory else ""
    processor = _fact(CPU_FACTS, "model name") or platform.machine()
    return f"{cores} cores of {processor}{size}; Linux {platform.release()}, Python {sys.version.split()[0]}"


def _fact(path: Path, name: str) -> str:
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
