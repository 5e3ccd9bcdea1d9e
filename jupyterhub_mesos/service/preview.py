"""What an edit of the teams would do to what waits and runs: tried on a copy of the machine by its own rules.

The copy is given the edit and then the time that passes, stops answered at once, for
`HORIZON_SECONDS`. What would happen without the edit too, by the same trial, is left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from jupyterhub_mesos.configuration import team_values
from jupyterhub_mesos.service.facts import facts_of
from jupyterhub_mesos.service.ledger import Ledger
from jupyterhub_mesos.wire import TeamEffect, TeamsModel
from jupyterhub_mesos_quota.events import (
    Action,
    AllocationGone,
    Event,
    GoneReason,
    Grant,
    StopAllocation,
    TeamsReplaced,
    TimePassed,
)
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import AllocationState, Request, RequestId
from jupyterhub_mesos_quota.resources import AmountName, describe_amount
from jupyterhub_mesos_quota.tree import TeamTree

HORIZON_SECONDS: Final = 3600.0
"""Longer than a minimum run time and a grace together; what comes later, other things change too."""
MOST_STEPS: Final = 200
MOST_EFFECTS: Final = 100


@dataclass(slots=True)
class Trial:
    """What became of requests in a copy: when each would start, and be stopped and why."""

    starts: dict[RequestId, float] = field(default_factory=dict[RequestId, float])
    stops: dict[RequestId, tuple[float, str]] = field(default_factory=dict[RequestId, tuple[float, str]])


async def preview(
    ledger: Ledger, model: TeamsModel, sees: Callable[[Request], bool]
) -> tuple[TeamEffect, ...]:
    """Return what an edit would do; who may not see a request (`sees`) is told its team alone."""
    make, at = _copier(ledger), ledger.clock()
    edited = TeamsReplaced(at, team_values(model))

    def tried() -> list[TeamEffect]:
        before, after, without, with_edit = make(), make(), Trial(), Trial()
        known = {each.sentence for each in _standing(before)}
        _play(after, with_edit, at, [edited])
        standing = [each for each in _standing(after) if each.sentence not in known]
        _live_on(before, without, at)
        _live_on(after, with_edit, at)
        return [
            *standing,
            *_stopped(without, with_edit, after, sees),
            *_started(without, with_edit, after, sees),
        ]

    return tuple((await asyncio.to_thread(tried))[:MOST_EFFECTS])


def _standing(machine: QuotaMachine) -> Iterator[TeamEffect]:
    """Yield what does not hang on time."""
    yield from _promised_beyond(machine)
    yield from _above_limit(machine)


def _copier(ledger: Ledger) -> Callable[[], QuotaMachine]:
    """Return what makes copies of the machine as it is now; it may be called in a thread."""
    machine, policy = ledger.machine, ledger.policy
    teams, nodes = tuple(machine.tree.teams.values()), tuple(machine.reported_nodes.values())
    requests, allocations = tuple(machine.requests.values()), tuple(machine.allocations.values())
    kept = machine.kept()
    payloads = {row.id: row.info.payload for row in ledger.rows()}
    facts = {each.id: facts_of(payloads[each.request_id]) for each in allocations}

    def make() -> QuotaMachine:
        copy = QuotaMachine.restore(teams, nodes, requests, allocations, policy, kept)
        copy.learn(facts)
        return copy

    return make


def _live_on(machine: QuotaMachine, trial: Trial, at: float) -> None:
    """Let what is being stopped end, and the time pass."""
    stopping = (each.id for each in machine.allocations.values() if each.state is AllocationState.STOPPING)
    ends = [AllocationGone(at, id_, GoneReason.STOPPED) for id_ in stopping]
    _play(machine, trial, at, [*ends, TimePassed(at)])
    now = at
    for _ in range(MOST_STEPS):
        due = machine.next_deadline()
        if due is None or due > at + HORIZON_SECONDS:
            break
        now = max(now, due)
        _play(machine, trial, now, [TimePassed(now)])


def _play(machine: QuotaMachine, trial: Trial, now: float, events: Iterable[Event]) -> None:
    """Hand events in, and answer each stop with the end that it asks for."""
    coming = list(events)
    while coming:
        for action in machine.handle(coming.pop(0)):
            coming += _followed(machine, trial, now, action)


def _followed(machine: QuotaMachine, trial: Trial, now: float, action: Action) -> Sequence[Event]:
    match action:
        case Grant():
            trial.starts.setdefault(action.allocation.request_id, now)
        case StopAllocation():
            request = machine.allocations[action.allocation_id].request_id
            trial.stops.setdefault(request, (now, action.reason.value))
            return [AllocationGone(now, action.allocation_id, GoneReason.STOPPED)]
        case _:
            pass
    return []


# ---- effects ----------------------------------------------------------------------------------------


def _stopped(
    without: Trial, with_edit: Trial, machine: QuotaMachine, sees: Callable[[Request], bool]
) -> Iterator[TeamEffect]:
    for id_, (at, reason) in with_edit.stops.items():
        before = without.stops.get(id_)
        if before is None or before[0] > at:
            yield _effect("stopped", machine.requests[id_], at, f"is stopped ({reason}), to wait again", sees)
    for id_ in without.stops.keys() - with_edit.stops.keys():
        yield _effect("spared", machine.requests[id_], None, "goes on, where it would be stopped soon", sees)


def _started(
    without: Trial, with_edit: Trial, machine: QuotaMachine, sees: Callable[[Request], bool]
) -> Iterator[TeamEffect]:
    for id_, at in with_edit.starts.items():
        before = without.starts.get(id_)
        if id_ not in with_edit.stops and (before is None or before > at):
            yield _effect("starts", machine.requests[id_], at, "starts", sees)
    for id_ in without.starts:
        if id_ not in with_edit.starts and id_ not in without.stops:
            yield _effect("waits", machine.requests[id_], None, "waits on, where it would start soon", sees)


def _effect(
    kind: str, request: Request, at: float | None, what: str, sees: Callable[[Request], bool]
) -> TeamEffect:
    is_seen = sees(request)
    whose = f"{request.kind.value} {request.id} of {request.user}" if is_seen else f"a {request.kind.value}"
    return TeamEffect(
        kind=kind,
        team=request.team,
        request=request.id if is_seen else None,
        at=at,
        sentence=f"{whose} ({request.total}, team {request.team}) {what}",
    )


def _above_limit(machine: QuotaMachine) -> Iterator[TeamEffect]:
    """Yield the teams that hold more than they may: nothing more of them starts, and nothing is stopped."""
    for team in machine.tree:
        for name, used, limit in machine.tree[team].limit.exceeded_by(machine.used(team)):
            holds, may = describe_amount(name, used), describe_amount(name, limit)
            sentence = (
                f"team {team} holds {holds} and may hold {may}: what runs goes on, and nothing more starts "
                "until it is less"
            )
            yield TeamEffect(kind="above-limit", team=team, request=None, at=None, sentence=sentence)


def _promised_beyond(machine: QuotaMachine) -> Iterator[TeamEffect]:
    """Yield what is guaranteed to all teams together beyond what the nodes have."""
    there: dict[AmountName, int] = {}
    for node in machine.nodes.values():
        for name, amount in node.capacity.amounts():
            there[name] = there.get(name, 0) + amount
    for name, promised in _promised(machine.tree).items():
        if promised > there.get(name, 0):
            has = describe_amount(name, there.get(name, 0)) if there.get(name) else "nothing"
            sentence = (
                f"{describe_amount(name, promised)} are guaranteed to all teams together, and the nodes have "
                f"{has}: not everybody can have it at once"
            )
            yield TeamEffect(kind="over-committed", team="", request=None, at=None, sentence=sentence)


def _promised(tree: TeamTree) -> dict[AmountName, int]:
    total: dict[AmountName, int] = {}
    for team in tree:
        if tree[team].parent is None:
            for name, amount in tree.guarantee(team).items():
                total[name] = total.get(name, 0) + amount
    return total
