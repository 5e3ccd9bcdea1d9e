"""Budgets and time limits while things run: a word before the end, a grace, and then a stop."""

from __future__ import annotations

from jupyterhub_mesos_quota.budgets import WARNED_AT, Whose
from jupyterhub_mesos_quota.desk import Desk
from jupyterhub_mesos_quota.events import BudgetReached, StopReason
from jupyterhub_mesos_quota.model import Request, TeamId, UserName
from jupyterhub_mesos_quota.moves import DRAINABLE_STATES
from jupyterhub_mesos_quota.policy import Policy
from jupyterhub_mesos_quota.timelimits import TimeLimits


class Enforcing:
    """Whose budget is used up, when what runs on it is stopped, and which time limits are near."""

    def __init__(self, desk: Desk, policy: Policy) -> None:
        self._desk = desk
        self._grace_seconds = policy.budget_grace_seconds
        self.stops: dict[Whose, float] = {}
        self.limits = TimeLimits(desk.book, policy.notice_seconds)

    def kept(self) -> tuple[tuple[TeamId, UserName | None, float], ...]:
        """Return what the ledger is to keep."""
        told = ((team, user, at) for (team, user), at in self.stops.items())
        return tuple(sorted(told, key=lambda each: (each[0], each[1] or "")))

    def use_of(self, whose: Whose, at: float) -> tuple[int, float | None]:
        """Return what one used of a budget, in accelerator-milliseconds, and when it stops what runs."""
        return self._desk.bars.budgets.used_ms(whose, at), self.stops.get(whose)

    def stop_of(self, request: Request) -> tuple[Whose, float] | None:
        """Return whose budget is used up and when, for that, what a request holds is stopped."""
        path = self._desk.admission.tree.path(request.team) if self.stops and request.accelerators else ()
        whose = [(team, user) for team in path for user in (None, request.user) if (team, user) in self.stops]
        return min(((each, self.stops[each]) for each in whose), key=lambda stop: stop[1], default=None)

    def rename(self, before: UserName, after: UserName) -> None:
        """Say that what stops for one user stops for another name."""
        self.stops = {
            (team, after if user == before else user): when for (team, user), when in self.stops.items()
        }

    def advance(self, at: float) -> None:
        """Let time pass: tell of marks, stop what runs on a budget that has been used up for the grace."""
        bars, book = self._desk.bars, self._desk.book
        self.limits.advance(at)
        for reached in bars.budgets.reached():
            stops_at = at + self._grace_seconds if reached.percent >= WARNED_AT[-1] else None
            if stops_at is not None:
                self.stops.setdefault((reached.team, reached.user), stops_at)
                self._desk.stand_back_all(book.requests)
            book.note(BudgetReached(at, reached.team, reached.user, reached.percent, stops_at))
        if self.stops:
            over = set(bars.budgets.exhausted())
            self.stops = {whose: when for whose, when in self.stops.items() if whose in over}
            for team, user, when in self.kept():  # in the same order before and after a restart
                if when <= at:
                    del self.stops[team, user]
                    self._stop(at, (team, user))
        if (until := bars.next_until()) is not None and until <= at:
            self._desk.rejoin(bars.lifted())

    def next_due(self) -> float | None:
        """Return when something is to be done though nothing happens."""
        bars = self._desk.bars
        times = [*self.stops.values(), self.limits.next_due(), bars.budgets.next_due(), bars.next_until()]
        return min((time for time in times if time is not None), default=None)

    def _stop(self, at: float, whose: Whose) -> None:
        team, user = whose
        tree = self._desk.admission.tree
        for allocation in self._desk.live_allocations():
            request = self._desk.book.requests[allocation.request_id]
            concerns = team in tree.path(request.team) and user in {None, request.user}
            if concerns and request.accelerators and allocation.state in DRAINABLE_STATES:
                why = f"the budget of {'team' if user is None else 'its user in team'} {team} is used up"
                self._desk.book.stop(at, allocation.id, why, StopReason.OVER_BUDGET)
