"""The plots of a comparison, each as a PNG: use over time, waits, use and evictions by team, budgets.

Needs matplotlib, which the extra `simulate` brings. Colours are those of Okabe and Ito, which colour-blind
people tell apart; each scenario has its marker and its line too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from jupyterhub_mesos.simulate.extra import missing
from jupyterhub_mesos.simulate.report import Outcome, quantile

COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS: Final = ("o", "s", "D", "^", "v", "P")
LINES: Final = ("-", "--", "-.", ":", "-", "--")
DPI: Final = 110
WIDTH: Final = 9.0
"""Inches: 990 pixels, which a page shows as they are."""
DAY_S: Final = 86400.0
MOST_TEAMS: Final = 25
"""Teams in one plot; those with the most jobs, teams.csv has all."""
_WAIT_TICKS: Final = (
    (0, "0"),
    (1, "1 s"),
    (10, "10 s"),
    (60, "1 min"),
    (600, "10 min"),
    (3600, "1 h"),
    (36000, "10 h"),
    (3 * 86400, "3 d"),
    (30 * 86400, "30 d"),
)


def write_plots(folder: Path, outcomes: Sequence[Outcome]) -> list[Path]:
    """Write every plot and return their paths. Raises `Unavailable` without matplotlib."""
    figure, unit = _figure_maker(), outcomes[0].measure.name
    drawn: dict[str, Callable[[], Any]] = {
        "utilisation.png": lambda: _utilisation(figure, outcomes, unit),
        "waits.png": lambda: _waits(figure, outcomes),
        "teams.png": lambda: _teams(figure, outcomes, unit),
        "evictions.png": lambda: _evictions(figure, outcomes, unit),
    }
    if any(outcome.budgets() for outcome in outcomes):
        drawn["budgets.png"] = lambda: _budgets(figure, outcomes)
    paths: list[Path] = []
    for name, draw in drawn.items():
        draw().savefig(folder / name, dpi=DPI)
        paths.append(folder / name)
    return paths


def check_plots() -> None:
    """Raise `Unavailable` without matplotlib: before a long run, not after it."""
    _figure_maker()


def _figure_maker() -> Callable[[float], Any]:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - heavy, and may be missing
        from matplotlib.figure import Figure  # noqa: PLC0415 - as above
    except ImportError as error:
        raise missing("matplotlib", "plots are drawn", "or ask for none, --no-plots") from error

    def make(height: float) -> Any:
        made = Figure(figsize=(WIDTH, height), layout="constrained")
        FigureCanvasAgg(made)  # so that no display is asked for
        return made

    return make


def _style(axes: Any) -> None:
    axes.grid(visible=True, color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _legend(made: Any, axes: Any) -> None:
    """Put the scenarios under the plot, where they hide nothing."""
    handles, labels = axes.get_legend_handles_labels()
    made.legend(
        handles, labels, loc="outside lower center", ncols=min(4, len(labels)), fontsize=9, frameon=False
    )


def _utilisation(figure: Callable[[float], Any], outcomes: Sequence[Outcome], unit: str) -> Any:
    made = figure(5.6)
    used, waiting = made.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    courses = [outcome.looks.use.course() for outcome in outcomes]
    begin = min((course[0].at for course in courses if course), default=0.0)
    for number, (outcome, course) in enumerate(zip(outcomes, courses, strict=True)):
        days = [(step.at - begin) / DAY_S for step in course]
        style = {
            "color": COLOURS[number % len(COLOURS)],
            "linestyle": LINES[number % len(LINES)],
            "linewidth": 1.3,
        }
        busy = [100 * step.used / step.capacity if step.capacity else 0.0 for step in course]
        used.plot(days, busy, label=f"{outcome.title} (mean {outcome.busy:.1%})", **style)
        waiting.plot(days, [step.waiting for step in course], label=outcome.title, **style)
    used.set(ylabel=f"{unit}s in use, %", ylim=(0, 103), title="Use of the pool, and who waits")
    waiting.set(ylabel="jobs that wait", xlabel="days from the begin of the window", ylim=(0, None))
    for axes in (used, waiting):
        _style(axes)
    _legend(made, used)
    return made


def _waits(figure: Callable[[float], Any], outcomes: Sequence[Outcome]) -> Any:
    jobs = _busiest(outcomes)
    teams = list(jobs)
    made = figure(1.9 + 0.42 * max(2, len(teams)) * max(1.0, len(outcomes) / 2))
    axes = made.subplots()
    for number, outcome in enumerate(outcomes):
        _draw_waits(axes, outcome, teams, number, len(outcomes))
    axes.set_xscale("symlog", linthresh=1, linscale=0.3)
    waits = [outcome.looks.waits.of(team) for outcome in outcomes for team in teams]
    most = max((quantile(sorted(each), 0.99) for each in waits if each), default=1.0)
    ticks = [(at, name) for at, name in _WAIT_TICKS if at <= max(60.0, most)]
    axes.set_xticks([at for at, _ in ticks], [name for _, name in ticks])
    axes.minorticks_off()
    axes.set_xlim(-0.3, max(60.0, most) * 1.6)
    axes.set_yticks(range(len(teams)), [f"{team}\n{jobs[team]:,} jobs" for team in teams])
    axes.tick_params(axis="y", labelsize=8)
    axes.set_ylim(max(1, len(teams)) - 0.5, -0.5)
    axes.set_xlabel("wait from submission to first start (below 1 s linear, above logarithmic)")
    axes.set_title(
        "Waits by team: a bar from the 50th to the 95th percentile, marks at the 50th, 95th and 99th"
    )
    _style(axes)
    _legend(made, axes)
    return made


def _draw_waits(axes: Any, outcome: Outcome, teams: Sequence[str], number: int, of: int) -> None:
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    points: list[tuple[float, ...]] = []
    for place, team in enumerate(teams):
        ordered = sorted(outcome.looks.waits.of(team))
        if ordered:
            points.append((_row(place, number, of), *(quantile(ordered, part) for part in (0.5, 0.95, 0.99))))
    rows = [point[0] for point in points]
    p50, p95, p99 = ([point[place] for point in points] for place in (1, 2, 3))
    axes.hlines(rows, p50, p95, color=colour, linewidth=4, alpha=0.45)
    axes.hlines(rows, p95, p99, color=colour, linewidth=1)
    axes.plot(p50, rows, linestyle="", marker=marker, color=colour, markersize=5, label=outcome.title)
    axes.plot(p95, rows, linestyle="", marker=marker, color=colour, markersize=5)
    axes.plot(p99, rows, linestyle="", marker="|", color=colour, markersize=8, markeredgewidth=1.5)


def _teams(figure: Callable[[float], Any], outcomes: Sequence[Outcome], unit: str) -> Any:
    teams = list(_busiest(outcomes))
    made = figure(1.9 + 0.42 * max(2, len(teams)) * max(1.0, len(outcomes) / 2))
    axes = made.subplots()
    for number, outcome in enumerate(outcomes):
        found = {figures.team: figures for figures in outcome.by_team()}
        shown = [
            (_row(place, number, len(outcomes)), found[team])
            for place, team in enumerate(teams)
            if team in found
        ]
        rows, height = [row for row, _ in shown], 0.8 / len(outcomes)
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        means = [figures.held_mean for _, figures in shown]
        axes.barh(rows, means, height=height * 0.7, color=colour, alpha=0.55, label=f"{outcome.title}: mean")
        axes.hlines(rows, means, [figures.held_max for _, figures in shown], color=colour, linewidth=1)
        p95 = [figures.held_p95 for _, figures in shown]
        axes.plot(
            p95, rows, linestyle="", marker=marker, color=colour, markersize=5, label=f"{outcome.title}: p95"
        )
        edges = [(row - height / 2, row + height / 2) for row in rows]
        axes.vlines(
            [figures.guarantee for _, figures in shown],
            *zip(*edges, strict=True) if edges else ([], []),
            color="black",
            linewidth=2,
            label="guarantee" if number == len(outcomes) - 1 else None,
        )
    axes.set_yticks(range(len(teams)), teams)
    axes.set_ylim(max(1, len(teams)) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"{unit}s held: mean, 95th percentile and most of the steps of the window")
    axes.set_title("What each team held, beside its guarantee")
    _style(axes)
    _legend(made, axes)
    return made


def _row(place: int, number: int, of: int) -> float:
    """Return where a scenario's mark stands in a team's row."""
    return place + (number - (of - 1) / 2) * 0.8 / of


def _budgets(figure: Callable[[float], Any], outcomes: Sequence[Outcome]) -> Any:
    made = figure(4.6)
    axes = made.subplots()
    teams = sorted({team for outcome in outcomes for team in outcome.budgets()})
    for number, outcome in enumerate(outcomes):
        for team, course in outcome.budgets().items():
            colour = COLOURS[teams.index(team) % len(COLOURS)]
            days = [outcome.hours_from_begin(step) / 24 for step in range(len(course))]
            used = [100 * part for part in course]
            line = LINES[number % len(LINES)]
            axes.plot(
                days, used, color=colour, linestyle=line, linewidth=1.3, label=f"{team}: {outcome.title}"
            )
    axes.axhline(100, color="black", linewidth=1)
    axes.set(xlabel="days from the begin of the window", ylabel="budget used up, %", ylim=(0, None))
    axes.set_title("Budgets: what was used in the window of each, to what may be")
    _style(axes)
    _legend(made, axes)
    return made


def _evictions(figure: Callable[[float], Any], outcomes: Sequence[Outcome], unit: str) -> Any:
    teams = list(_busiest(outcomes))
    made = figure(1.7 + 0.34 * max(2, len(teams)) * max(1.0, len(outcomes) / 2))
    count, lost = made.subplots(1, 2, sharey=True)
    for number, outcome in enumerate(outcomes):
        by_team = {figures.team: figures for figures in outcome.by_team()}
        found = [by_team.get(team) for team in teams]
        height = 0.8 / len(outcomes)
        rows = [place - 0.4 + (number + 0.5) * height for place in range(len(teams))]
        colour = COLOURS[number % len(COLOURS)]
        _bars(
            count,
            rows,
            [float(each.evictions) if each else 0.0 for each in found],
            height,
            colour,
            outcome.title,
        )
        _bars(lost, rows, [each.lost_hours if each else 0.0 for each in found], height, colour, outcome.title)
    count.set_yticks(range(len(teams)), teams)
    count.set_ylim(max(1, len(teams)) - 0.5, -0.5)
    count.set(xlabel="evictions", title="How often work was stopped before its end")
    lost.set(xlabel=f"{unit}-hours of work lost to restarts", title="What that cost")
    for axes in (count, lost):
        axes.margins(x=0.14)
        axes.set_xlim(0, max(1.0, axes.get_xlim()[1]))
        _style(axes)
    _legend(made, lost)
    return made


def _bars(
    axes: Any, rows: Sequence[float], values: Sequence[float], height: float, colour: str, title: str
) -> None:
    bars = axes.barh(rows, values, height=height * 0.92, color=colour, label=title)
    axes.bar_label(bars, [f"{value:,.0f}" for value in values], padding=2, fontsize=8)


def _busiest(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Return the teams to draw, by name, with their jobs: those with the most, where there are many."""
    jobs: dict[str, int] = {}
    for outcome in outcomes:
        for figures in outcome.by_team():
            jobs[figures.team] = max(jobs.get(figures.team, 0), figures.jobs + figures.refused)
    chosen = sorted(jobs, key=lambda team: (-jobs[team], team))[:MOST_TEAMS]
    return {team: jobs[team] for team in sorted(chosen)}
