"""How often jobs were stopped before their end, and what that cost; by team, within the window."""

from __future__ import annotations

from collections import Counter
from typing import Final

from pydantic import TypeAdapter

from jupyterhub_mesos.simulate.observers import Json, Onlooker, size_of
from jupyterhub_mesos.simulate.runs import Run
from jupyterhub_mesos.simulate.window import EVERYTHING, Window

_SEEN: Final = TypeAdapter(tuple[dict[str, int], dict[str, int], dict[str, float]])


class Evictions(Onlooker):
    """Counts evictions, the jobs that had one, and the unit-seconds of work that were lost to restarts."""

    def __init__(self, window: Window = EVERYTHING) -> None:
        self._window = window
        self.count: Counter[str] = Counter()
        self.jobs: Counter[str] = Counter()
        self.lost_s: dict[str, float] = {}  # times what the job held, in accelerators (CPU without any)

    def evicted(self, at: float, run: Run) -> None:
        """Count it."""
        if at not in self._window:
            return
        team, held = run.job.team, size_of(dict(run.job.resources.amounts())) * run.job.replicas
        self.count[team] += 1
        self.jobs[team] += run.evictions == 1
        self.lost_s[team] = self.lost_s.get(team, 0.0) + run.last_lost_s * held

    def saved(self) -> Json:
        """Return what was seen so far."""
        seen: Json = _SEEN.dump_python((self.count, self.jobs, self.lost_s), mode="json")
        return seen

    def recall(self, saved: Json) -> None:
        """Go on from there."""
        count, jobs, self.lost_s = _SEEN.validate_python(saved)
        self.count, self.jobs = Counter(count), Counter(jobs)
