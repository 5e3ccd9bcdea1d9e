"""The fast machine decides as the slow and plain reference does, grant by grant, over random histories.

`QUOTA_HISTORIES` names how many; some thousands are worth a coffee after a change of the core.
"""

from __future__ import annotations

import os
from random import Random

import pytest

from jupyterhub_mesos_quota.errors import QuotaError
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.policy import Policy
from jupyterhub_mesos_quota.strategies import FAIR, FIFO, LOWEST_USE
from jupyterhub_mesos_quota.tree import TeamTree
from quota_cases import node
from quota_histories import WORDS, ZONES, event_of, random_tree
from quota_reference import Reference

HISTORIES = int(os.environ.get("QUOTA_HISTORIES", "80"))
LENGTH = 40
POLICIES = (
    Policy(),
    Policy(),
    Policy(patience_seconds=8),
    Policy(strategy=LOWEST_USE),
    Policy(strategy=FIFO, patience_seconds=5),
    Policy(strategy=FAIR, most_holds=1),
)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(8))
def test_the_machine_grants_what_the_reference_grants(part: int) -> None:
    for seed in range(part, HISTORIES, 8):
        play(seed)


def play(seed: int) -> None:
    random = Random(seed)
    tree, other = random_tree(random), random_tree(random)
    nodes = [
        node("n0", 4, h200=1),
        node("n1", random.randint(1, 6), zone=random.choice(ZONES), labels={"kind": "new"}),
        node("n2", 3, h200=random.randint(0, 3)),
        node("n3", random.randint(1, 4), zone="x"),
    ]
    policy = random.choice(POLICIES)
    machine = QuotaMachine(tree, nodes, policy)
    reference = Reference(TeamTree(tree), {each.id: each for each in nodes}, policy)
    for at in range(1, LENGTH):
        step = (random.choice(WORDS), *(random.randint(0, 11) for _ in range(4)))
        event = event_of(machine, step, float(at), other)
        if event is None:
            continue
        try:
            actions = machine.handle(event)
        except QuotaError:
            continue
        try:
            reference.follow(event, actions)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, at {at}, {policy}, after {event}: {error}") from error
