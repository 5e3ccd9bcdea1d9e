"""Histories with everything in them: the rules hold, and a replay or a restart changes nothing."""

from __future__ import annotations

import pytest

from jupyterhub_mesos_quota.errors import RefusedRequest
from jupyterhub_mesos_quota.events import FactsSeen, TimePassed
from jupyterhub_mesos_quota.intake import check_submission
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import Request
from jupyterhub_mesos_quota.policy import Policy
from quota_cases import state_of
from quota_watches import audited, stops_are_right, what_is_booked_is_left_alone
from quota_whole import NODES, History, answer_of

LENGTH = 90
MOST_ENDS = 400
"""Ends that empty a queue of some dozens, with budgets that have to come free again."""
NEVER = {"no-node-that-large", "cluster-too-small", "no-nodes", "lend-cap"}
"""Why a request may wait for ever."""
SEEDS = 40


def everything(machine: QuotaMachine) -> object:
    return state_of(machine), machine.kept(), machine.next_deadline()


@pytest.mark.parametrize("seed", range(2 * SEEDS))
def test_whatever_happens_the_rules_hold(seed: int) -> None:
    history = History.begin(seed)
    history.watches = [audited, stops_are_right, what_is_booked_is_left_alone]
    history.play(LENGTH)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_when_nothing_new_comes_all_that_can_start_does(seed: int) -> None:
    """Nobody is stuck: with all levers let go, and what runs ending one by one, the queue empties."""
    history = History.begin(seed)
    history.play(LENGTH)
    history.let_go()
    for _ in range(MOST_ENDS):
        if not history.end_one():
            break
    history.tell(TimePassed(history.now))  # what is explained is as of the last moment told
    stuck = [each for each in history.machine.queue() if is_possible(history.machine, each)]
    assert {each.id: history.machine.explain(each.id) for each in stuck} == {}


def is_possible(machine: QuotaMachine, asked: Request) -> bool:
    """Whether it could ever start: the tree was edited since, and nodes are as large as they are."""
    try:
        check_submission(machine.tree, asked)
    except RefusedRequest:
        return False
    return machine.explain(asked.id).code not in NEVER


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_replay_of_the_events_gives_the_same_actions_and_the_same_state(seed: int) -> None:
    history = History.begin(seed)
    first = tuple(history.machine.tree.teams.values())
    history.play(LENGTH)
    again = QuotaMachine(first, NODES, history.policy)
    assert [answer_of(again, event) for event in history.events] == history.answers
    assert everything(again) == everything(history.machine)


def restored(machine: QuotaMachine, policy: Policy) -> QuotaMachine:
    return QuotaMachine.restore(
        machine.tree.teams.values(),
        machine.reported_nodes.values(),
        machine.requests.values(),
        machine.allocations.values(),
        policy,
        machine.kept(),
    )


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_restart_in_the_middle_changes_nothing(seed: int) -> None:
    history = History.begin(seed)
    history.play(LENGTH // 2)
    new = restored(history.machine, history.policy)
    new.audit_state()
    assert [each.id for each in new.queue()] == [each.id for each in history.machine.queue()]
    for event in [event for event in history.events if isinstance(event, FactsSeen)]:
        if event.allocation_id in new.allocations:
            answer_of(new, event)
    begun = len(history.events)
    history.play(LENGTH // 2)
    for event, actions in zip(history.events[begun:], history.answers[begun:], strict=True):
        assert answer_of(new, event) == actions
    assert everything(new) == everything(history.machine)
