"""What is checked after every event of a whole history: written from the rules alone, over rows, naively."""

from __future__ import annotations

from collections.abc import Iterable

from jupyterhub_mesos_quota.events import Action, Event, Grant, StopAllocation, StopReason
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import Allocation, Reservation, TeamId
from jupyterhub_mesos_quota.resources import Resources
from quota_whole import History


def audited(history: History, _event: Event, _actions: list[Action]) -> None:
    history.machine.audit_state()


def lead(history: History) -> float:
    """How long before its begin a reservation opens."""
    reclaim = history.policy.reclaim
    return history.policy.clear_seconds + (0.0 if reclaim is None else reclaim.grace_seconds)


def open_now(history: History) -> list[Reservation]:
    booked = history.machine.reservations.values()
    return [each for each in booked if each.starts_at - lead(history) <= history.now < each.ends_at]


# ---- whom a stop hits -----------------------------------------------------------------------------


def stops_are_right(history: History, _event: Event, actions: list[Action]) -> None:
    for action in actions:
        if isinstance(action, StopAllocation):
            victim = history.machine.allocations[action.allocation_id]
            if action.reason is StopReason.RESERVED:
                stands_in_the_way(history, victim)
            elif action.reason is StopReason.PREEMPTED:
                is_outranked(history, victim)
            elif action.reason is StopReason.RECLAIMED:
                is_lent(history, victim)


def stands_in_the_way(history: History, victim: Allocation) -> None:
    path = history.machine.tree.path(victim.team)
    assert history.policy.reclaim is not None
    assert any(each.team not in path for each in open_now(history))
    assert history.now >= began(victim) + history.policy.reclaim.min_runtime_seconds


def is_outranked(history: History, victim: Allocation) -> None:
    machine, preempt = history.machine, history.policy.preempt
    assert preempt is not None
    assert history.now >= began(victim) + preempt.min_runtime_seconds
    mine, priority = home(history, victim.team), machine.requests[victim.request_id].priority
    rivals = [each for each in machine.queue() if each.priority > priority]
    assert any(home(history, each.team) == mine for each in rivals)


def is_lent(history: History, victim: Allocation) -> None:
    machine, reclaim = history.machine, history.policy.reclaim
    assert reclaim is not None
    assert history.now >= began(victim) + reclaim.min_runtime_seconds
    has_children = bool(machine.tree.children(victim.team))
    assert has_children or not machine.borrowed(victim.team).is_zero


def began(allocation: Allocation) -> float:
    return allocation.started_at or allocation.granted_at


def home(history: History, team: TeamId) -> TeamId:
    """The nearest team that is guaranteed something; what is open for it counts too."""
    tree, booked = history.machine.tree, {each.team for each in open_now(history)}
    for above in tree.path(team):
        if any(tree.guarantee(above).values()) or above in booked:
            return above
    return team


# ---- what is booked is left alone -------------------------------------------------------------------


def what_is_booked_is_left_alone(history: History, _event: Event, actions: list[Action]) -> None:
    """Where what is left of the one that is open had room without the others' grants, it has it with them."""
    machine, booked = history.machine, open_now(history)
    if len(booked) != 1 or booked[0].resources.accelerators:
        return  # rooms of several, and devices by name, are packed: not naively
    (reservation,) = booked
    if is_clipped(machine, reservation):
        return
    granted = [each.allocation for each in actions if isinstance(each, Grant)]
    others = [each for each in granted if is_bound(history, each, reservation)]
    if any(reservation.team in machine.tree.path(each.team) for each in granted):
        return  # its team's own grants used the room too, on its guarantee or on the booking
    left = pieces_left(machine, reservation)
    rooms = {id_: machine.free(id_) for id_, each in machine.nodes.items() if each.is_schedulable}
    after = pieces_in(rooms.values(), reservation.resources)
    for allocation in others:
        for placement in allocation.placements:
            rooms[placement.node] += placement.resources
    before = pieces_in(rooms.values(), reservation.resources)
    assert min(left, after) >= min(left, before), f"{reservation.id} lost room to {others}"


def is_clipped(machine: QuotaMachine, reservation: Reservation) -> bool:
    """Whether a limit was lowered under what is booked."""
    for above in machine.tree.path(reservation.team):
        promised = Resources.from_amounts(machine.tree.guarantee(above)) + reservation.total
        if next(machine.tree[above].limit.exceeded_by(promised), None):
            return True
    return False


def is_bound(history: History, allocation: Allocation, reservation: Reservation) -> bool:
    if reservation.team in history.machine.tree.path(allocation.team):
        return False
    limit = history.machine.requests[allocation.request_id].max_seconds
    clear_at = reservation.starts_at - history.policy.clear_seconds
    return limit is None or history.now + limit > clear_at


def pieces_left(machine: QuotaMachine, reservation: Reservation) -> int:
    """All but those that the team uses: what it holds above its guarantee."""
    used = machine.used(reservation.team)
    guarantee = Resources.from_amounts(machine.tree.guarantee(reservation.team))
    over = used - guarantee
    counts = [over.get(name) // amount for name, amount in reservation.resources.amounts()]
    return reservation.replicas - min(reservation.replicas, max(0, *counts))


def pieces_in(rooms: Iterable[Resources], each: Resources) -> int:
    return sum(max(0, min(room.get(name) // amount for name, amount in each.amounts())) for room in rooms)
