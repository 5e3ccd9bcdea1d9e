"""The fast machine decides as the slow and plain reference does, grant by grant, over random histories.

`QUOTA_HISTORIES` names how many; some thousands are worth a coffee after a change of the core.
"""

from __future__ import annotations

import os
from random import Random

import pytest

from jupyterhub_mesos_quota.errors import QuotaError, TreeError
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import Team, TeamId
from jupyterhub_mesos_quota.policy import Policy
from jupyterhub_mesos_quota.strategies import FAIR, FIFO, LOWEST_USE
from jupyterhub_mesos_quota.tree import TeamTree
from quota_cases import bounds, node, res
from quota_histories import NAMES, WORDS, event_of
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


def random_tree(random: Random) -> tuple[Team, ...]:
    while True:
        teams = [random_team(random, number, name) for number, name in enumerate(NAMES)]
        try:
            TeamTree(teams)
        except TreeError:
            continue
        return tuple(teams)


def random_team(random: Random, number: int, name: str) -> Team:
    parent = random.choice([None, *NAMES[:number]]) if number else None
    guarantee = random.randint(0, 4)

    def maybe(low: int, high: int, chance: float) -> int | None:
        return random.randint(low, high) if random.random() < chance else None

    return Team(
        id=TeamId(name),
        parent=None if parent is None else TeamId(parent),
        guarantee=res(guarantee, h200=random.randint(0, 2)),
        limit=bounds(maybe(guarantee, 12, 0.3)),
        lend=bounds(maybe(0, 4, 0.2)),
        borrow=bounds(maybe(0, 6, 0.2)),
        weight=random.randint(1, 3),
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
        node("n1", random.randint(1, 6)),
        node("n2", 3, h200=random.randint(0, 3)),
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
