"""Carrying a plan of taking back out: warnings with a deadline, stops, and what is thought better of."""

from __future__ import annotations

from collections.abc import Iterator

from jupyterhub_mesos_quota.admission import Admission
from jupyterhub_mesos_quota.book import Book
from jupyterhub_mesos_quota.events import StopReason
from jupyterhub_mesos_quota.model import (
    Allocation,
    AllocationId,
    AllocationState,
    Facts,
    NodeId,
    TeamId,
    WorkloadKind,
)
from jupyterhub_mesos_quota.policy import Reclaim
from jupyterhub_mesos_quota.reclaim import Plan, Planner
from jupyterhub_mesos_quota.tree import Amounts


class Taking:
    """What is being taken back; a plan is made anew when something changed that it rests on."""

    def __init__(self, admission: Admission, book: Book, policy: Reclaim) -> None:
        self._admission = admission
        self._book = book
        self._policy = policy
        self._facts: dict[AllocationId, Facts] = {}
        self._facts_version = 0
        self._planned_at: tuple[int, int, int] | None = None
        self._plan = Plan()

    def learn(self, id_: AllocationId, facts: Facts) -> None:
        """Take in what is known of an allocation."""
        if self._facts.get(id_, Facts()) != facts:
            self._facts[id_] = facts
            self._facts_version += 1

    def next_deadline(self) -> float | None:
        """Return when a warning runs out, or something may first be taken."""
        times = [until for each in self._warned() if (until := each.warned_until) is not None]
        if self._plan.look_again_at is not None:
            times.append(self._plan.look_again_at)
        return min(times, default=None)

    def look(self, at: float) -> bool:
        """Warn and stop whom the plan of now names; say whether what is laid aside is otherwise now."""
        has_claims = bool(self._admission.line.claims)
        if not has_claims and not any(self._warned()):
            self._plan = Plan()
            return self._clear()
        if not self._is_current(at):
            live = [self._book.allocations[id_] for id_ in self._book.live.values()]
            self._facts = {id_: facts for id_, facts in self._facts.items() if id_ in self._book.allocations}
            planner = Planner(self._admission, self._book.requests, live, self._facts, self._policy)
            self._plan = planner.plan()
        self._carry_out(at)
        self._planned_at = self._stamp()
        return self._clear()

    def _stamp(self) -> tuple[int, int, int]:
        line = self._admission.line
        return self._admission.pool.moves, line.version + line.claims.version, self._facts_version

    def _is_current(self, at: float) -> bool:
        again = self._plan.look_again_at
        return self._planned_at == self._stamp() and (again is None or at < again)

    def _warned(self) -> Iterator[Allocation]:
        for id_ in self._book.live.values():
            if self._book.allocations[id_].state is AllocationState.WARNED:
                yield self._book.allocations[id_]

    def _carry_out(self, at: float) -> None:
        for warned in list(self._warned()):
            if warned.id not in self._plan.victims:
                self._book.lift_warning(at, warned.id, "its room is not needed any more")
        for id_, team in self._plan.victims.items():
            allocation = self._book.allocations[id_]
            if allocation.state is AllocationState.WARNED:
                self._go_on(at, allocation, team)
            elif allocation.state is not AllocationState.STOPPING:
                self._begin(at, allocation, team)

    def _begin(self, at: float, allocation: Allocation, team: TeamId) -> None:
        why = f"team {team} takes its guarantee back"
        kind = self._book.requests[allocation.request_id].kind
        has_grace = kind is WorkloadKind.NOTEBOOK and allocation.state is AllocationState.RUNNING
        if has_grace and self._policy.grace_seconds > 0:
            self._book.warn(at, allocation.id, at + self._policy.grace_seconds, why)
        else:
            self._book.stop(at, allocation.id, why, StopReason.RECLAIMED)

    def _go_on(self, at: float, allocation: Allocation, team: TeamId) -> None:
        if allocation.warned_until is None:  # its row did not keep the time: the grace begins anew
            self._book.set_warned_until(allocation.id, at + self._policy.grace_seconds)
        elif allocation.warned_until <= at:
            why = f"team {team} takes its guarantee back; the time of its warning is over"
            self._book.stop(at, allocation.id, why, StopReason.RECLAIMED)

    def _clear(self) -> bool:
        """Say on which nodes room is being made, so that it is laid aside for who it is made for."""
        clearing: dict[NodeId, Amounts] = {}
        for id_ in self._plan.victims:
            allocation = self._book.allocations.get(id_)
            if allocation is None or allocation.state is AllocationState.GONE:
                continue
            for placement in allocation.placements:
                coming = clearing.setdefault(placement.node, {})
                for name, amount in placement.resources.amounts():
                    coming[name] = coming.get(name, 0) + amount
        return self._admission.clear(clearing)
