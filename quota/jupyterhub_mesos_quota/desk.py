"""Where requests wait, are granted and freed: the moves that keep book, counters, nodes and line in step."""

from __future__ import annotations

from collections.abc import Iterable

from jupyterhub_mesos_quota.admission import Admission
from jupyterhub_mesos_quota.agenda import Agenda
from jupyterhub_mesos_quota.bars import Bars
from jupyterhub_mesos_quota.book import Book
from jupyterhub_mesos_quota.events import StopReason
from jupyterhub_mesos_quota.model import (
    Allocation,
    AllocationState,
    NodeId,
    Placement,
    Request,
    RequestId,
    RequestStatus,
    Reservation,
    TeamId,
    UserName,
)
from jupyterhub_mesos_quota.moves import DRAINABLE_STATES, WAITING_STATUSES
from jupyterhub_mesos_quota.policy import Policy
from jupyterhub_mesos_quota.promises import with_reservations
from jupyterhub_mesos_quota.sizes import Size
from jupyterhub_mesos_quota.tree import TeamTree


class Desk:
    """The one place where a request joins or leaves the line, and an allocation begins or ends to hold."""

    def __init__(self, tree: TeamTree, policy: Policy) -> None:
        self.book = Book()
        self.tree = tree  # as an admin wrote it; what is in force may promise more
        self.agenda = Agenda()
        self.admission = Admission(tree, policy, self.book.requests, self.agenda)
        self.bars = Bars(tree)
        self.is_settled = True  # nothing that waits may start
        self._in_line_of: dict[UserName, dict[RequestId, None]] = {}  # where a cap or a budget may bind
        self._reviewed = 0
        self._review_at: float | None = None
        self._promised: tuple[tuple[Reservation, ...], bool] = (), False

    def stand_back(self, request: Request) -> None:
        """Take a request out of the line where a bar stands before it."""
        obstacle = self.bars.obstacle(request)
        if obstacle is not None:
            self.leave(request)
            self.bars.hold_back(request, obstacle)

    def stand_back_all(self, requests: Iterable[RequestId]) -> None:
        """Take those out of the line that a bar stands before now: they hold up nobody."""
        for id_ in list(requests):
            request = self.book.requests[id_]
            if request.status in WAITING_STATUSES and self.bars.found(id_) is None:
                self.stand_back(request)

    def join(self, request: Request) -> None:
        """Let a request wait in the line."""
        self.admission.line.add(request)
        if self.bars.may_bind:
            self._in_line_of.setdefault(request.user, {})[request.id] = None

    def leave(self, request: Request) -> None:
        """Take a request out of the line."""
        self.admission.line.remove(request)
        if self.bars.may_bind:
            del self._in_line_of[request.user][request.id]

    def set_aside(self, at: float, id_: RequestId, why: str) -> None:
        """Take a request that waits out of the queue, at its rank. Raises `UnknownRequest`."""
        request = self.book.request(id_)
        if request.status in WAITING_STATUSES:
            self.book.move_request(at, id_, RequestStatus.HELD, why)
            if not self.bars.drop(id_):
                self.leave(request)
            self.is_settled = False  # others no longer wait behind it

    def let_back(self, at: float, id_: RequestId, why: str) -> None:
        """Let a request that stood aside wait again, at its rank. Raises `UnknownRequest`."""
        if self.book.request(id_).status is RequestStatus.HELD:
            self.wait(self.book.move_request(at, id_, RequestStatus.QUEUED, why))
            self.is_settled = False

    def rename(self, before: UserName, after: UserName) -> None:
        """Say that all of one user is another name's."""
        self.book.rename_user(before, after)
        self.bars.rename(before, after, self.book.requests)
        if before in self._in_line_of:
            self._in_line_of.setdefault(after, {}).update(self._in_line_of.pop(before))

    def pause(self, team: TeamId | None) -> None:
        """Let nothing of a team and those below start; of None nothing at all. Raises `UnknownTeam`."""
        if team is not None:
            self.tree[team]
        self.bars.paused.add(team)
        self.stand_back_all(self.book.requests)
        self.is_settled = False

    def resume(self, team: TeamId | None) -> None:
        """Let a paused queue go on. Raises `UnknownTeam`."""
        if team is not None:
            self.tree[team]
        self.bars.paused.discard(team)
        self.rejoin(self.bars.lifted())
        self.is_settled = False

    def rejoin(self, requests: Iterable[Request]) -> None:
        """Let requests back into the line."""
        for request in requests:
            self.join(request)
            self.is_settled = False

    def wait(self, request: Request) -> None:
        """Let a request wait in the line, or before its bar."""
        obstacle = self.bars.obstacle(request)
        if obstacle is None:
            self.join(request)
        else:
            self.bars.hold_back(request, obstacle)

    def starts_alone(self, at: float, request: Request, size: Size) -> bool:
        """Grant a new request if there is room for it.

        Where all was settled, one more that waits lets nobody else start: it alone is looked at.
        """
        if self.admission.may_hold:
            return False
        size = self.admission.line.size_for(request, size)
        verdict = self.admission.judge(request.team, size)
        if verdict.placements is None:
            return False
        self.grant(at, request.id, size, verdict.placements)
        self.is_settled = False
        return True

    def free(self, at: float, allocation: Allocation, *, requeues: bool, why: str) -> None:
        """End an allocation: what it held is free, and its request ends or waits again."""
        self.book.move_allocation(at, allocation.id, AllocationState.GONE, why)
        self.occupy(allocation, sign=-1)
        self.is_settled = False
        request = self.book.requests[allocation.request_id]
        self.bars.charge(request, -1)
        self.rejoin(self.bars.lifted_for(request.user))
        if requeues and not request.is_ending:
            self.wait(self._queue_again(at, allocation, why))
        else:
            self.book.move_request(at, request.id, RequestStatus.ENDED, why)

    def _queue_again(self, at: float, allocation: Allocation, why: str) -> Request:
        reclaim, id_ = self.admission.policy.reclaim, allocation.request_id
        is_first = reclaim is not None and reclaim.requeues_first
        if is_first and allocation.state is AllocationState.STOPPING:
            self.book.move_request(at, id_, RequestStatus.QUEUED, f"{why}: it goes on before others")
            return self.book.bring_forward(id_)
        return self.book.move_request(at, id_, RequestStatus.QUEUED, f"{why}: back at its old place")

    def settle(self, at: float) -> None:
        """Grant until nothing that waits may start, the next in order first.

        A grant may move what still waits to a weaker standing, which frees those
        behind it: so the search for the next begins anew after each.
        """
        while (pick := self.admission.pick()) is not None:
            request = self.book.requests[pick.place.id]
            if self.bars.obstacle(request) is not None:  # its user was given another in the meantime
                self.stand_back(request)
                continue
            self.leave(request)
            self.grant(at, request.id, pick.group.lane.size, pick.placements)
        self.admission.rest()
        self.is_settled = True

    def grant(self, at: float, id_: RequestId, size: Size, placements: tuple[Placement, ...]) -> None:
        """Give a request that stands in no line what it asked for."""
        request, usage = self.book.requests[id_], self.admission.usage
        borrowed = usage.would_borrow(usage.accounts[request.team], size)
        self.bars.charge(request)
        self.occupy(self.book.grant(at, id_, placements, borrowed))
        self.stand_back_all(self._in_line_of.get(request.user, ()))

    def occupy(self, allocation: Allocation, sign: int = +1) -> None:
        """Count what an allocation holds; with `sign` -1 it holds it no more."""
        self.admission.pool.occupy(allocation.placements, sign)
        self.admission.usage.charge(allocation.team, allocation.total.amounts(), sign)

    def drain(self, at: float, node: NodeId) -> None:
        """Stop what runs on a node, so that it waits again."""
        for allocation in self.live_allocations():
            is_there = any(placement.node == node for placement in allocation.placements)
            if is_there and allocation.state in DRAINABLE_STATES:
                self.book.stop(at, allocation.id, "its node is drained", StopReason.DRAINED)

    def active(self) -> list[Request]:
        """Return the requests that hold something."""
        return [self.book.requests[id_] for id_ in self.book.live]

    def live_allocations(self) -> list[Allocation]:
        """Return the allocations that hold something."""
        return [self.book.allocations[id_] for id_ in self.book.live.values()]

    def review(self) -> None:
        """Put in force what is booked by now: what opened, is over, was booked or cancelled."""
        bookings, now = self.admission.bookings, self.admission.now
        if self._reviewed == self.agenda.version and (self._review_at is None or now < self._review_at):
            return
        self.is_settled &= self._reviewed == self.agenda.version
        self._reviewed, self._review_at = self.agenda.version, bookings.next_due(now)
        seen = bookings.open_at(now), bool(bookings)
        if seen != self._promised:
            self._promised = seen
            self.plant(self.tree)

    def plant(self, tree: TeamTree) -> None:
        """Put another tree in force: all is counted anew, and all that waits joins a new line."""
        admission = self.admission
        past = () if admission.usage.past is None else admission.usage.past.told()
        self.tree = tree
        promised = with_reservations(tree, admission.bookings.open_at(admission.now))
        usage = admission.new_usage(promised)
        usage.advance(admission.now)
        usage.measure_against(admission.pool.capacity)
        for allocation in self.live_allocations():
            usage.charge(allocation.team, allocation.total.amounts())
        usage.recall(past)
        admission.plant(tree, promised, usage)
        self.bars.plant(tree, self.active(), self.bars.budgets.kept())
        self._in_line_of.clear()
        for request in self.book.requests.values():
            if request.status in WAITING_STATUSES:
                self.bars.drop(request.id)
                self.wait(request)
        self.is_settled = False
