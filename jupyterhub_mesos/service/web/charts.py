"""Numbers as the shapes of a chart that a template draws: bars side by side, each a stack of pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Final

WIDTH: Final = 1000.0
HEIGHT: Final = 220.0
MOST_SERIES: Final = 6
"""Colours that are told apart; what is smaller comes together as the rest."""
REST: Final = "all others"
GAP_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True)
class Piece:
    """A rectangle of series number `series`, in units of the chart, with what is said of it."""

    x: float
    y: float
    width: float
    height: float
    series: int
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars; `ticks` are the values of the lines, each with its y; `labels` those below, with their x."""

    pieces: tuple[Piece, ...]
    series: tuple[str, ...]
    ticks: tuple[tuple[float, str], ...]
    labels: tuple[tuple[float, str], ...]
    unit: str
    width: float = WIDTH
    height: float = HEIGHT


def stacked(
    columns: Sequence[str], values: Mapping[tuple[str, str], float], unit: str, most_labels: int = 8
) -> Chart:
    """Draw `values` of (column, series), the largest series at the bottom."""
    series = _series(values)
    shown = _folded(values, series)
    sums = [sum(shown.get((column, name), 0.0) for name in series) for column in columns]
    top = _round_up(max(sums, default=0.0))
    step = WIDTH / max(1, len(columns))
    pieces: list[Piece] = []
    for number, column in enumerate(columns):
        y = HEIGHT
        for index, name in enumerate(series):
            value = shown.get((column, name), 0.0)
            height = value / top * HEIGHT
            y -= height
            if value > 0:
                text = f"{column}, {name}: {value:,.1f} {unit}"
                x, width = (number + GAP_SHARE / 2) * step, step * (1 - GAP_SHARE)
                pieces.append(Piece(round(x, 2), round(y, 2), round(width, 2), round(height, 2), index, text))
    every = max(1, -(-len(columns) // most_labels))
    labels = tuple(
        (round((number + 0.5) * step, 2), column)
        for number, column in enumerate(columns)
        if number % every == 0
    )
    ticks = tuple((round(HEIGHT * (1 - part / 4), 2), f"{top * part / 4:,g}") for part in range(5))
    return Chart(tuple(pieces), series, ticks, labels, unit)


def _series(values: Mapping[tuple[str, str], float]) -> tuple[str, ...]:
    totals: dict[str, float] = {}
    for (_, name), value in values.items():
        totals[name] = totals.get(name, 0.0) + value
    ordered = sorted(totals, key=lambda name: (-totals[name], name))
    return tuple(ordered) if len(ordered) <= MOST_SERIES else (*ordered[: MOST_SERIES - 1], REST)


def _folded(values: Mapping[tuple[str, str], float], series: tuple[str, ...]) -> dict[tuple[str, str], float]:
    folded: dict[tuple[str, str], float] = {}
    for (column, name), value in values.items():
        key = (column, name if name in series else REST)
        folded[key] = folded.get(key, 0.0) + value
    return folded


def _round_up(value: float) -> float:
    """Return a round number from `value` upwards, whose quarters are round too; 1 for nothing."""
    if value <= 0:
        return 1.0
    size = 10.0 ** floor(log10(value))
    return next(size * step for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if size * step >= value)
