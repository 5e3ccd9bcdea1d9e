"""The method of the traces' README by itself, slow and plain: what the figures of `lowest-use` are held to.

Teams take turns by used / guarantee; a job inside its team's guarantee takes from the team furthest above its
own, its youngest first; who was taken waits at the head of its team's queue and loses 60 s of its progress.
The README leaves open who goes first of teams that stand equally, which happens all the time with shares
of few GPUs: `Ties` are three ways to close that, and how far apart they end is how exact the method is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from heapq import heappop, heappush

from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos.simulate.window import Window

RESTART_S = 60.0
LAST_PLACE = 2**62
"""Behind every job."""


class Ties(StrEnum):
    """Who of equal teams goes first, and who gives first."""

    NAMED = "as the teams are named"  # both in the order of the table of teams
    LAST_NAMED = "as named, last first"
    BY_AGE = "by age"  # whose first job waits for longest goes first; whose last was started last gives first


@dataclass(slots=True, eq=False)
class _Waiting:
    """A job, how much of it is left, and its place: smaller is nearer to the head."""

    job: Job
    gpus: int
    place: int
    left_s: float
    began_s: float = 0.0
    turn: int = 0  # which of all starts its present one was
    has_started: bool = False


class Method:
    """A pool of GPUs that are counted; `waits_s` are those of the jobs that came within the window."""

    def __init__(self, pool: int, parts: Mapping[str, int], window: Window, ties: Ties) -> None:
        self.waits_s: list[float] = []
        self._free = pool
        self._parts = dict(parts)
        self._window = window
        self._ties = ties
        self._order = {team: number for number, team in enumerate(parts)}
        self._used = dict.fromkeys(parts, 0)
        self._queues: dict[str, list[_Waiting]] = {team: [] for team in parts}
        self._running: dict[str, list[_Waiting]] = {team: [] for team in parts}  # the last started last
        self._ends: list[tuple[float, int, _Waiting]] = []
        self._turn = 0
        self._head = 0

    def run(self, jobs: Iterable[Job]) -> list[float]:
        """Replay jobs, in order of submission, and return the waits in seconds."""
        for place, job in enumerate(jobs, 1):
            self._end_until(job.submit_s)
            gpus = sum(count for _, count in job.resources.accelerators) * job.replicas
            self._queues[job.team].append(_Waiting(job, gpus, place, job.duration_s))
            self._start_all(job.submit_s)
        self._end_until(float("inf"))
        return self.waits_s

    def _end_until(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            at = self._ends[0][0]
            while self._ends and self._ends[0][0] == at:
                _, turn, each = heappop(self._ends)
                if each.turn == turn:
                    self._let_go(each)
            self._start_all(at)

    # ---- starting -------------------------------------------------------------------------------

    def _start_all(self, now: float) -> None:
        while self._start_one(now):
            pass

    def _start_one(self, now: float) -> bool:
        """Start the first in order that fits, or that may take; say whether there was one."""
        for team in sorted((team for team in self._queues if self._queues[team]), key=self._goes_first):
            for each in self._queues[team]:
                if each.gpus > self._free and not self._take_for(each, now):
                    continue
                self._queues[team].remove(each)
                self._start(each, now)
                return True
        return False

    def _start(self, each: _Waiting, now: float) -> None:
        self._turn += 1
        each.turn, each.began_s = self._turn, now
        self._free -= each.gpus
        self._used[each.job.team] += each.gpus
        self._running[each.job.team].append(each)
        heappush(self._ends, (now + each.left_s, each.turn, each))
        if not each.has_started and each.job.submit_s in self._window:
            self.waits_s.append(now - each.job.submit_s)
        each.has_started = True

    def _let_go(self, each: _Waiting) -> None:
        self._free += each.gpus
        self._used[each.job.team] -= each.gpus
        self._running[each.job.team].remove(each)
        each.turn = 0

    # ---- taking ---------------------------------------------------------------------------------

    def _take_for(self, taker: _Waiting, now: float) -> bool:
        """Make room for a job inside its team's guarantee by teams above theirs, or do nothing."""
        team = taker.job.team
        if self._used[team] + taker.gpus > self._parts[team]:
            return False
        taken = self._victims(team, taker.gpus - self._free)
        for each in taken:
            self._let_go(each)
            self._queue_again(each, now)
        return bool(taken)

    def _victims(self, taker: str, missing: int) -> list[_Waiting]:
        """Return whose end makes the room; nobody where that cannot be."""
        used = dict(self._used)
        left = {team: list(jobs) for team, jobs in self._running.items() if team != taker}
        chosen: list[_Waiting] = []
        while missing > 0:
            above = [team for team, jobs in left.items() if jobs and used[team] > self._parts[team]]
            if not above:
                return []
            youngest = {team: left[team][-1] for team in above}
            team = max(above, key=lambda team: (used[team] / self._parts[team], self._gives(team, youngest)))
            chosen.append(left[team].pop())
            used[team] -= chosen[-1].gpus
            missing -= chosen[-1].gpus
        return chosen

    def _queue_again(self, each: _Waiting, now: float) -> None:
        progress = each.job.duration_s - each.left_s + now - each.began_s
        each.left_s = each.job.duration_s - max(0.0, progress - RESTART_S)
        self._head -= 1
        each.place = self._head
        self._queues[each.job.team].insert(0, each)

    # ---- ties -----------------------------------------------------------------------------------

    def _goes_first(self, team: str) -> tuple[float, int]:
        """Return what the next team has least of."""
        share = self._used[team] / self._parts[team]
        match self._ties:
            case Ties.NAMED:
                return share, self._order[team]
            case Ties.LAST_NAMED:
                return share, -self._order[team]
            case Ties.BY_AGE:
                fitting = (each.place for each in self._queues[team] if each.gpus <= self._free)
                return share, min(fitting, default=LAST_PLACE)

    def _gives(self, team: str, youngest: Mapping[str, _Waiting]) -> int:
        """Return what the first of equal teams to give has most of."""
        match self._ties:
            case Ties.NAMED:
                return -self._order[team]
            case Ties.LAST_NAMED:
                return self._order[team]
            case Ties.BY_AGE:
                return youngest[team].turn
