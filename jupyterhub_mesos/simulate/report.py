"""What a comparison says: a row per scenario, one per team of each, courses; also as CSV and JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import ceil
from pathlib import Path
from statistics import fmean
from typing import Final, cast

from jupyterhub_mesos.simulate.evictions import Evictions
from jupyterhub_mesos.simulate.observers import Json, Observer, size_of
from jupyterhub_mesos.simulate.pool import Measure
from jupyterhub_mesos.simulate.spending import Spending, budgets
from jupyterhub_mesos.simulate.use import HOUR_S, Use
from jupyterhub_mesos.simulate.waits import Spread, Waits
from jupyterhub_mesos.simulate.window import Window
from jupyterhub_mesos_quota.model import Team
from jupyterhub_mesos_quota.tree import TeamTree

PERCENTS: Final = (1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9, 100)
"""The points of a distribution that waits.csv gives."""
STEPS: Final = 240
"""Points of a course at most, so that a plot of any length is a plot."""
ALL: Final = "*"
"""How the row about all teams together names its team."""


@dataclass(frozen=True, slots=True)
class Looks:
    """Who looks on while a scenario is replayed."""

    waits: Waits
    use: Use
    evictions: Evictions
    spending: Spending

    @classmethod
    def over(cls, window: Window, step_s: float) -> Looks:
        """Look at a window, with the course in steps of so many seconds."""
        return cls(Waits(window), Use(window, step_s), Evictions(window), Spending(window, step_s))

    @property
    def observers(self) -> tuple[Observer, ...]:
        """All of them, in the order in which a state keeps them."""
        return self.waits, self.use, self.evictions, self.spending

    def saved(self) -> Json:
        """Return what all of them saw."""
        return [each.saved() for each in self.observers]

    def recall(self, saved: Json) -> None:
        """Go on from there."""
        for each, seen in zip(self.observers, cast("list[Json]", saved), strict=True):
            each.recall(seen)


def step_of(seconds: float) -> float:
    """Return the step of a course over so many seconds: whole hours, `STEPS` of them at most."""
    hours = -(-seconds // (STEPS * HOUR_S))
    return max(1.0, hours) * HOUR_S


@dataclass(frozen=True, slots=True)
class Figures:
    """One row of the report; docs/reference/simulate.md defines each. Waits are in seconds."""

    scenario: str
    team: str
    jobs: int  # submitted within the window, and possible under the quotas
    refused: int  # never possible under them
    never_started: int
    wait_mean_s: float
    wait_p50_s: float
    wait_p95_s: float
    wait_p99_s: float
    wait_max_s: float
    at_once: float  # the part that did not wait
    inside: int  # that came inside their team's guarantee
    inside_mean_s: float
    inside_max_s: float
    evictions: int
    evicted_jobs: int
    lost_hours: float  # times what was held
    used_hours: float  # all that was held, lost work included
    guarantee: float
    held_mean: float
    held_p95: float  # of the means by step
    held_max: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one scenario."""

    title: str
    looks: Looks
    measure: Measure
    teams: tuple[Team, ...] = ()

    def overall(self) -> Figures:
        """Return the figures of all teams together."""
        return self._figures(None)

    def by_team(self) -> list[Figures]:
        """Return each team's figures, by name."""
        return [self._figures(team) for team in self.looks.waits.teams()]

    def _figures(self, team: str | None) -> Figures:
        waits, evictions = self.looks.waits, self.looks.evictions
        spread, inside = Spread.of(waits.of(team)), Spread.of(waits.of(team, inside=True))
        jobs = _of(waits.came, team)
        return Figures(
            scenario=self.title,
            team=ALL if team is None else team,
            jobs=int(jobs),
            refused=int(_of(waits.turned_away, team)),
            never_started=int(jobs) - spread.count,
            wait_mean_s=spread.mean_s,
            wait_p50_s=spread.p50_s,
            wait_p95_s=spread.p95_s,
            wait_p99_s=spread.p99_s,
            wait_max_s=spread.most_s,
            at_once=spread.at_once / spread.count if spread.count else 0.0,
            inside=inside.count,
            inside_mean_s=inside.mean_s,
            inside_max_s=inside.most_s,
            evictions=int(_of(evictions.count, team)),
            evicted_jobs=int(_of(evictions.jobs, team)),
            lost_hours=_of(evictions.lost_s, team) / HOUR_S / self.measure.scale,
            used_hours=self.looks.spending.hours(team) / self.measure.scale,
            guarantee=self._guarantee(team),
            **self._held(team),
        )

    def _guarantee(self, team: str | None) -> float:
        """Return what a team is guaranteed of what is counted; all of them together those at the top."""
        tree = TeamTree(self.teams)
        named = [each.id for each in self.teams if each.id == team or (team is None and each.parent is None)]
        return sum(size_of(tree.guarantee(each)) for each in named) / self.measure.scale

    def _held(self, team: str | None) -> dict[str, float]:
        """Sum up what a team held in each step of the window."""
        spent = self.looks.spending.of(self.looks.waits.teams() if team is None else [team])
        steps = max(len(self.looks.use.course()), len(spent))
        held = sorted(each / self.looks.spending.step_s / self.measure.scale for each in spent)
        held = [0.0] * (steps - len(held)) + held
        if not held:
            return {"held_mean": 0.0, "held_p95": 0.0, "held_max": 0.0}
        return {"held_mean": fmean(held), "held_p95": quantile(held, 0.95), "held_max": held[-1]}

    def budgets(self) -> Mapping[str, list[float]]:
        """Return what of its budget each team with one had used up, by step."""
        scale = self.measure.scale
        used = budgets(self.looks.spending, self.teams)
        return {team: [part / scale for part in course] for team, course in used.items()}

    def hours_from_begin(self, step: int) -> float:
        """Return when a step of a course begins."""
        return step * self.looks.spending.step_s / HOUR_S

    @property
    def busy(self) -> float:
        """The part of the pool that was held, in the mean over the window."""
        return self.looks.use.busy


def _of(by_team: Mapping[str, float], team: str | None) -> float:
    return sum(by_team.values()) if team is None else by_team.get(team, 0)


# ---- on a terminal ----------------------------------------------------------------------------------

HEADS: Final = (
    "scenario",
    "jobs",
    "busy %",
    "mean s",
    "p50 s",
    "p95 s",
    "p99 s",
    "at once %",
    "evictions",
    "lost h",
)


def overall_rows(outcomes: Iterable[Outcome]) -> Iterator[tuple[str, ...]]:
    """Yield the heads and one row per scenario."""
    yield HEADS
    for outcome in outcomes:
        figures = outcome.overall()
        waits = (figures.wait_mean_s, figures.wait_p50_s, figures.wait_p95_s, figures.wait_p99_s)
        yield (
            outcome.title,
            f"{figures.jobs:,}",
            f"{outcome.busy:.1%}".rstrip("%"),
            *(f"{wait:,.0f}" for wait in waits),
            f"{figures.at_once:.1%}".rstrip("%"),
            f"{figures.evictions:,}",
            f"{figures.lost_hours:,.0f}",
        )


def team_rows(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, ...]]:
    """Yield the heads and one row per team, with mean wait and 95th percentile under each scenario."""
    yield (
        "team",
        "jobs",
        *(f"{outcome.title}: {what}" for outcome in outcomes for what in ("mean s", "p95 s")),
    )
    by_team = [{figures.team: figures for figures in outcome.by_team()} for outcome in outcomes]
    for team in sorted({team for each in by_team for team in each}):
        rows = [each.get(team) for each in by_team]
        jobs = max(row.jobs + row.refused for row in rows if row is not None)
        yield (team, f"{jobs:,}", *(cell for row in rows for cell in _waits(row)))


def _waits(row: Figures | None) -> tuple[str, str]:
    if row is None or row.jobs == row.never_started:
        return "-", "-"
    return f"{row.wait_mean_s:,.0f}", f"{row.wait_p95_s:,.0f}"


# ---- in files ----------------------------------------------------------------------------------------


def write_files(folder: Path, outcomes: Sequence[Outcome], about: Mapping[str, object]) -> None:
    """Write summary.json, teams.csv, waits.csv and utilisation.csv."""
    teams = [figures for outcome in outcomes for figures in (outcome.overall(), *outcome.by_team())]
    names = [field.name for field in fields(Figures)]
    _write_csv(folder / "teams.csv", names, (list(asdict(figures).values()) for figures in teams))
    _write_csv(folder / "waits.csv", ("scenario", "team", "percent", "wait_s"), _quantiles(outcomes))
    if any(outcome.budgets() for outcome in outcomes):
        _write_csv(folder / "budgets.csv", ("scenario", "team", "at_h", "used_up"), _budgets(outcomes))
    heads = ("scenario", "at_s", "used", "capacity", "waiting")
    _write_csv(folder / "utilisation.csv", heads, _courses(outcomes))
    summary = {
        **about,
        "scenarios": [
            {"busy": outcome.busy, "window_seconds": outcome.looks.use.seconds, **asdict(outcome.overall())}
            for outcome in outcomes
        ],
        "teams": [asdict(figures) for figures in teams if figures.team != ALL],
    }
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")


def _write_csv(path: Path, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(heads)
        writer.writerows(rows)


def _quantiles(outcomes: Iterable[Outcome]) -> Iterator[Sequence[object]]:
    for outcome in outcomes:
        waits = outcome.looks.waits
        for team in (None, *waits.teams()):
            ordered = sorted(waits.of(team))
            for percent in PERCENTS if ordered else ():
                yield outcome.title, ALL if team is None else team, percent, quantile(ordered, percent / 100)


def quantile(ordered: Sequence[float], part: float) -> float:
    """Return the smallest of sorted values that so large a part of them does not exceed."""
    return ordered[max(0, ceil(len(ordered) * part) - 1)]


def _courses(outcomes: Iterable[Outcome]) -> Iterator[Sequence[object]]:
    for outcome in outcomes:
        for step in outcome.looks.use.course():
            used, capacity = (each / outcome.measure.scale for each in (step.used, step.capacity))
            yield outcome.title, step.at, used, capacity, step.waiting


def _budgets(outcomes: Iterable[Outcome]) -> Iterator[Sequence[object]]:
    for outcome in outcomes:
        for team, course in outcome.budgets().items():
            for step, part in enumerate(course):
                yield outcome.title, team, outcome.hours_from_begin(step), part
