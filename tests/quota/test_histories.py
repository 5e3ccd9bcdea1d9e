"""Random trees, nodes and histories: whatever happens, the rules hold, and the same rows decide the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given

from jupyterhub_mesos_quota.errors import IllegalMove, InvariantBroken, QuotaError, RefusedRequest, TreeError
from jupyterhub_mesos_quota.events import (
    Action,
    AllocationGone,
    EndRequested,
    Event,
    GoneReason,
    Grant,
    NodeSeen,
    RequestMoved,
    RequestSubmitted,
)
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import (
    Allocation,
    NodeId,
    Request,
    RequestId,
    RequestStatus,
    Team,
    TeamId,
)
from jupyterhub_mesos_quota.moves import LIVE_STATES
from jupyterhub_mesos_quota.resources import NOTHING, Resources
from jupyterhub_mesos_quota.rules import Zones
from quota_cases import Bench, granted, node, request, res, state_of
from quota_histories import HISTORY, Step, event_of, good_trees, histories, relaxed, trees


def play(
    tree: tuple[Team, ...], other: tuple[Team, ...], history: Iterable[Step]
) -> tuple[Bench, list[list[Action]]]:
    """Play a history, checking everything after every event; return what was done."""
    made = Bench(QuotaMachine(tree, [node("n0", 4, h200=1), node("n1", 2)]))
    done: list[list[Action]] = []
    for number, step in enumerate(history, start=1):
        event = event_of(made.machine, step, float(number), other)
        if event is None:
            continue
        before = state_of(made.machine)
        try:
            actions = made.handle(event)
        except (IllegalMove, RefusedRequest, TreeError):
            assert state_of(made.machine) == before
            continue
        done.append(actions)
        check_after(made.machine, actions)
    return made, done


# ---- naive checks: written from the rules alone, over rows, with no counter of the machine ------------


def naive_total(allocations: Iterable[Allocation]) -> Resources:
    total = NOTHING
    for allocation in allocations:
        total += allocation.total
    return total


def live(machine: QuotaMachine) -> list[Allocation]:
    return [allocation for allocation in machine.allocations.values() if allocation.state in LIVE_STATES]


def is_leaf_inside(machine: QuotaMachine, asked: Request) -> bool:
    """Whether a leaf team's request stands inside its guarantee: what it holds and asks is at most that."""
    if machine.tree.children(asked.team):
        return False
    held = naive_total(allocation for allocation in live(machine) if allocation.team == asked.team)
    guarantee = Resources.from_amounts(machine.tree.guarantee(asked.team))
    return all((held + asked.total).get(name) <= guarantee.get(name) for name, _ in asked.total.amounts())


def naive_free(machine: QuotaMachine, allocations: Sequence[Allocation]) -> dict[NodeId, Resources]:
    free = {id_: each.capacity for id_, each in machine.nodes.items() if each.is_schedulable}
    for allocation in allocations:
        for placement in allocation.placements:
            if placement.node in free:
                free[placement.node] -= placement.resources
    return free


def naively_fits(asked: Request, free: dict[NodeId, Resources]) -> bool:
    placed = 0
    for room in free.values():
        left = room
        while placed < asked.replicas and asked.resources.fits_in(left):
            left -= asked.resources
            placed += 1
    return placed == asked.replicas


def within_limits(machine: QuotaMachine, asked: Request, allocations: Sequence[Allocation]) -> bool:
    for above in machine.tree.path(asked.team):
        under = [each for each in allocations if above in machine.tree.path(each.team)]
        if next(machine.tree[above].limit.exceeded_by(naive_total(under) + asked.total), None):
            return False
    return True


def devices_are_free(machine: QuotaMachine, asked: Request) -> bool:
    """Whether names cannot be what is missing: a shrunken node's lost devices are not looked for here."""
    return not any(name.startswith("accelerator/") for name, _ in asked.resources.amounts())


def check_rule_kept(machine: QuotaMachine, allocation: Allocation) -> None:
    """Count the replicas of a grant by zone, from the nodes alone."""
    asked = machine.requests[allocation.request_id]
    if asked.rule is None:
        return
    nodes = [machine.nodes[placement.node] for placement in allocation.placements]
    assert all(set(asked.rule.labels) <= set(each.labels) for each in nodes)
    able = [
        each
        for each in machine.nodes.values()
        if each.is_schedulable
        and set(asked.rule.labels) <= set(each.labels)
        and asked.resources.fits_in(each.capacity)
    ]
    by_zone = Counter(dict.fromkeys((each.zone for each in able), 0))
    by_zone.update(each.zone for each in nodes)
    if asked.rule.zones is Zones.ONE:
        assert len({each.zone for each in nodes}) == 1
    if asked.rule.zones is Zones.SPREAD:
        assert max(by_zone.values()) - min(by_zone.values()) <= 1


def check_after(machine: QuotaMachine, actions: Sequence[Action]) -> None:
    for action in actions:
        if isinstance(action, Grant):
            check_rule_kept(machine, action.allocation)
    borrowers = [
        action.allocation
        for action in actions
        if isinstance(action, Grant) and not action.allocation.borrowed.is_zero
    ]
    without = [allocation for allocation in live(machine) if allocation.id not in {b.id for b in borrowers}]
    for waiting in machine.queue():
        assert not machine.could_start(waiting.team, waiting.resources, waiting.replicas, waiting.rule)
        if not is_leaf_inside(machine, waiting):
            continue
        if waiting.rule is None and devices_are_free(machine, waiting):
            free = naive_free(machine, without)
            assert not (naively_fits(waiting, free) and within_limits(machine, waiting, without)), (
                f"{waiting.id} waits inside its guarantee and would have fit before the borrowers"
            )
    for number, waiting in enumerate(machine.queue(), start=1):
        found = machine.explain(waiting.id)
        assert (found.position, found.waiting) == (number, len(machine.queue()))
        assert found.sentence.endswith(".")
        assert found.cure


# ---- claims ---------------------------------------------------------------------------------------


@relaxed
@given(good_trees, trees(), histories)
def test_the_rules_hold_after_every_event(
    tree: tuple[Team, ...], other: tuple[Team, ...], history: list[Step]
) -> None:
    play(tree, other, history)


@relaxed
@given(good_trees, trees(), histories)
def test_the_same_events_give_the_same_actions(
    tree: tuple[Team, ...], other: tuple[Team, ...], history: list[Step]
) -> None:
    made, done = play(tree, other, history)
    again = QuotaMachine(tree, [node("n0", 4, h200=1), node("n1", 2)])
    assert [again.handle(event) for event in made.events] == done
    assert state_of(again) == state_of(made.machine)


@relaxed
@given(good_trees, trees(), histories, histories)
def test_a_machine_restored_from_its_rows_decides_like_the_one_that_lived_on(
    tree: tuple[Team, ...],
    other: tuple[Team, ...],
    before: list[Step],
    after: list[Step],
) -> None:
    lived, _ = play(tree, other, before)
    machine = lived.machine
    machine.forget_ended()
    rows = (list(machine.requests.values()), list(machine.allocations.values()))
    teams, nodes = tuple(machine.tree.teams.values()), tuple(machine.nodes.values())
    restored = QuotaMachine.restore(teams, nodes, *(reversed(row) for row in rows))
    restored.audit_state()
    assert [each.id for each in restored.queue()] == [each.id for each in machine.queue()]
    for number, step in enumerate(after, start=HISTORY + 1):
        event = event_of(machine, step, float(number), other)
        if event is not None:
            assert outcome(restored, event) == outcome(machine, event)
            restored.audit_state()


def outcome(machine: QuotaMachine, event: Event) -> object:
    try:
        return machine.handle(event)
    except QuotaError as error:
        return error.code


@relaxed
@given(good_trees, trees(), histories)
def test_the_actions_alone_tell_every_status(
    tree: tuple[Team, ...], other: tuple[Team, ...], history: list[Step]
) -> None:
    made, done = play(tree, other, history)
    told: dict[RequestId, RequestStatus] = {}
    for action in (action for actions in done for action in actions):
        if isinstance(action, RequestMoved):
            assert told.get(action.request_id) is action.before
            told[action.request_id] = action.after
    assert told == {each.id: each.status for each in made.machine.requests.values()}


@relaxed
@given(good_trees, trees(), histories)
def test_when_all_is_gone_everything_is_free(
    tree: tuple[Team, ...], other: tuple[Team, ...], history: list[Step]
) -> None:
    made, _ = play(tree, other, history)
    at = float(HISTORY)
    while unfinished := [each for each in made.machine.requests.values() if is_unfinished(each)]:
        at += 1
        made.handle(EndRequested(at, unfinished[0].id))
        for allocation in live(made.machine):
            if made.machine.requests[allocation.request_id].is_ending:  # stopping, or lost since
                made.handle(AllocationGone(at, allocation.id, GoneReason.STOPPED))
    assert all(made.machine.free(id_) == each.capacity for id_, each in made.machine.nodes.items())
    assert all(made.machine.used(each).is_zero for each in made.machine.tree)


def is_unfinished(each: Request) -> bool:
    return each.status in {RequestStatus.QUEUED, RequestStatus.ACTIVE}


def test_a_restored_machine_grants_nothing_before_the_next_event() -> None:
    waiting = request("r", "t0")
    machine = QuotaMachine.restore([Team(TeamId("t0"))], [node("n", 1)], [waiting], [])
    assert machine.requests[waiting.id].status is RequestStatus.QUEUED
    assert machine.explain(waiting.id).code == "next"
    assert granted(machine.handle(NodeSeen(1.0, node("n", 1)))) == ["r"]


def test_a_restored_request_is_older_than_whoever_comes_next() -> None:
    old = replace(request("old", "t0"), rank=7)
    machine = QuotaMachine.restore([Team(TeamId("t0"), guarantee=res(4))], [], [old], [])
    machine.handle(RequestSubmitted(1.0, request("a-new", "t0")))
    assert [each.id for each in machine.queue()] == ["old", "a-new"]


def test_an_allocation_on_a_node_that_is_not_seen_yet_is_kept() -> None:
    first = QuotaMachine([Team(TeamId("t0"))], [node("n", 1)])
    first.handle(RequestSubmitted(1.0, request("r", "t0")))
    again = QuotaMachine.restore(
        [Team(TeamId("t0"))], [], first.requests.values(), first.allocations.values()
    )
    again.audit_state()
    again.handle(RequestSubmitted(2.0, request("s", "t0")))
    assert again.handle(NodeSeen(3.0, node("n", 1))) == []


def test_a_live_allocation_without_its_request_is_told_at_once() -> None:
    first = QuotaMachine([Team(TeamId("t0"))], [node("n", 1)])
    first.handle(RequestSubmitted(1.0, request("r", "t0")))
    with pytest.raises(InvariantBroken, match="has no request r"):
        QuotaMachine.restore([Team(TeamId("t0"))], [], [], first.allocations.values())
