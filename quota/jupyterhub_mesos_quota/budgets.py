"""Accelerator-hours in a rolling window, per team and per user of a team: counted, warned about, enforced.

What is used counts in *steps*, a ninety-sixth of the window each (an hour and three
quarters of a week), in whole accelerator-milliseconds; a step counts until it lies
wholly outside the window. Of a request that runs, every moment counts as it passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final

from jupyterhub_mesos_quota.model import Budget, Request, TeamId, UserName
from jupyterhub_mesos_quota.resources import Unlimited
from jupyterhub_mesos_quota.tree import TeamTree

STEPS_PER_WINDOW: Final = 96
MS_PER_HOUR: Final = 3_600_000
WARNED_AT: Final = (80, 100)
"""Percent of a budget that is told."""

Whose = tuple[TeamId, UserName | None]
"""A team, or one user of it."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one has used of a budget, for the ledger to keep: accelerator-milliseconds by step.

    It holds until something begins or ends: what runs since `until_ms` is counted from there.
    `percent` is what was told last.
    """

    team: TeamId
    user: UserName | None
    steps: tuple[tuple[int, int], ...]
    until_ms: int
    percent: int = 0


@dataclass(frozen=True, slots=True)
class Reached:
    """Somebody reached so many percent of a budget."""

    team: TeamId
    user: UserName | None
    percent: int


class _Meter:
    """What one uses of one budget."""

    __slots__ = ("bound_ms", "held", "percent", "step_ms", "steps", "until_ms", "window_ms")

    def __init__(self, budget: Budget, hours: int, now_ms: int) -> None:
        self.window_ms = budget.window_seconds * 1000
        self.step_ms = max(1, self.window_ms // STEPS_PER_WINDOW)
        self.bound_ms = hours * MS_PER_HOUR
        self.steps: dict[int, int] = {}
        self.until_ms = now_ms
        self.held = 0  # accelerators now
        self.percent = 0  # of `WARNED_AT`, what was told

    def run(self, now_ms: int) -> None:
        """Count what passed."""
        oldest = max(now_ms, self.until_ms) - self.window_ms
        oldest //= (
            self.step_ms
        )  # whole, wherever in it the window begins: so it matters not when this is asked
        begin = max(self.until_ms, oldest * self.step_ms)
        while self.held and begin < now_ms:
            step = begin // self.step_ms
            end = min(now_ms, (step + 1) * self.step_ms)
            self.steps[step] = self.steps.get(step, 0) + self.held * (end - begin)
            begin = end
        self.until_ms = max(self.until_ms, now_ms)
        while self.steps and (first := next(iter(self.steps))) < oldest:
            del self.steps[first]

    @property
    def used_ms(self) -> int:
        return sum(self.steps.values())

    def reaches_at(self, percent: int) -> int | None:
        """Return when so much is used if all goes on, in milliseconds; sooner than it can be."""
        missing = self.bound_ms * percent // 100 - self.used_ms
        if missing <= 0:
            return self.until_ms
        return self.until_ms - (-missing // self.held) if self.held else None

    def fades_at(self) -> int | None:
        """Return when the oldest step lies outside, so that a mark may be reached anew; or None."""
        first = next(iter(self.steps), None)
        return None if first is None or not self.held else (first + 1) * self.step_ms + self.window_ms

    def possible_at(self) -> int:
        """Return when less than the budget is used, if nothing more is."""
        used = self.used_ms
        for step, amount in self.steps.items():
            used -= amount
            if used < self.bound_ms:
                return (step + 1) * self.step_ms + self.window_ms
        return self.until_ms


class Budgets:
    """All budgets of one tree."""

    def __init__(self, tree: TeamTree) -> None:
        self._tree = tree
        self._now_ms = 0
        self._has_begun = False
        self._meters: dict[Whose, _Meter] = {}
        self._changed: dict[Whose, None] = {}
        self._due: list[tuple[int, TeamId, UserName]] = []
        self._next: dict[Whose, int | None] = {}  # which of them still counts
        self.has_bounds = _has_bounds(tree)

    def plant(self, tree: TeamTree, active: Iterable[Request], spent: Iterable[Spent]) -> None:
        """Put a tree in force, with what was spent before and those who run."""
        self._tree = tree
        self.has_bounds = _has_bounds(tree)
        self._meters.clear()
        self._due.clear()
        self._next.clear()
        for each in spent:
            if each.team in tree and (meter := self._meter((each.team, each.user))) is not None:
                meter.steps = dict(sorted(each.steps))
                meter.until_ms, meter.percent = each.until_ms, each.percent
                self._has_begun = True
                self._now_ms = max(self._now_ms, each.until_ms)
        for request in active:
            for whose in self._concerned(request) if request.accelerators else ():
                if (meter := self._meter(whose)) is not None:
                    meter.held += request.accelerators  # since what was kept of it ends
        for whose, meter in self._meters.items():
            self._watch(whose, meter)

    def kept(self) -> tuple[Spent, ...]:
        """Return what the ledger is to keep."""
        return self._told(self._meters)

    def changes(self) -> tuple[Spent, ...]:
        """Return the same of those whose part changed, or a mark was reached, since this was last asked."""
        changed, self._changed = self._changed, {}
        return self._told(changed)

    def _told(self, whose: Iterable[Whose]) -> tuple[Spent, ...]:
        told: list[Spent] = []
        for team, user in whose:
            meter = self._meters.get((team, user))
            if meter is not None:
                meter.run(self._now_ms)
                if meter.steps or meter.held:
                    steps = tuple(meter.steps.items())
                    told.append(Spent(team, user, steps, meter.until_ms, meter.percent))
        return tuple(sorted(told, key=lambda each: (each.team, each.user or "")))

    def used_ms(self, whose: Whose, at: float) -> int:
        """Return what one used up to a moment, in accelerator-milliseconds; it changes nothing."""
        meter = self._meters.get(whose)
        if meter is None:
            return 0
        meter.run(self._now_ms)
        return meter.used_ms + meter.held * max(0, int(at * 1000) - meter.until_ms)

    def charge(self, request: Request, sign: int = +1) -> None:
        """Say that a request begins to hold its accelerators; with `sign` -1 that it ends."""
        held = sign * request.accelerators
        for whose in self._concerned(request) if held else ():
            meter = self._meter(whose)
            if meter is not None:
                meter.run(self._now_ms)
                meter.held += held
                self._changed[whose] = None
                self._watch(whose, meter)

    def has_spent(self, user: UserName) -> bool:
        """Say whether a user has used anything that still counts."""
        return any(whose[1] == user and (meter.steps or meter.held) for whose, meter in self._meters.items())

    def rename(self, before: UserName, after: UserName) -> None:
        """Say that what one user has spent is another name's."""
        for team, user in [whose for whose in self._meters if whose[1] == before]:
            meter = self._meters.pop((team, user))
            self._next.pop((team, user), None)
            self._meters[team, after] = meter
            self._watch((team, after), meter)

    def over(self, request: Request) -> tuple[Whose, float] | None:
        """Return whose budget a request must wait for, and until when, in Unix seconds."""
        for whose in self._concerned(request) if request.accelerators else ():
            meter = self._meters.get(whose)
            if meter is None:
                continue
            meter.run(self._now_ms)
            if meter.used_ms >= meter.bound_ms:
                return whose, meter.possible_at() / 1000
        return None

    def tell_time(self, at: float) -> None:
        """Say what time it is, in Unix seconds; it never runs backwards."""
        self._now_ms = max(self._now_ms, round(at * 1000))  # `next_due` told at this moment is now
        if not self._has_begun:  # the first that is heard of time: what is held is held from now on
            self._has_begun = True
            for whose, meter in self._meters.items():
                meter.until_ms = self._now_ms
                self._watch(whose, meter)

    def reached(self) -> list[Reached]:
        """Return which marks were reached up to now, in an order that a restart does not change."""
        reached: list[Reached] = []
        while self._due and self._due[0][0] <= self._now_ms:
            at, team, user = heappop(self._due)
            whose = team, user or None
            if self._next.get(whose) == at:
                meter = self._meters[whose]
                meter.run(self._now_ms)
                reached += self._marks(whose, meter)
                self._watch(whose, meter)
        return sorted(reached, key=lambda each: (each.team, each.user or "", each.percent))

    def _marks(self, whose: Whose, meter: _Meter) -> Iterator[Reached]:
        for percent in WARNED_AT:
            if percent > meter.percent and meter.used_ms * 100 >= meter.bound_ms * percent:
                meter.percent = percent
                self._changed[whose] = None
                yield Reached(*whose, percent)

    def exhausted(self) -> Iterator[Whose]:
        """Yield whose budget is used up while something of theirs runs."""
        for whose, meter in self._meters.items():
            if meter.held and meter.percent >= WARNED_AT[-1]:
                meter.run(self._now_ms)
                if meter.used_ms >= meter.bound_ms:
                    yield whose

    def next_due(self) -> float | None:
        """Return when a mark may be reached, in Unix seconds."""
        while self._due and self._next.get((self._due[0][1], self._due[0][2] or None)) != self._due[0][0]:
            heappop(self._due)
        return self._due[0][0] / 1000 if self._due else None

    def _watch(self, whose: Whose, meter: _Meter) -> None:
        """Look again when the next mark may be reached; below a mark it is told anew."""
        used = meter.used_ms * 100
        told = [mark for mark in WARNED_AT if mark <= meter.percent and used >= meter.bound_ms * mark]
        meter.percent = max(told, default=0)
        ahead = [mark for mark in WARNED_AT if mark > meter.percent]
        times = [meter.reaches_at(ahead[0]) if ahead else None, meter.fades_at() if meter.percent else None]
        self._next[whose] = at = min((time for time in times if time is not None), default=None)
        if at is not None:
            heappush(self._due, (at, whose[0], whose[1] or UserName("")))

    def _concerned(self, request: Request) -> Iterator[Whose]:
        for above in self._tree.path(request.team):
            if self._tree[above].budget is not None:
                yield above, None
                yield above, request.user

    def _meter(self, whose: Whose) -> _Meter | None:
        """Return a meter, made where there is none yet; None where nothing bounds."""
        budget = self._tree[whose[0]].budget
        bound = None if budget is None else budget.team_hours if whose[1] is None else budget.user_hours
        if budget is None or bound is None or isinstance(bound, Unlimited):
            return None
        if whose not in self._meters:
            self._meters[whose] = _Meter(budget, bound, self._now_ms)
        return self._meters[whose]


def _has_bounds(tree: TeamTree) -> bool:
    return any(team.budget is not None for team in tree.teams.values())
