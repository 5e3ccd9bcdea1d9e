"""Random trees, nodes and histories for the tests of the decision core."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from jupyterhub_mesos_quota.errors import TreeError
from jupyterhub_mesos_quota.events import (
    AllocationClaimed,
    AllocationGone,
    AllocationLost,
    AllocationReturned,
    AllocationStarted,
    EndRequested,
    Event,
    GoneReason,
    GrantUnclaimed,
    NodeRemoved,
    NodeSeen,
    RequestHeld,
    RequestReleased,
    RequestSubmitted,
    TeamsReplaced,
)
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import AllocationId, NodeId, RequestId, Team, TeamId
from jupyterhub_mesos_quota.rules import PlacementRule, Zones
from jupyterhub_mesos_quota.tree import TeamTree
from quota_cases import bounds, node, request, res

NAMES = ("t0", "t1", "t2", "t3", "t4")
HISTORY = 30
"""Steps per history: enough to fill, free, lose and refill four small nodes."""

Step = tuple[str, int, int, int, int]
"""What happens, and four choices."""

WORDS = (
    "hold",
    "release",
    *["submit"] * 8,
    *["end", "claim", "start", "unclaimed", "lost", "returned", "gone", "gone", "gone"],
    *["node", "node gone", "teams"],
)

ZONES = ("", "x", "y", "x")
RULES: tuple[PlacementRule | None, ...] = (
    *[None] * 5,
    PlacementRule.of(zones=Zones.ONE),
    PlacementRule.of(zones=Zones.SPREAD),
    PlacementRule.of(zones=Zones.SPREAD, prefer_zone="y"),
    PlacementRule.of({"kind": "new"}),
    PlacementRule.of({"kind": "new"}, Zones.SPREAD),
    PlacementRule.of(prefer_zone="x"),
    PlacementRule.of({"kind": "new"}, Zones.ONE, "y"),
)
"""One for each pair of choices; more than half of what is asked for has one."""

small = st.integers(0, 4)
maybe_bound = st.one_of(st.none(), st.none(), st.none(), st.integers(0, 6))


@st.composite
def trees(draw: st.DrawFn) -> tuple[Team, ...]:
    """Any five teams: parents stand before their children, so that no tree is a loop; some are refused."""
    teams: list[Team] = []
    for number, name in enumerate(NAMES):
        parent = draw(st.one_of(st.none(), st.none(), st.sampled_from(NAMES[:number]))) if number else None
        guarantee = draw(small)
        limit = draw(st.one_of(st.none(), st.none(), st.integers(guarantee, 12)))
        teams.append(
            Team(
                id=TeamId(name),
                parent=None if parent is None else TeamId(parent),
                guarantee=res(guarantee, h200=draw(st.integers(0, 1))),
                limit=bounds(limit),
                lend=bounds(draw(maybe_bound)),
                borrow=bounds(draw(maybe_bound)),
                weight=draw(st.integers(1, 3)),
            )
        )
    return tuple(teams)


@st.composite
def steps(draw: st.DrawFn) -> Step:
    return draw(st.sampled_from(WORDS)), *(draw(st.integers(0, 11)) for _ in range(4))


def event_of(machine: QuotaMachine, step: Step, at: float, other_tree: tuple[Team, ...]) -> Event | None:
    """Turn a step into an event about what is there now; None where there is nothing of the kind."""
    word, a, b, c, d = step
    if word == "submit":
        asked = request(
            f"r{int(at)}",
            NAMES[a % 5],
            1 + b % 4,
            replicas=1 + (c % 3) * (d % 2),
            priority=c % 2,
            h200=d // 10,
            rule=RULES[b // 4 * 4 + c // 3],
        )
        return RequestSubmitted(at, replace(asked, submitted_at=at), is_held=a > 9)
    if word == "node":
        labels = {"kind": "new"} if b > 5 else {}
        seen = node(f"n{a % 4}", 1 + b % 6, h200=c % 3, open_=d > 0, zone=ZONES[c // 3], labels=labels)
        return NodeSeen(at, seen)
    if word == "node gone":
        return NodeRemoved(at, NodeId(f"n{a % 4}"))
    if word == "teams":
        return TeamsReplaced(at, other_tree)
    if word in {"end", "hold", "release"}:
        ids = sorted(machine.requests)
        return request_event(word, at, ids[a % len(ids)]) if ids else None
    allocations = sorted(machine.allocations)
    return allocation_event(word, at, allocations[a % len(allocations)], b) if allocations else None


def request_event(word: str, at: float, id_: RequestId) -> Event:
    if word == "end":
        return EndRequested(at, id_)
    return RequestHeld(at, id_, "told to") if word == "hold" else RequestReleased(at, id_, "told to")


def allocation_event(word: str, at: float, id_: AllocationId, choice: int) -> Event:
    simple = {
        "claim": AllocationClaimed,
        "start": AllocationStarted,
        "unclaimed": GrantUnclaimed,
        "lost": AllocationLost,
        "returned": AllocationReturned,
    }
    if word in simple:
        return simple[word](at, id_)
    return AllocationGone(at, id_, list(GoneReason)[choice % len(GoneReason)])


def good(tree: tuple[Team, ...]) -> bool:
    try:
        QuotaMachine(tree)
    except TreeError:
        return False
    return True


good_trees = trees().filter(good)
histories = st.lists(steps(), min_size=HISTORY // 2, max_size=HISTORY)
relaxed = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
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
