"""What each team held over time, and how much of its budget that was; in accelerator-hours."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import TypeAdapter

from jupyterhub_mesos.simulate.observers import Json, Onlooker, size_of
from jupyterhub_mesos.simulate.runs import Run
from jupyterhub_mesos.simulate.use import HOUR_S
from jupyterhub_mesos.simulate.window import EVERYTHING, Window
from jupyterhub_mesos_quota.model import Team
from jupyterhub_mesos_quota.resources import Unlimited
from jupyterhub_mesos_quota.tree import TeamTree

_SEEN: Final = TypeAdapter(tuple[float | None, dict[str, int], dict[str, float], dict[str, list[float]]])


class Spending(Onlooker):
    """Unit-seconds by team and step; memory grows with teams and steps, not with the jobs."""

    def __init__(self, window: Window = EVERYTHING, step_s: float = HOUR_S) -> None:
        self._window = window
        self.step_s = step_s
        self.origin: float | None = None  # where the first step begins
        self._held: dict[str, int] = {}
        self._since: dict[str, float] = {}
        self._spent: dict[str, array[float]] = {}

    def started(self, at: float, run: Run) -> None:
        """From here on it holds something."""
        self._change(at, run, +1)

    def evicted(self, at: float, run: Run) -> None:
        """Until here it did."""
        self._change(at, run, -1)

    def ended(self, at: float, run: Run) -> None:
        """Until here it did."""
        self._change(at, run, -1)

    def _change(self, at: float, run: Run, sign: int) -> None:
        if self.origin is None:
            self.origin = max(at, self._window.from_s)
        team = run.job.team
        held = self._held.get(team, 0)
        if held:
            self._add(team, max(self._since[team], self.origin), min(at, self._window.to_s), held)
        self._since[team] = at
        self._held[team] = held + sign * size_of(dict(run.job.resources.amounts())) * run.job.replicas

    def _add(self, team: str, begin: float, end: float, held: int) -> None:
        spent, origin = self._spent.setdefault(team, array("d")), self.origin or 0.0
        while begin < end:
            number = int((begin - origin) // self.step_s)
            until = min(end, origin + (number + 1) * self.step_s)
            if until <= begin:  # the rounding of floats: the step is over
                number, until = number + 1, min(end, origin + (number + 2) * self.step_s)
            spent.extend([0.0] * (number + 1 - len(spent)))
            spent[number] += held * (until - begin)
            begin = until

    def of(self, teams: Sequence[str]) -> array[float]:
        """Return what teams spent together, in unit-seconds by step."""
        courses = [self._spent[team] for team in teams if team in self._spent]
        total = array("d", [0.0] * max(map(len, courses), default=0))
        for course in courses:
            for number, spent in enumerate(course):
                total[number] += spent
        return total

    def hours(self, team: str | None = None) -> float:
        """Return what a team spent in all, without one all of them, in unit-hours."""
        return sum(self.of(list(self._spent) if team is None else [team])) / HOUR_S

    def saved(self) -> Json:
        """Return what was seen so far."""
        spent = {team: list(course) for team, course in self._spent.items()}
        seen: Json = _SEEN.dump_python((self.origin, self._held, self._since, spent), mode="json")
        return seen

    def recall(self, saved: Json) -> None:
        """Go on from there."""
        self.origin, self._held, self._since, spent = _SEEN.validate_python(saved)
        self._spent = {team: array("d", course) for team, course in spent.items()}


def budgets(spending: Spending, teams: Sequence[Team]) -> Mapping[str, list[float]]:
    """Return, for each team with a budget, what of it was used up in the window that ends with each step.

    1 is all of it. In whole steps: a budget's window that is shorter than a step counts as one.
    """
    tree, used = TeamTree(teams), dict[str, list[float]]()
    for team in teams:
        budget = team.budget
        if budget is None or isinstance(budget.team_hours, Unlimited):
            continue
        below = [each for each in tree if team.id in tree.path(each)]
        steps = max(1, round(budget.window_seconds / spending.step_s))
        whole = (budget.team_hours * HOUR_S) or 1.0
        used[team.id] = [spent / whole for spent in _rolling(spending.of(below), steps)]
    return used


def _rolling(course: Sequence[float], steps: int) -> list[float]:
    """Return the sum of the last so many values, at each."""
    total, sums = 0.0, list[float]()
    for number, value in enumerate(course):
        total += value - (course[number - steps] if number >= steps else 0.0)
        sums.append(total)
    return sums
