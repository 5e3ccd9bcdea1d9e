"""What is always true of the machine, checked against a recount from the allocations alone.

- No node holds more than it has, and no device is held twice.
- No team holds more than its limit.
- The counters equal the sum over the allocations that are not gone.
- A request is ACTIVE if and only if it has one allocation that is not gone.
- The line, and who waits before a bar, are exactly the QUEUED requests.
- Of what is booked no more is unused than was booked, and at no moment more is laid aside on a node than
  it has.

A node that shrank or left, and a limit lowered under what is held, break the
first two without a wrong grant: such use is *excused* up to what it was at that
moment, and no further.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from jupyterhub_mesos_quota.admission import Admission
from jupyterhub_mesos_quota.book import Book
from jupyterhub_mesos_quota.booking import is_on
from jupyterhub_mesos_quota.errors import InvariantBroken
from jupyterhub_mesos_quota.model import Allocation, NodeId, RequestId, RequestStatus, TeamId
from jupyterhub_mesos_quota.moves import LIVE_STATES
from jupyterhub_mesos_quota.resources import AmountName, Unlimited
from jupyterhub_mesos_quota.tree import Amounts, add_amounts
from jupyterhub_mesos_quota.usage import Usage


@dataclass(slots=True)
class Excuses:
    """What nodes and teams held when their bounds sank below it."""

    nodes: dict[NodeId, Amounts] = field(default_factory=dict[NodeId, Amounts])
    teams: dict[TeamId, Amounts] = field(default_factory=dict[TeamId, Amounts])

    def excuse_node(self, admission: Admission, node_id: NodeId) -> None:
        """Excuse what stands on a node that changed."""
        self.nodes[node_id] = dict(admission.pool.used_on(node_id))

    def excuse_teams(self, admission: Admission) -> None:
        """Excuse what the teams of a new tree hold."""
        self.teams = {team: dict(admission.usage.used(team)) for team in admission.tree}

    def excuse_all(self, admission: Admission) -> None:
        """Excuse what rows from the ledger hold."""
        self.excuse_teams(admission)
        for allocation_node in admission.pool.known_ids():
            self.excuse_node(admission, allocation_node)


def audit(admission: Admission, book: Book, excuses: Excuses, held_back: Sequence[RequestId] = ()) -> None:
    """Check everything; raise `InvariantBroken` with the first thing that is wrong."""
    live = [allocation for allocation in book.allocations.values() if allocation.state in LIVE_STATES]
    _check_nodes(admission, live, excuses)
    _check_teams(admission, live, excuses)
    _check_statuses(book, live)
    _check_line(admission, book, held_back)
    _check_bookings(admission)


def _check_nodes(admission: Admission, live: Iterable[Allocation], excuses: Excuses) -> None:
    held: dict[NodeId, Amounts] = {}
    devices: set[tuple[NodeId, str]] = set()
    for allocation in live:
        for placement in allocation.placements:
            add_amounts(held.setdefault(placement.node, {}), dict(placement.resources.amounts()))
            for device in placement.devices:
                if (placement.node, device) in devices:
                    raise InvariantBroken(f"device {device} of node {placement.node} is held twice")
                devices.add((placement.node, device))
    for node_id in {*held, *admission.pool.known_ids()}:
        counted = held.get(node_id, {})
        _check_equal(f"node {node_id}", admission.pool.used_on(node_id), counted)
        node = admission.pool.nodes.get(node_id)
        for name, amount in counted.items():
            capacity = 0 if node is None else node.capacity.get(name)
            if amount > max(capacity, excuses.nodes.get(node_id, {}).get(name, 0)):
                raise InvariantBroken(f"node {node_id} holds {amount} {name} and has {capacity}")


def _check_teams(admission: Admission, live: Iterable[Allocation], excuses: Excuses) -> None:
    used: dict[TeamId, Amounts] = {team: {} for team in admission.tree}
    recount = Usage(admission.tree)
    for allocation in live:
        recount.charge(allocation.team, allocation.total.amounts())
        for above in admission.tree.path(allocation.team):
            add_amounts(used[above], dict(allocation.total.amounts()))
    if recount.counters() != admission.usage.counters():
        raise InvariantBroken("the teams' counters are not what their allocations sum to")
    for team, counted in used.items():
        _check_equal(f"team {team}", admission.usage.used(team), counted)
        for name, amount in counted.items():
            limit = admission.tree[team].limit.get(name)
            if isinstance(limit, Unlimited):
                continue
            if amount > limit and amount > excuses.teams.get(team, {}).get(name, 0):
                raise InvariantBroken(f"team {team} holds {amount} {name} and is limited to {limit}")


def _check_equal(what: str, counter: Mapping[AmountName, int], counted: Mapping[AmountName, int]) -> None:
    kept = {name: amount for name, amount in counter.items() if amount}
    if kept != {name: amount for name, amount in counted.items() if amount}:
        raise InvariantBroken(f"{what} is counted as {kept}, its allocations sum to {dict(counted)}")


def _check_statuses(book: Book, live: Iterable[Allocation]) -> None:
    holders: dict[RequestId, Allocation] = {}
    for allocation in live:
        if allocation.request_id in holders:
            raise InvariantBroken(f"request {allocation.request_id} has two live allocations")
        holders[allocation.request_id] = allocation
        request = book.requests.get(allocation.request_id)
        if request is None or request.status is not RequestStatus.ACTIVE:
            raise InvariantBroken(f"allocation {allocation.id} is live and its request is not active")
        if (allocation.team, allocation.total) != (request.team, request.total):
            raise InvariantBroken(f"allocation {allocation.id} is not what its request asked for")
    for request in book.requests.values():
        if request.status is RequestStatus.ACTIVE and request.id not in holders:
            raise InvariantBroken(f"request {request.id} is active and holds nothing")
    if book.live != {request: allocation.id for request, allocation in holders.items()}:
        raise InvariantBroken("the index of live allocations is out of date")


def _check_line(admission: Admission, book: Book, held_back: Sequence[RequestId]) -> None:
    in_line = [place.id for group in admission.line.groups() for place in group]
    waiting = sorted([*in_line, *held_back])
    queued = sorted(id_ for id_, request in book.requests.items() if request.status is RequestStatus.QUEUED)
    if waiting != queued or len(admission.line) != len(in_line):
        raise InvariantBroken(f"the line holds {waiting}, queued are {queued}")


def _check_bookings(admission: Admission) -> None:
    asides = admission.bookings.asides()
    for aside in asides:
        booked = aside.reservation
        for name, amount in booked.total.amounts():
            if not 0 <= aside.unused[name] <= amount:
                raise InvariantBroken(f"of reservation {booked.id}, {aside.unused[name]} {name} is unused")
        on = [other for other in asides if is_on(other.reservation, booked.starts_at)]
        for node_id in aside.amounts:
            laid: Amounts = {}
            for other in on:
                add_amounts(laid, other.amounts.get(node_id, {}))
            for name, amount in laid.items():
                if amount > admission.pool.nodes[node_id].capacity.get(name):
                    raise InvariantBroken(f"{amount} {name} are laid aside on node {node_id}: it has less")
