"""Histories with everything in them: the rules hold, and a replay or a restart changes nothing."""

from __future__ import annotations

import pytest

from jupyterhub_mesos_quota.events import Action, Event, FactsSeen
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.policy import Policy
from quota_cases import state_of
from quota_whole import NODES, History, answer_of

LENGTH = 90
SEEDS = 40


def everything(machine: QuotaMachine) -> object:
    return state_of(machine), machine.kept(), machine.next_deadline()


def audited(history: History, _event: Event, _actions: list[Action]) -> None:
    history.machine.audit_state()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_happens_the_invariants_hold(seed: int) -> None:
    history = History.begin(seed)
    history.watches = [audited]
    history.play(LENGTH)
    assert len(history.events) > LENGTH / 2


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
