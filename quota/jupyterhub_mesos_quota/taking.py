"""Carrying a plan of taking back out: warnings with a deadline, stops, and what is thought better of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jupyterhub_mesos_quota.admission import Admission
from jupyterhub_mesos_quota.book import Book
from jupyterhub_mesos_quota.bookings import Aside
from jupyterhub_mesos_quota.events import StopReason
from jupyterhub_mesos_quota.model import (
    Allocation,
    AllocationId,
    AllocationState,
    Facts,
    NodeId,
    WorkloadKind,
)
from jupyterhub_mesos_quota.offers import NOTHING_KNOWN, OfferBook
from jupyterhub_mesos_quota.policy import Policy
from jupyterhub_mesos_quota.reclaim import Plan, Planner, Purpose
from jupyterhub_mesos_quota.tree import Amounts
from jupyterhub_mesos_quota.usage import Standing

RETRY_SECONDS: Final = 5.0
"""Between plans for those that could not be served, while nothing changed but what runs: a plan costs."""


class Taking:
    """What is being taken back; a plan is made anew when something changed that it rests on."""

    def __init__(self, admission: Admission, book: Book, policy: Policy) -> None:
        self._admission = admission
        self._book = book
        self._policy = policy
        self._offers = OfferBook()
        self._facts_version = 0
        self._planned_at: tuple[object, ...] | None = None
        self._moves = 0
        self._retry_at = 0.0
        self._plan = Plan()

    def learn(self, id_: AllocationId, facts: Facts) -> None:
        """Take in what is known of an allocation."""
        if self._offers.facts.get(id_, NOTHING_KNOWN) != facts:
            self._offers.facts[id_] = facts
            self._facts_version += 1

    def next_deadline(self) -> float | None:
        """Return when a warning runs out, or something may first be taken."""
        times = [until for each in self._warned() if (until := each.warned_until) is not None]
        if self._plan.look_again_at is not None:
            times.append(self._plan.look_again_at)
        if not self._plan.is_whole and self._moves != self._admission.pool.moves:
            times.append(self._retry_at)
        return min(times, default=None)

    def look(self, at: float) -> bool:
        """Warn and stop whom the plan of now names; say whether what is laid aside is otherwise now."""
        if not self._is_wanted() and not self._book.warned:
            self._plan = Plan()
            return self._clear()
        if not self._is_current(at):
            self._make_plan(at)
        self._carry_out(at)
        self._planned_at = self._stamp()
        return self._clear()

    def prepare(self) -> None:
        """Plan for what rows tell, so that room that is being made is kept; nothing is ended yet."""
        self._admission.prepare()
        if self._is_wanted():
            self._make_plan(self._admission.now)
            self._clear()

    def _is_wanted(self) -> bool:
        """Say whether somebody may wait for something that is to be taken."""
        admission = self._admission
        if admission.line.claims or admission.bookings.is_short(admission.now):
            return True
        return self._policy.preempt is not None and len(admission.line) > 0

    def _make_plan(self, at: float) -> None:
        allocations = self._book.allocations
        live = [allocations[id_] for id_ in self._book.live.values()]
        known = self._offers.facts
        self._offers.facts = {id_: facts for id_, facts in known.items() if id_ in allocations}
        self._plan = Planner(self._admission, self._book.requests, live, self._offers, self._policy).plan()
        self._moves, self._retry_at = self._admission.pool.moves, at + RETRY_SECONDS

    def _stamp(self) -> tuple[object, ...]:
        """Return what the plan rests on: who waits inside, what is booked, whom it names, what is known."""
        claims = self._admission.line.claims
        waiting = sum(len(group) for group in claims.of(Standing.INSIDE))
        live = sum(self._is_live(id_) for id_ in self._plan.victims)
        booked = [(each.reservation, each.pieces) for each in self._open_asides()]
        line, pool = self._admission.line, self._admission.pool
        moves = (line.version, pool.moves) if self._policy.preempt else ()
        known = self._facts_version, self._book.losses, pool.version
        return line, claims.version, waiting, booked, live, known, moves

    def _open_asides(self) -> list[Aside]:
        return self._admission.bookings.open_asides(self._admission.now)

    def _is_live(self, id_: AllocationId) -> bool:
        allocation = self._book.allocations.get(id_)
        return allocation is not None and allocation.state is not AllocationState.GONE

    def _is_current(self, at: float) -> bool:
        """Say whether the plan stands; for whom it does not serve, ends elsewhere may help by now."""
        again = self._plan.look_again_at
        if self._planned_at != self._stamp() or (again is not None and at >= again):
            return False
        return self._plan.is_whole or self._moves == self._admission.pool.moves or at < self._retry_at

    def _warned(self) -> list[Allocation]:
        """Return who is warned, in order of their requests' grants."""
        warned = [self._book.allocations[id_] for id_ in self._book.warned]
        return warned if len(warned) < 2 else sorted(warned, key=lambda each: (each.granted_at, each.id))

    def _carry_out(self, at: float) -> None:
        for warned in self._warned():
            if warned.id not in self._plan.victims:
                self._book.lift_warning(at, warned.id, "its room is not needed any more")
        for id_, purpose in self._plan.victims.items():
            allocation = self._book.allocations[id_]
            if allocation.state is AllocationState.WARNED:
                self._go_on(at, allocation, purpose)
            elif allocation.state is not AllocationState.STOPPING:
                self._begin(at, allocation, purpose)

    def _begin(self, at: float, allocation: Allocation, purpose: Purpose) -> None:
        is_notebook = self._book.requests[allocation.request_id].kind is WorkloadKind.NOTEBOOK
        until = max(at + purpose.grace_seconds if is_notebook else at, purpose.not_before)
        if allocation.state is AllocationState.RUNNING and until > at:
            self._book.warn(at, allocation.id, until, purpose.why)
        else:
            self._book.stop(at, allocation.id, purpose.why, purpose.reason)

    def _go_on(self, at: float, allocation: Allocation, purpose: Purpose) -> None:
        if allocation.warned_until is None:  # its row did not keep the time: the grace begins anew
            self._book.set_warned_until(allocation.id, at + purpose.grace_seconds)
        elif allocation.warned_until <= at:
            why = f"{purpose.why}; the time of its warning is over"
            self._book.stop(at, allocation.id, why, purpose.reason)

    def _clear(self) -> bool:
        """Say on which nodes room is being made, so that it is laid aside for who it is made for."""
        clearing: dict[NodeId, Amounts] = {}
        booked: dict[NodeId, None] = {}
        victims = self._plan.victims
        for allocation in self._ending():
            purpose = victims.get(allocation.id)
            if purpose is not None and purpose.reason is StopReason.RESERVED:
                booked.update({placement.node: None for placement in allocation.placements})
            if purpose is not None and purpose.reason is not StopReason.RECLAIMED:
                continue
            for placement in allocation.placements:
                coming = clearing.setdefault(placement.node, {})
                for name, amount in placement.resources.amounts():
                    coming[name] = coming.get(name, 0) + amount
        return self._admission.clear(clearing, tuple(sorted(booked)), self._plan.takers)

    def _ending(self) -> Iterator[Allocation]:
        """Yield whom the plan names, and who was stopped before it was made: it counts on both."""
        for id_ in self._plan.victims:
            if self._is_live(id_):
                yield self._book.allocations[id_]
        for id_ in self._book.live.values() if self._admission.line.claims else ():
            allocation = self._book.allocations[id_]
            if allocation.state is AllocationState.STOPPING and id_ not in self._plan.victims:
                yield allocation
