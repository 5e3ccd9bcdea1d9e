"""Who may end, kept from one plan to the next, is what it would be if it were laid out anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from random import Random

import pytest

from jupyterhub_mesos_quota.model import (
    Allocation,
    AllocationId,
    AllocationState,
    Facts,
    NodeId,
    Placement,
    RequestId,
    TeamId,
)
from jupyterhub_mesos_quota.offers import OfferBook
from quota_cases import res

STATES = (AllocationState.RUNNING, AllocationState.RUNNING, AllocationState.WARNED, AllocationState.GRANTED)


def some_allocation(random: Random, number: int) -> Allocation:
    nodes = random.sample(["n0", "n1", "n2"], random.randint(1, 2))
    return Allocation(
        id=AllocationId(f"r{number}-1"),
        request_id=RequestId(f"r{number}"),
        team=TeamId(random.choice("ab")),
        placements=tuple(Placement(i, NodeId(node), res(1)) for i, node in enumerate(nodes)),
        granted_at=float(random.randint(0, 5)),
        state=random.choice(STATES),
    )


def in_order(book: OfferBook) -> tuple[list[NodeId], dict[NodeId, list[AllocationId]]]:
    on_node = {
        node: [allocation.id for _, allocation in offers.in_order(lambda _team: (0,))]
        for node, offers in book.on_node.items()
    }
    return book.by_harm, on_node


def laid_out_anew(allocations: Iterable[Allocation], facts: dict[AllocationId, Facts]) -> OfferBook:
    book = OfferBook()
    book.facts = facts
    book.update(allocations)
    return book


@pytest.mark.parametrize("seed", range(20))
def test_what_is_kept_is_what_is_laid_out_anew(seed: int) -> None:
    random = Random(seed)
    book, running = OfferBook(), dict[int, Allocation]()
    for step in range(60):
        number = random.randrange(12)
        if number not in running:
            running[number] = some_allocation(random, number)
        elif random.random() < 0.3:
            del running[number]
        elif random.random() < 0.5:
            running[number] = replace(running[number], state=random.choice(STATES), started_at=float(step))
        else:
            book.facts[running[number].id] = Facts(is_idle=random.random() < 0.5, is_parkable=True)
        book.update(running.values())
        assert in_order(book) == in_order(laid_out_anew(running.values(), dict(book.facts)))
