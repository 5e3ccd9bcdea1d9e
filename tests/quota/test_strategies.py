"""The order as a named strategy, and the bound on how long a large request is passed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyterhub_mesos_quota.events import AllocationGone, GoneReason, RequestSubmitted
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import AllocationId, RequestId, RequestStatus
from jupyterhub_mesos_quota.policy import Policy
from jupyterhub_mesos_quota.strategies import STRATEGIES
from quota_cases import granted, node, request, team


def queue_under(name: str) -> list[str]:
    """Team big is guaranteed 4 and uses 2; small is guaranteed 2 and uses 2; none borrows 2 of 6."""
    policy = Policy(strategy=STRATEGIES[name])
    machine = QuotaMachine([team("big", 4), team("small", 2), team("none")], [node("n", 6)], policy)
    for number, (who, cpu) in enumerate((("big", 2), ("small", 2), ("none", 2))):
        machine.handle(RequestSubmitted(1.0, request(f"{who}-{number}", who, cpu)))
    for who in ("none", "small", "big"):
        machine.handle(RequestSubmitted(2.0, request(who, who, 3)))
    return [waiting.id for waiting in machine.queue()]


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("fair", ["small", "big", "none"]),  # small and big hold nothing above their guarantee yet
        ("lowest-use", ["big", "small", "none"]),  # a half, the whole, more than nothing
        ("fifo", ["none", "small", "big"]),
    ],
)
def test_each_strategy_orders_in_its_way(name: str, order: list[str]) -> None:
    assert queue_under(name) == order


def test_fifo_knows_no_promise_but_keeps_limits() -> None:
    policy = Policy(strategy=STRATEGIES["fifo"])
    machine = QuotaMachine([team("a", 2), team("b", limit=1)], [node("n", 2)], policy)
    machine.handle(RequestSubmitted(1.0, request("a1", "a", 2)))
    machine.handle(RequestSubmitted(2.0, request("b1", "b", 1)))
    machine.handle(RequestSubmitted(3.0, request("b2", "b", 1)))
    machine.handle(RequestSubmitted(4.0, request("a2", "a", 1)))
    gone = AllocationGone(5.0, AllocationId("a1-1"), GoneReason.FINISHED)
    assert granted(machine.handle(gone)) == ["b1", "a2"]


RUN = 10.0
"""How long each small one runs."""
PATIENCE = 60.0


def hours_of_small_ones(policy: Policy, until: float) -> tuple[float | None, int]:
    """A large request among small ones that come one a second; when it started, and most idle cores then."""
    machine = QuotaMachine([team("small"), team("large")], [node("m", 4), node("n", 4)], policy)
    ends: dict[float, list[AllocationId]] = {}
    idle = 0
    at = 0.0
    while at < until:
        at += 1.0
        actions = []
        for id_ in ends.pop(at, []):
            actions += machine.handle(AllocationGone(at, id_, GoneReason.FINISHED))
        small = replace(request(f"s{int(at)}", "small"), submitted_at=at)
        actions += machine.handle(RequestSubmitted(at, small))
        if at == 20.0:
            asked = replace(request("large", "large", 4), submitted_at=at)
            actions += machine.handle(RequestSubmitted(at, asked))
        if "large" in granted(actions):
            return at, idle
        for id_ in granted(actions):
            ends.setdefault(at + RUN, []).append(AllocationId(f"{id_}-1"))
        free = sum(machine.free(each).cpu_millis for each in machine.nodes) // 1000
        idle = max(idle, free if len(machine.requests) and at > RUN else 0)
    return None, idle


def test_without_patience_small_ones_starve_a_large_one() -> None:
    machine_policy = Policy()
    started, _ = hours_of_small_ones(machine_policy, 400.0)
    assert started is None


def test_with_patience_a_large_one_starts_within_patience_and_one_run() -> None:
    started, idle = hours_of_small_ones(Policy(patience_seconds=PATIENCE), 400.0)
    assert started is not None
    assert started <= 20.0 + PATIENCE + RUN + 1
    assert idle <= 4, "no more than the one node that is laid aside idles"


def test_patience_lays_nothing_aside_for_who_a_limit_stops() -> None:
    machine = QuotaMachine([team("a", limit=4), team("b")], [node("n", 4)], Policy(patience_seconds=PATIENCE))
    machine.handle(RequestSubmitted(0.0, request("a1", "a", 1)))
    machine.handle(RequestSubmitted(0.0, request("a2", "a", 4)))
    later = replace(request("b1", "b", 3), submitted_at=10 * PATIENCE)
    assert granted(machine.handle(RequestSubmitted(10 * PATIENCE, later))) == ["b1"]
    assert machine.requests[RequestId("a2")].status is RequestStatus.QUEUED
