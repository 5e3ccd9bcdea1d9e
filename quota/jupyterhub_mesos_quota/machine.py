"""The machine that decides: events in, actions in order out; no I/O, no clock, no chance.

`handle` is atomic: a refused event raises a `QuotaError` and changes nothing.
After an event nothing that may start is left waiting. The same events give the
same actions, always; so do the same rows (`restore`) and the same later events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from types import MappingProxyType
from typing import Final, assert_never

from jupyterhub_mesos_quota.book import Forgotten
from jupyterhub_mesos_quota.copying import copier
from jupyterhub_mesos_quota.desk import Desk
from jupyterhub_mesos_quota.ending import end_request
from jupyterhub_mesos_quota.enforcing import Enforcing
from jupyterhub_mesos_quota.errors import InvariantBroken
from jupyterhub_mesos_quota.events import (
    Action,
    AllocationClaimed,
    AllocationGone,
    AllocationLost,
    AllocationReturned,
    AllocationStarted,
    EndRequested,
    Event,
    FactsSeen,
    GrantUnclaimed,
    NodeCordoned,
    NodeRemoved,
    NodeSeen,
    NodeUncordoned,
    QueuePaused,
    QueueResumed,
    RequestHeld,
    RequestReleased,
    RequestSubmitted,
    ReservationBooked,
    ReservationCancelled,
    SessionExtended,
    TeamsReplaced,
    TimePassed,
    UserLeft,
    UserRenamed,
)
from jupyterhub_mesos_quota.explain import Explanation, explain_bar, explain_status, explain_waiting
from jupyterhub_mesos_quota.fleet import Fleet
from jupyterhub_mesos_quota.following import follow
from jupyterhub_mesos_quota.intake import check_submission, check_teams_in_use
from jupyterhub_mesos_quota.invariants import Excuses, audit
from jupyterhub_mesos_quota.kept import NOTHING_KEPT, Kept
from jupyterhub_mesos_quota.model import (
    Allocation,
    AllocationId,
    Facts,
    Node,
    NodeId,
    Request,
    RequestId,
    RequestStatus,
    Reservation,
    ReservationId,
    Team,
    TeamId,
)
from jupyterhub_mesos_quota.moves import (
    LIVE_STATES,
    WAITING_STATUSES,
)
from jupyterhub_mesos_quota.policy import DEFAULT_POLICY, Policy
from jupyterhub_mesos_quota.resources import Resources
from jupyterhub_mesos_quota.rules import PlacementRule
from jupyterhub_mesos_quota.sizes import size_of
from jupyterhub_mesos_quota.taking import Taking
from jupyterhub_mesos_quota.tally import Tally
from jupyterhub_mesos_quota.tree import TeamTree
from jupyterhub_mesos_quota.users import Users

_Lever = (
    QueuePaused
    | QueueResumed
    | SessionExtended
    | ReservationBooked
    | ReservationCancelled
    | UserRenamed
    | UserLeft
)


_taken_in: Final = copier(Request, "resources", "rule", "rank", "status", "allocations", "is_ending")


class QuotaMachine:
    """The decision core; see the module. `handle` is its only writer, beside `forget_ended`."""

    def __init__(
        self, teams: Iterable[Team] = (), nodes: Iterable[Node] = (), policy: Policy = DEFAULT_POLICY
    ) -> None:
        self._desk = Desk(TeamTree(teams), policy)
        self._book, self._admission, self._bars = self._desk.book, self._desk.admission, self._desk.bars
        takes = policy.reclaim is not None or policy.preempt is not None
        self._taking = Taking(self._admission, self._book, policy) if takes else None
        self._enforcing = Enforcing(self._desk, policy)
        self._agenda = self._desk.agenda
        self._users = Users(self._desk, self._enforcing, self._agenda)
        self._excuses = Excuses()
        self._fleet = Fleet(self._desk, self._excuses)
        self._next_rank = 1
        self._order: list[RequestId] | None = None  # the queue as last asked for
        for node in nodes:
            self._fleet.see(node)

    @classmethod
    def restore(
        cls,
        teams: Iterable[Team],
        nodes: Iterable[Node],
        requests: Iterable[Request],
        allocations: Iterable[Allocation],
        policy: Policy = DEFAULT_POLICY,
        kept: Kept = NOTHING_KEPT,
    ) -> QuotaMachine:
        """Rebuild the machine from the ledger's rows; nothing is granted before the next event.

        `kept` is what `kept` told; without it nothing is paused or cordoned, and past use is forgotten.
        Allocations on nodes that are not known (yet) are kept. Raises `TreeError`
        for teams that do not hold or lack a team in use, `InvariantBroken` for an
        allocation without its request.
        """
        machine = cls(teams, nodes, policy)
        machine._agenda.restore(kept.reservations)
        machine._agenda.check_teams(machine.tree)
        machine._admission.now = kept.at
        machine._desk.review()
        rows = {request.id: request for request in requests}
        given = {allocation.id: allocation for allocation in allocations}
        for allocation in given.values():
            if allocation.request_id not in rows and allocation.state in LIVE_STATES:
                raise InvariantBroken(f"allocation {allocation.id} has no request {allocation.request_id}")
        machine._book.restore(rows, given)
        check_teams_in_use(machine.tree, rows.values())
        machine._fleet.restore(kept.cordoned)
        machine._bars.paused.update(kept.paused)
        machine._bars.plant(machine.tree, machine._desk.active(), kept.spent)
        machine._enforcing.stops.update({(team, user): at for team, user, at in kept.budget_stops})
        machine._next_rank = 1 + max((request.rank for request in rows.values()), default=0)
        for request in rows.values():
            if request.status in WAITING_STATUSES:
                machine._desk.wait(request)
        for allocation in machine._desk.live_allocations():
            machine._desk.occupy(allocation)
            machine._enforcing.limits.watch(allocation, kept.at)
        machine._admission.usage.recall(kept.past)
        machine._admission.usage.measure_against(machine._admission.pool.capacity)
        machine._excuses.excuse_all(machine._admission)
        machine._desk.is_settled = False
        if machine._taking is not None:
            machine._taking.prepare()
        return machine

    # ---- events ---------------------------------------------------------------------------------

    def handle(self, event: Event) -> list[Action]:
        """Take in one event and answer what is to be done, in order.

        Raises a `QuotaError` for an event that is refused; then nothing has changed.
        """
        return self._decide(event.at, (event,))

    def handle_ends(self, ends: Sequence[AllocationGone]) -> list[Action]:
        """Take in what is gone in one moment, and only then look who starts: its room frees together.

        Raises `UnknownAllocation` for one that never was; then nothing has changed.
        """
        for end in ends:
            self._book.allocation(end.allocation_id)
        return self._decide(ends[0].at, ends)

    def _decide(self, at: float, events: Iterable[Event]) -> list[Action]:
        self._admission.advance(at)
        self._bars.budgets.tell_time(at)
        for event in events:
            self._apply(event)
        self._agenda.advance(self._admission.now)
        self._desk.review()
        self._enforcing.advance(at)
        self._order = None
        if not self._desk.is_settled:
            self._desk.settle(at)
        if self._taking is not None and self._taking.look(at):
            self._desk.settle(at)
        return self._book.drain()

    def _apply(self, event: Event) -> None:
        match event:
            case (  # in order of how many there are
                AllocationGone()
                | AllocationClaimed()
                | AllocationStarted()
                | GrantUnclaimed()
                | AllocationLost()
                | AllocationReturned()
            ):
                follow(self._desk, self._enforcing.limits, event)
            case RequestSubmitted():
                self._submit(event)
            case EndRequested():
                end_request(self._desk, event.at, event.request_id, "its end was asked for")
            case RequestHeld():
                self._desk.set_aside(event.at, event.request_id, event.why)
            case RequestReleased():
                self._desk.let_back(event.at, event.request_id, event.why)
            case FactsSeen():
                self.learn({event.allocation_id: event.facts})
            case TimePassed():
                self._desk.is_settled &= self._admission.policy.patience_seconds is None
            case NodeSeen() | NodeRemoved() | NodeCordoned() | NodeUncordoned():
                self._fleet.apply(event)
            case TeamsReplaced():
                self._replace_teams(event.teams)
            case _:
                self._pull(event)

    def _pull(self, event: _Lever) -> None:
        """Do what an admin asked for."""
        match event:
            case QueuePaused():
                self._desk.pause(event.team)
            case QueueResumed():
                self._desk.resume(event.team)
            case SessionExtended():
                self._enforcing.limits.extend(event.request_id, event.until)
            case ReservationBooked():
                self._agenda.book(event.at, event.reservation, self.tree, self.nodes)
            case ReservationCancelled():
                self._agenda.cancel(event.reservation_id)
            case UserRenamed() | UserLeft():
                self._users.apply(event)
            case _:
                assert_never(event)

    def _replace_teams(self, teams: tuple[Team, ...]) -> None:
        tree = TeamTree(teams)
        check_teams_in_use(tree, self._book.requests.values())
        self._agenda.check_teams(tree)
        self._desk.plant(tree)
        self._excuses.excuse_teams(self._admission)

    def _submit(self, event: RequestSubmitted) -> None:
        if event.request.id in self._book.requests:
            return
        check_submission(self.tree, event.request)
        size = size_of(event.request.resources, event.request.replicas, event.request.rule)
        # The resources are one value for all alike.
        status = RequestStatus.HELD if event.is_held else RequestStatus.QUEUED
        request = _taken_in(event.request, size.resources, size.rule, self._next_rank, status, 0, False)
        self._next_rank += 1
        self._book.add_request(event.at, request, f"asked for by {request.user}")
        if event.is_held:
            return
        if self._bars.obstacle(request) is not None:
            self._desk.wait(request)
        elif not (self._desk.is_settled and self._desk.starts_alone(event.at, request, size)):
            self._desk.join(request)
            self._desk.is_settled &= not self._admission.may_hold

    def learn(self, facts: Mapping[AllocationId, Facts]) -> None:
        """Take in what is known of what runs; decides nothing before the next event (`FactsSeen` does)."""
        for id_, known in facts.items():
            if self._taking is not None and id_ in self._book.allocations:
                self._taking.learn(id_, known)

    def forget_ended(self) -> Forgotten:
        """Drop ended and withdrawn requests and gone allocations; return their ids."""
        return self._book.forget_ended()

    @property
    def tally(self) -> Tally:
        """How many entries decisions have touched so far."""
        return self._admission.tally

    def next_deadline(self) -> float | None:
        """Return when `TimePassed` is to be sent, in Unix seconds; None where nothing waits for it."""
        taking = None if self._taking is None else self._taking.next_deadline()
        times = (self._enforcing.next_due(), taking, self._admission.bookings.next_due(self._admission.now))
        return min((time for time in times if time is not None), default=None)

    def kept(self, *, is_change: bool = False) -> Kept:
        """Return what the ledger is to keep beside the rows, for `restore`.

        `is_change`: of past use and of budgets only what changed since it was last so asked for.
        """
        past, budgets = self._admission.usage.past, self._bars.budgets
        told = () if past is None else past.changes() if is_change else past.told()
        return Kept(
            past=told,
            spent=budgets.changes() if is_change else budgets.kept(),
            budget_stops=self._enforcing.kept(),
            paused=frozenset(self._bars.paused),
            cordoned=frozenset(self._fleet.cordoned),
            reservations=tuple(self._agenda.booked.values()),
            at=self._admission.now,
        )

    # ---- read side ------------------------------------------------------------------------------

    @property
    def tree(self) -> TeamTree:
        """The teams."""
        return self._desk.tree

    @property
    def requests(self) -> Mapping[RequestId, Request]:
        """Every request that was not forgotten."""
        return MappingProxyType(self._book.requests)

    @property
    def allocations(self) -> Mapping[AllocationId, Allocation]:
        """Every allocation that was not forgotten."""
        return MappingProxyType(self._book.allocations)

    @property
    def nodes(self) -> Mapping[NodeId, Node]:
        """The nodes that are there; a cordoned one takes nothing new."""
        return MappingProxyType(self._admission.pool.nodes)

    @property
    def reported_nodes(self) -> Mapping[NodeId, Node]:
        """The same as their backends see them: hand these to `restore`."""
        return MappingProxyType(self._fleet.reported)

    @property
    def reservations(self) -> Mapping[ReservationId, Reservation]:
        """What is booked and not over, the next to begin first."""
        return self._agenda.booked

    @property
    def paused(self) -> AbstractSet[TeamId | None]:
        """The teams whose queues are paused; None among them is the whole queue."""
        return frozenset(self._bars.paused)

    @property
    def cordoned(self) -> AbstractSet[NodeId]:
        """The nodes that an admin has closed, whether they are reported or not."""
        return frozenset(self._fleet.cordoned)

    def free(self, node_id: NodeId) -> Resources:
        """Return what is free on a node; negative where it shrank or left under what stands on it."""
        return self._admission.pool.free_on(node_id)

    def used(self, team: TeamId) -> Resources:
        """Return what the team and all below it hold. Raises `UnknownTeam`."""
        return Resources.from_amounts(self._admission.usage.used(self.tree[team].id))

    def borrowed(self, team: TeamId) -> Resources:
        """Return what the team and all below it hold above its guarantee. Raises `UnknownTeam`."""
        return Resources.from_amounts(self._admission.usage.borrowed(self.tree[team].id))

    def queue(self) -> Sequence[Request]:
        """Return everything that waits, in the order in which it is looked at now."""
        return [self._book.requests[id_] for id_ in self._queue_order()]

    def _queue_order(self) -> list[RequestId]:
        if self._order is None:
            self._admission.prepare()
            self._order = [*self._admission.line.ordered(), *self._bars.waiting()]
        return self._order

    def explain(self, request_id: RequestId, position: int | None = None) -> Explanation:
        """Say why a request waits, or how it stands. Raises `UnknownRequest`.

        `position` is its place in `queue()`, from 1, of a caller that knows it: a search costs the queue.
        """
        request = self._book.request(request_id)
        order = self._queue_order()
        if request.status is not RequestStatus.QUEUED:
            return explain_status(request, len(order))
        position = position or order.index(request_id) + 1
        obstacle = self._bars.obstacle(request)
        found = explain_waiting(self._admission, request) if obstacle is None else explain_bar(obstacle)
        return replace(found, position=position, waiting=len(order))

    @property
    def enforcing(self) -> Enforcing:
        """How budgets and time limits stand; to be asked, not told."""
        return self._enforcing

    def could_start(
        self, team: TeamId, resources: Resources, replicas: int = 1, rule: PlacementRule | None = None
    ) -> bool:
        """Say whether such a request would be granted if it were submitted now."""
        if team not in self.tree or self._bars.is_paused(team) or replicas < 1 or resources.is_zero:
            return False
        return self._admission.judge(team, size_of(resources, replicas, rule)).placements is not None

    def audit_state(self) -> None:
        """Check every invariant against a recount; raise `InvariantBroken` where one fails."""
        audit(self._admission, self._book, self._excuses, tuple(self._bars))
