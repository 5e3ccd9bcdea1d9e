"""How long jobs waited for their first start, by team; of jobs that came within the window."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass
from math import ceil
from statistics import fmean
from typing import Final

from pydantic import TypeAdapter

from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos.simulate.observers import Json, Onlooker
from jupyterhub_mesos.simulate.runs import Run
from jupyterhub_mesos.simulate.window import EVERYTHING, Window


@dataclass(frozen=True, slots=True)
class Spread:
    """How waits lie, in seconds; all zero where nobody started. `at_once`: how many did not wait at all."""

    count: int = 0
    mean_s: float = 0.0
    p50_s: float = 0.0
    p95_s: float = 0.0
    p99_s: float = 0.0
    most_s: float = 0.0
    at_once: int = 0

    @classmethod
    def of(cls, waits: array[float]) -> Spread:
        """Sum waits up; a quantile is the smallest wait that so many of them do not exceed."""
        if not waits:
            return cls()
        ordered = sorted(waits)
        p50, p95, p99 = (ordered[ceil(len(ordered) * part) - 1] for part in (0.5, 0.95, 0.99))
        return cls(
            len(ordered), fmean(ordered), p50, p95, p99, ordered[-1], sum(wait <= 0 for wait in ordered)
        )


Lists = dict[str, list[float]]
_SEEN: Final = TypeAdapter(tuple[dict[str, int], dict[str, int], Lists, Lists])


class Waits(Onlooker):
    """Keeps eight bytes for each job that started, and eight more where it came inside its guarantee."""

    def __init__(self, window: Window = EVERYTHING) -> None:
        self._window = window
        self.came: Counter[str] = Counter()  # by team, whether or not they started
        self.turned_away: Counter[str] = Counter()
        self._all: dict[str, array[float]] = {}
        self._inside: dict[str, array[float]] = {}

    def submitted(self, at: float, run: Run) -> None:
        """Count who came."""
        self.came[run.job.team] += at in self._window

    def refused(self, at: float, job: Job, why: str) -> None:
        """Count who could not be served as asked."""
        self.turned_away[job.team] += at in self._window

    def started(self, at: float, run: Run) -> None:
        """Note the wait of a first start."""
        if run.evictions or run.submitted_at not in self._window:
            return
        waited = at - run.submitted_at
        self._all.setdefault(run.job.team, array("d")).append(waited)
        if run.is_inside:
            self._inside.setdefault(run.job.team, array("d")).append(waited)

    def teams(self) -> list[str]:
        """Return who asked for something, by name."""
        return sorted({*self.came, *self.turned_away})

    def of(self, team: str | None = None, *, inside: bool = False) -> array[float]:
        """Return the waits of a team, of all without one; with `inside` of those that came inside it."""
        by_team = self._inside if inside else self._all
        waits = array("d")
        for each in by_team.values() if team is None else [by_team.get(team, waits)]:
            waits.extend(each)
        return waits

    def saved(self) -> Json:
        """Return what was seen so far."""
        inside, everybody = (
            {team: list(each) for team, each in waits.items()} for waits in (self._inside, self._all)
        )
        seen: Json = _SEEN.dump_python((self.came, self.turned_away, everybody, inside), mode="json")
        return seen

    def recall(self, saved: Json) -> None:
        """Go on from there."""
        came, turned_away, everybody, inside = _SEEN.validate_python(saved)
        self.came, self.turned_away = Counter(came), Counter(turned_away)
        self._all = {team: array("d", each) for team, each in everybody.items()}
        self._inside = {team: array("d", each) for team, each in inside.items()}
