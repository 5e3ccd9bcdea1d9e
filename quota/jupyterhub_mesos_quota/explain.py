"""Why a request waits: a code for machines, a sentence and a cure for people.

Sentences name teams, amounts and nodes, never people or other requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from jupyterhub_mesos_quota.admission import Admission, Verdict
from jupyterhub_mesos_quota.bars import Bar, Obstacle
from jupyterhub_mesos_quota.explain_rules import (
    describe_rule,
    explain_labels,
    explain_small_zones,
    explain_zones,
    nodes_with,
)
from jupyterhub_mesos_quota.model import Request, RequestStatus, TeamId
from jupyterhub_mesos_quota.moments import tell_moment
from jupyterhub_mesos_quota.resources import AmountName, describe, describe_amount
from jupyterhub_mesos_quota.sizes import Size
from jupyterhub_mesos_quota.usage import Hindrance, Rule, Standing

MOST_HOLDERS: Final = 3
"""Teams named in one sentence: more is a table, and the capacity page has one."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a request stands; `position` counts from 1 among the `waiting`, None where it does not wait.

    `possible_at` is the moment, in Unix seconds, before which it cannot start; None where none is known.
    """

    code: str
    sentence: str
    cure: str = ""
    position: int | None = None
    waiting: int = 0
    possible_at: float | None = None


_BY_STATUS: Final[Mapping[RequestStatus, tuple[str, str]]] = {
    RequestStatus.HELD: ("It stands aside at its place until it is released.", "Confirm the start."),
    RequestStatus.ACTIVE: ("It has what it asked for.", ""),
    RequestStatus.ENDED: ("It has ended.", "Ask again to start anew."),
    RequestStatus.WITHDRAWN: ("It was withdrawn while it waited.", "Ask again to start anew."),
}


def explain_status(request: Request, waiting: int) -> Explanation:
    """Say how a request stands that does not wait; the code is its status."""
    sentence, cure = _BY_STATUS[request.status]
    return Explanation(request.status, sentence, cure, waiting=waiting)


def explain_bar(obstacle: Obstacle) -> Explanation:
    """Say what keeps a request from starting, whatever room there is."""
    if obstacle.bar is Bar.BUDGET:
        who = "" if obstacle.user is None else "Its user in "
        whose = f"{who}team {obstacle.team}" if who else f"Team {obstacle.team}"
        return Explanation(
            obstacle.bar,
            f"{whose} has used up the accelerator-hours of its budget.",
            "It starts by itself when enough of what was used lies outside the budget's window.",
            possible_at=obstacle.until,
        )
    if obstacle.bar is Bar.PAUSED or obstacle.name is None:
        whose = "The queue" if obstacle.team is None else f"The queue of team {obstacle.team}"
        return Explanation(
            obstacle.bar,
            f"{whose} is paused by an admin.",
            "It waits at its place until the queue is resumed.",
        )
    asked, bound = (describe_amount(obstacle.name, amount) for amount in (obstacle.asked, obstacle.bound))
    held = describe_amount(obstacle.name, obstacle.held)
    return Explanation(
        obstacle.bar,
        f"{asked} asked for; one user may hold {bound} in team {obstacle.team}, and this user holds {held}.",
        "It starts by itself when this user has ended enough of what runs.",
    )


class Shape(NamedTuple):
    """Who asks, and for what."""

    team: TeamId
    size: Size


def explain_waiting(admission: Admission, request: Request) -> Explanation:
    """Say why a queued request is not granted now: what could never be first, then rules, then room."""
    shape = Shape(request.team, admission.line.size_for(request))
    verdict = admission.judge(shape.team, shape.size)
    if verdict.placements is not None:
        return Explanation("next", "There is room: it starts with the next look at the queue.")
    return (
        _never(admission, shape)
        or _ruled_out(admission, shape, verdict)
        or _booked(shape, verdict)
        or _makes_way(shape, verdict)
        or _behind(admission, shape, verdict)
        or _zoned(admission, shape)
        or _lent_out(admission, shape, verdict)
        or _no_room(admission, shape)
    )


def _never(admission: Admission, shape: Shape) -> Explanation | None:
    pool = admission.pool
    if not pool.nodes:
        return Explanation(
            "no-nodes",
            "No node has been reported yet.",
            "It starts by itself when nodes come; if none do, an admin should look at the backend.",
        )
    if pool.could_ever_hold(shape.size):
        return None
    asked = _asked(shape)
    told = explain_labels(pool, shape.size) or explain_small_zones(pool, shape.size, asked)
    if told is not None:
        return Explanation(*told)
    nodes = nodes_with(pool, shape.size.rule)
    if any(shape.size.resources.fits_in(node.capacity) for node in nodes):
        most = pool.most_replicas_when_empty(shape.size)
        less = f"ask for {most} at most" if most else "ask for less per replica"
        return Explanation(
            "cluster-too-small",
            f"{asked} asked for; the nodes that take new work could hold {most} of {shape.size.replicas}, "
            "even if empty.",
            f"Withdraw it and {less}, or wait until an admin adds or reopens nodes.",
        )
    largest = max(nodes, key=lambda node: (_part_held(shape, node.capacity.get), node.id))
    return Explanation(
        "no-node-that-large",
        f"{asked} asked for; no node could ever hold one replica of that: "
        f"the nearest, {largest.id}, has {largest.capacity}.",
        "Withdraw it and ask for less per replica, or ask an admin for a larger node.",
    )


def _part_held(shape: Shape, has: Callable[[AmountName], int]) -> float:
    return min(has(name) / amount for name, amount in shape.size.each)


def _ruled_out(admission: Admission, shape: Shape, verdict: Verdict) -> Explanation | None:
    found = verdict.hindrance
    if found is None:
        return None
    asked, room = describe_amount(found.name, found.asked), describe_amount(found.name, found.room)
    bound = describe_amount(found.name, found.bound)
    match found.rule:
        case Rule.TEAM_LIMIT:
            sentence = (
                f"{asked} asked for; team {found.team} may hold {bound} at most and has {room} of it left."
            )
            cure = f"It starts when the team frees enough, or when an admin raises the limit of {found.team}."
        case Rule.PARENT_LIMIT:
            if verdict.standing is Standing.INSIDE:
                return _lent_within(admission, shape, found)
            sentence = (
                f"{asked} asked for; the teams under {found.team} may hold {bound} together "
                f"and have {room} of it left."
            )
            cure = f"It starts when they free enough, or when an admin raises the limit of {found.team}."
        case Rule.BORROW_CAP:
            sentence = (
                f"{asked} asked for, above the guarantee; team {found.team} may borrow {bound} at most "
                f"and has {room} of it left."
            )
            cure = f"It starts when the team frees enough, or an admin raises the borrow cap of {found.team}."
        case Rule.LEND_CAP:
            sentence = (
                f"{asked} asked for, above the guarantee; {room} may still be lent: "
                f"team {found.team} keeps the rest of its idle guarantee for itself."
            )
            cure = f"It starts when others free enough, or when an admin raises the lend cap of {found.team}."
    return Explanation(found.rule, sentence, cure)


def _lent_within(admission: Admission, shape: Shape, found: Hindrance) -> Explanation:
    asked, room = describe_amount(found.name, found.asked), describe_amount(found.name, found.room)
    return Explanation(
        "waits-for-reclaim",
        f"{asked} asked for, inside the guarantee of team {shape.team}; the teams under {found.team} "
        f"have {room} of their limit left{_holders(admission, [found.name], shape.team)}.",
        "It is the next to start when those who borrow free enough.",
    )


def _makes_way(shape: Shape, verdict: Verdict) -> Explanation | None:
    if not verdict.makes_way_for:
        return None
    return Explanation(
        "makes-way",
        f"{_asked(shape)} asked for by team {shape.team} would fit; but room is being made for a higher "
        f"priority of {_teams(verdict.makes_way_for)}.",
        "It starts when that has started and room is left.",
    )


def _booked(shape: Shape, verdict: Verdict) -> Explanation | None:
    if not verdict.booked:
        return None
    told = [
        f"team {each.team} has booked {each.total} from {tell_moment(each.starts_at)} "
        f"until {tell_moment(each.ends_at)}"
        for each in verdict.booked[:MOST_HOLDERS]
    ]
    first = min(each.starts_at for each in verdict.booked)
    return Explanation(
        "reserved",
        f"{_asked(shape)} asked for by team {shape.team} would fit; but {', '.join(told)}.",
        "It starts when that is over or cancelled, or when more is freed; "
        f"with a time limit that ends before {tell_moment(first)} it may start sooner.",
    )


def _behind(admission: Admission, shape: Shape, verdict: Verdict) -> Explanation | None:
    if not verdict.rivals or admission.pool.place(shape.size) is None:
        return None
    teams = verdict.rivals
    waits = "waits inside its guarantee" if len(teams) == 1 else "wait inside their guarantees"
    return Explanation(
        "behind-guarantee",
        f"{_asked(shape)} asked for, above the guarantee of team {shape.team}, would fit; "
        f"but {_teams(teams)} {waits} for the same amounts and nodes: first served.",
        "It starts when those have started and room is left, or when it fits into the team's own guarantee.",
    )


def _zoned(admission: Admission, shape: Shape) -> Explanation | None:
    told = explain_zones(admission.pool, shape.size, _asked(shape))
    return None if told is None else Explanation(*told)


def _lent_out(admission: Admission, shape: Shape, verdict: Verdict) -> Explanation | None:
    if verdict.standing is not Standing.INSIDE:
        return None
    names = [name for name, _ in _short(admission, shape)] or [name for name, _ in shape.size.each]
    if not any(_borrowers(admission, names, shape.team)):
        return None
    return Explanation(
        "waits-for-reclaim",
        f"{_asked(shape)} asked for, inside the guarantee of team {shape.team}, which is lent out: "
        f"{_free_now(admission, shape, names)} free{_holders(admission, names, shape.team)}.",
        "It is among the next to start when those who borrow free enough.",
    )


def _no_room(admission: Admission, shape: Shape) -> Explanation:
    short = _short(admission, shape)
    if not short:
        return Explanation(
            "fragmented",
            f"{_asked(shape)} asked for; enough is free in sum, but not on nodes that hold "
            + ("a whole replica." if shape.size.replicas == 1 else "all replicas."),
            "It starts when enough is freed on one node; a smaller request may start at once.",
        )
    names = [name for name, _ in short]
    return Explanation(
        "no-room",
        f"{_free_now(admission, shape, names)} free, {describe(dict(short))} {_verb(dict(short))} asked for"
        f"{_holders(admission, names, shape.team)}.",
        "It starts by itself when enough is freed; a smaller request may start at once.",
    )


def _asked(shape: Shape) -> str:
    amounts = str(shape.size.resources)
    if shape.size.replicas > 1:
        amounts = f"{shape.size.replicas} x ({amounts})"
    return amounts + describe_rule(shape.size.rule)


def _short(admission: Admission, shape: Shape) -> list[tuple[AmountName, int]]:
    free = admission.pool.free_for(shape.size)
    return [(name, amount) for name, amount in shape.size.total if amount > free.get(name, 0)]


def _free_now(admission: Admission, shape: Shape, names: Sequence[AmountName]) -> str:
    room = admission.pool.free_for(shape.size)
    free = {name: room.get(name, 0) for name in names}
    return f"{describe(free)} {_verb(free)}"


def _verb(amounts: Mapping[AmountName, int]) -> str:
    return "is" if describe(amounts).startswith("1 ") and len(amounts) == 1 else "are"


def _teams(teams: Sequence[TeamId]) -> str:
    return f"team {teams[0]}" if len(teams) == 1 else f"teams {', '.join(teams[:-1])} and {teams[-1]}"


def _borrowers(
    admission: Admission, names: Sequence[AmountName], but: TeamId
) -> list[tuple[TeamId, dict[AmountName, int]]]:
    """Return the leaf-most teams that hold any of `names` above their guarantee, the most first."""
    found: list[tuple[TeamId, dict[AmountName, int]]] = []
    for team in admission.tree:
        over = admission.usage.borrowed(team)
        mine = {name: over[name] for name in names if name in over}
        is_told_below = any(admission.usage.borrowed(child) for child in admission.tree.children(team))
        if mine and team != but and not is_told_below:
            found.append((team, mine))
    return sorted(found, key=lambda entry: (-max(entry[1].values()), entry[0]))


def _holders(admission: Admission, names: Sequence[AmountName], but: TeamId) -> str:
    """Say who borrows what is missing, or where nobody does, who holds it."""
    told = [f"team {team} borrows {describe(over)}" for team, over in _borrowers(admission, names, but)]
    if not told:
        used = [(team, admission.usage.used(team)) for team in admission.tree]
        told = [
            f"team {team} holds {describe({name: held[name] for name in names if held.get(name)})}"
            for team, held in used
            if not admission.tree.children(team) and any(held.get(name) for name in names)
        ]
    rest = len(told) - MOST_HOLDERS
    if rest > 0:
        told = [*told[:MOST_HOLDERS], f"{rest} more {'team' if rest == 1 else 'teams'}"]
    return f"; {', '.join(told)}" if told else ""
