"""Whether a reservation may be booked: that it makes sense, and that no promise clashes with it.

At every moment of it, what is booked stands beside every guarantee, the team's own
included, and all of it together must fit: into what the nodes have in sum, each
piece on a node, and under the limit of the team and of each above. What runs is
not asked: it ends, or is taken back.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Final

from jupyterhub_mesos_quota.errors import Clash, Overbooked, RefusedReservation
from jupyterhub_mesos_quota.model import Node, NodeId, Reservation, ReservationId, TeamId
from jupyterhub_mesos_quota.moments import DAY_SECONDS, tell_moment
from jupyterhub_mesos_quota.resources import AmountName, Unlimited, describe_amount
from jupyterhub_mesos_quota.tree import Amounts, TeamTree, add_amounts

LONGEST_SECONDS: Final = 31 * DAY_SECONDS
"""A promise for longer is a guarantee."""
FURTHEST_SECONDS: Final = 366 * DAY_SECONDS
"""How far ahead one may begin: what the cluster has then is anybody's guess."""
MOST_BOOKED: Final = 1_000
"""Reservations at a time: each costs a look at every booking."""


def check_booking(
    asked: Reservation,
    at: float,
    tree: TeamTree,
    nodes: Mapping[NodeId, Node],
    booked: Mapping[ReservationId, Reservation],
) -> None:
    """Refuse a reservation that cannot be kept.

    Raises `UnknownTeam`, `RefusedReservation` for one that makes no sense, `Overbooked` with the first clash.
    """
    tree[asked.team]
    _check_amounts(asked)
    _check_times(asked, at)
    if len(booked) >= MOST_BOOKED:
        raise RefusedReservation(
            f"{len(booked)} reservations are booked, and more than {MOST_BOOKED} are not kept: "
            "cancel one that is not needed, or book when one is over."
        )
    beside = [other for other in booked.values() if overlaps(asked, other)]
    for moment in sorted({asked.starts_at, *(each.starts_at for each in beside)}):
        if moment >= asked.starts_at:
            _check_moment(asked, moment, tree, nodes, [each for each in beside if is_on(each, moment)])


def overlaps(one: Reservation, other: Reservation) -> bool:
    """Say whether there is a moment at which both are on."""
    return one.starts_at < other.ends_at and other.starts_at < one.ends_at


def is_on(reservation: Reservation, at: float) -> bool:
    """Say whether a reservation is on at a moment."""
    return reservation.starts_at <= at < reservation.ends_at


def _check_amounts(asked: Reservation) -> None:
    if asked.replicas < 1:
        raise RefusedReservation(
            f"{asked.replicas} pieces are to be booked; 1 or more are possible: book at least 1."
        )
    amounts = asked.resources.amounts()
    if not amounts:
        raise RefusedReservation(
            "Nothing is to be booked; a piece has some CPU, memory or accelerator: name an amount."
        )
    for name, amount in amounts:
        if amount < 0:
            raise RefusedReservation(f"{amount} is to be booked of {name}; an amount is 0 or more.")


def _check_times(asked: Reservation, at: float) -> None:
    if not (isfinite(asked.starts_at) and isfinite(asked.ends_at)):
        raise RefusedReservation("A reservation begins and ends at moments in Unix seconds: name both.")
    begins, ends = tell_moment(asked.starts_at), tell_moment(asked.ends_at)
    if asked.ends_at <= asked.starts_at:
        raise RefusedReservation(
            f"The reservation would end {ends}, not after its begin {begins}: name a later end."
        )
    if asked.starts_at < at:
        raise RefusedReservation(
            f"The reservation would begin {begins}, and it is {tell_moment(at)} already: name a later begin."
        )
    if asked.ends_at - asked.starts_at > LONGEST_SECONDS:
        raise RefusedReservation(
            f"From {begins} to {ends} is longer than {LONGEST_SECONDS // DAY_SECONDS} days: book less at a "
            "time, or ask an admin for a guarantee."
        )
    if asked.starts_at - at > FURTHEST_SECONDS:
        raise RefusedReservation(
            f"{begins} is more than {FURTHEST_SECONDS // DAY_SECONDS} days ahead: book it when it is nearer."
        )


# ---- one moment -----------------------------------------------------------------------------------


def _check_moment(
    asked: Reservation,
    at: float,
    tree: TeamTree,
    nodes: Mapping[NodeId, Node],
    beside: Sequence[Reservation],
) -> None:
    for above in tree.path(asked.team):
        _check_limit(asked, at, tree, above, beside)
    _check_sum(asked, at, tree, nodes, beside)
    _check_pieces(asked, at, nodes, beside)


def _check_limit(
    asked: Reservation, at: float, tree: TeamTree, above: TeamId, beside: Sequence[Reservation]
) -> None:
    under = [each for each in beside if above in tree.path(each.team)]
    taken = _sum(under)
    add_amounts(taken, tree.guarantee(above))
    for name, amount in asked.total.amounts():
        limit = tree[above].limit.get(name)
        if not isinstance(limit, Unlimited) and taken.get(name, 0) + amount > limit:
            clash = _clash(asked, at, name, limit - taken.get(name, 0), under, above)
            guaranteed = describe_amount(name, tree.guarantee(above).get(name, 0))
            raise Overbooked(
                f"{_what(asked, name)} booked for team {asked.team}; team {above} may hold "
                f"{describe_amount(name, limit)} at most and is guaranteed {guaranteed} of it"
                f"{_told(under)}, so that {_possible(clash, asked)} from {tell_moment(at)}: "
                f"book that, another time, or ask an admin to raise the limit of {above}.",
                clash,
            )


def _check_sum(
    asked: Reservation,
    at: float,
    tree: TeamTree,
    nodes: Mapping[NodeId, Node],
    beside: Sequence[Reservation],
) -> None:
    has, promised = _capacity(nodes.values()), _promised(tree)
    taken = _sum(beside)
    add_amounts(taken, promised)
    for name, amount in asked.total.amounts():
        if taken.get(name, 0) + amount > has.get(name, 0):
            clash = _clash(asked, at, name, has.get(name, 0) - taken.get(name, 0), beside, None)
            raise Overbooked(
                f"{_what(asked, name)} booked; the nodes have {describe_amount(name, has.get(name, 0))}, of "
                f"which teams are guaranteed {describe_amount(name, promised.get(name, 0))}{_told(beside)}, "
                f"so that {_possible(clash, asked)} from {tell_moment(at)}: book that, or another time.",
                clash,
            )


def _check_pieces(
    asked: Reservation, at: float, nodes: Mapping[NodeId, Node], beside: Sequence[Reservation]
) -> None:
    possible = most_pieces(asked, nodes.values(), beside)
    if possible < asked.replicas:
        name, amount = asked.resources.amounts()[-1]
        raise Overbooked(
            f"{asked.replicas} x ({asked.resources}) to be booked; the nodes, if empty, hold "
            f"{possible} of them{_told(beside)} from {tell_moment(at)}: book that many, "
            "smaller pieces, or another time.",
            _clash(asked, at, name, possible * amount, beside, None),
        )


def most_pieces(asked: Reservation, nodes: Iterable[Node], beside: Sequence[Reservation]) -> int:
    """Return how many pieces, at most those asked for, the empty nodes hold beside all that is booked."""
    capacities = [dict(node.capacity.amounts()) for node in nodes]
    counts = range(asked.replicas + 1)
    failing = bisect_left(
        counts,
        True,
        key=lambda count: not _all_fit(capacities, [*beside, replace(asked, replicas=count)]),
    )
    return max(0, failing - 1)


def _all_fit(capacities: Sequence[Amounts], booked: Sequence[Reservation]) -> bool:
    """Say whether all pieces find a node: the largest first, onto the tightest node that does."""
    rooms = [dict(capacity) for capacity in capacities]
    for reservation in sorted(booked, key=_largest_first):
        left, each = reservation.replicas, reservation.resources.amounts()
        for room in sorted(rooms, key=lambda room: sorted(room.items())):
            copies = min(left, *(max(0, room.get(name, 0)) // amount for name, amount in each))
            left -= copies
            for name, amount in each if copies else ():
                room[name] -= amount * copies
        if left:
            return False
    return True


def _largest_first(reservation: Reservation) -> tuple[int, int, int, ReservationId]:
    """Order by accelerators, CPU and memory of a piece."""
    each = reservation.resources
    accelerators = sum(count for _, count in each.accelerators)
    return -accelerators, -each.cpu_millis, -each.mem_mib, reservation.id


# ---- sums and sentences -----------------------------------------------------------------------------


def _sum(reservations: Iterable[Reservation]) -> Amounts:
    total: Amounts = {}
    for each in reservations:
        add_amounts(total, dict(each.total.amounts()))
    return total


def _capacity(nodes: Iterable[Node]) -> Amounts:
    total: Amounts = {}
    for node in nodes:
        add_amounts(total, dict(node.capacity.amounts()))
    return total


def _promised(tree: TeamTree) -> Amounts:
    """Return what all teams are guaranteed: the roots' sum, as a parent's covers its children's."""
    total: Amounts = {}
    for team in tree:
        if tree[team].parent is None:
            add_amounts(total, tree.guarantee(team))
    return total


def _clash(
    asked: Reservation,
    at: float,
    name: AmountName,
    possible: int,
    beside: Sequence[Reservation],
    team: TeamId | None,
) -> Clash:
    ids = tuple(each.id for each in beside if each.total.get(name))
    return Clash(at, name, asked.total.get(name), max(0, possible), team, ids)


def _what(asked: Reservation, name: AmountName) -> str:
    return f"{describe_amount(name, asked.total.get(name))} to be"


def _told(beside: Sequence[Reservation]) -> str:
    if not beside:
        return ""
    told = (f"{each.id} of team {each.team} until {tell_moment(each.ends_at)}" for each in beside)
    return f", and others have booked ({'; '.join(told)})"


def _possible(clash: Clash, asked: Reservation) -> str:
    pieces = clash.possible // asked.resources.get(clash.name)
    whole = "piece is" if pieces == 1 else "pieces are"
    return f"{describe_amount(clash.name, clash.possible)} of it, {pieces} {whole} possible"
