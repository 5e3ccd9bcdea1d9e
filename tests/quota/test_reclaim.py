"""Taking back what was lent: for whom, from whom, in which order, with which manners."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import pytest

from jupyterhub_mesos_quota.errors import QuotaError
from jupyterhub_mesos_quota.events import (
    Action,
    AllocationGone,
    AllocationLost,
    AllocationMoved,
    AllocationReturned,
    Event,
    FactsSeen,
    GoneReason,
    LiftWarning,
    QueuePaused,
    QueueResumed,
    RequestSubmitted,
    StopAllocation,
    StopReason,
    TimePassed,
    WarnAllocation,
)
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import (
    AllocationId,
    AllocationState,
    Facts,
    Node,
    RequestId,
    RequestStatus,
    Team,
    TeamId,
    WorkloadKind,
)
from jupyterhub_mesos_quota.policy import Policy, Reclaim
from jupyterhub_mesos_quota.strategies import LOWEST_USE
from quota_cases import Bench, granted, node, request, state_of, team
from quota_histories import NAMES, RULES, WORDS, ZONES, event_of, random_tree

GRACE = 300.0
MIN_RUN = 60.0

Make = Callable[..., Bench]


@pytest.fixture
def make() -> Make:
    def made(teams: Sequence[Team], nodes: Sequence[Node], **reclaim: float) -> Bench:
        policy = Policy(reclaim=Reclaim(**{"grace_seconds": GRACE, **reclaim}))
        return Bench(QuotaMachine(teams, nodes, policy))

    return made


def submit(bench: Bench, id_: str, who: str, cpu: int = 1, **more: int) -> list[Action]:
    asked = replace(request(id_, who, cpu, **more), kind=WorkloadKind.TRAINING)
    return bench.handle(RequestSubmitted(bench.tick(), asked))


def run(bench: Bench, id_: str, who: str, cpu: int = 1, **more: int) -> None:
    submit(bench, id_, who, cpu, **more)
    bench.run(id_)


def notebook(bench: Bench, id_: str, who: str, cpu: int = 1) -> None:
    assert bench.submit(id_, who, cpu) == [id_]
    bench.run(id_)


def stopped(actions: Sequence[Action]) -> list[str]:
    return [
        action.allocation_id.rsplit("-", 1)[0]
        for action in actions
        if isinstance(action, StopAllocation) and action.reason is StopReason.RECLAIMED
    ]


def warned(actions: Sequence[Action]) -> list[str]:
    return [
        action.allocation_id.rsplit("-", 1)[0] for action in actions if isinstance(action, WarnAllocation)
    ]


TWO = (team("vision", 4), team("speech", 0))


def test_what_is_lent_is_stopped_for_who_waits_inside_and_queued_again_at_its_rank(make: Make) -> None:
    bench = make(TWO, [node("n", 4)])
    run(bench, "s1", "speech", 4)
    assert stopped(submit(bench, "v1", "vision", 4)) == ["s1"]
    rank = bench.machine.requests[RequestId("s1")].rank
    assert bench.gone("s1", GoneReason.STOPPED) == ["v1"]
    again = bench.machine.requests[RequestId("s1")]
    assert (again.status, again.rank) == (RequestStatus.QUEUED, rank)


def test_who_was_taken_goes_before_others_of_its_team_where_the_policy_says_so(make: Make) -> None:
    bench = make(TWO, [node("n", 4)], requeues_first=True)
    run(bench, "s1", "speech", 3)
    submit(bench, "s2", "speech", 2)
    run(bench, "s3", "speech")
    assert stopped(submit(bench, "v1", "vision", 1)) == ["s3"]
    bench.gone("s3", GoneReason.STOPPED)
    assert bench.queue() == ["s3", "s2"]
    again = QuotaMachine.restore(
        bench.machine.tree.teams.values(),
        bench.machine.nodes.values(),
        bench.machine.requests.values(),
        bench.machine.allocations.values(),
    )
    assert [waiting.id for waiting in again.queue()] == ["s3", "s2"]


def test_a_workload_that_fails_of_its_stop_is_queued_again(make: Make) -> None:
    bench = make(TWO, [node("n", 4)])
    run(bench, "s1", "speech", 4)
    submit(bench, "v1", "vision", 4)
    bench.gone("s1", GoneReason.FAILED)
    assert bench.status("s1") is RequestStatus.QUEUED


def test_one_that_finished_before_its_stop_is_over(make: Make) -> None:
    bench = make(TWO, [node("n", 4)])
    run(bench, "s1", "speech", 4)
    submit(bench, "v1", "vision", 4)
    assert bench.gone("s1", GoneReason.FINISHED) == ["v1"]
    assert bench.status("s1") is RequestStatus.ENDED


def test_nothing_is_taken_for_who_would_borrow(make: Make) -> None:
    bench = make([team("a", 1), team("b")], [node("n", 4)])
    run(bench, "b1", "b", 4)
    assert stopped(submit(bench, "a1", "a", 2)) == []


def test_of_two_that_each_stand_inside_but_not_together_one_is_served(make: Make) -> None:
    bench = make([team("a", 2), team("b")], [node("n", 8)])
    for id_ in ("b1", "b2", "b3", "b4"):
        run(bench, id_, "b", 2)
    assert stopped(submit(bench, "a1", "a", 2)) == ["b4"]
    assert stopped(submit(bench, "a2", "a", 2)) == []


def test_nothing_is_taken_of_a_team_inside_its_guarantee(make: Make) -> None:
    bench = make([team("a", 4), team("b", 4)], [node("n", 4)])
    run(bench, "b1", "b", 4)
    assert stopped(submit(bench, "a1", "a", 4)) == []
    assert bench.why("a1") == "no-room"


def test_one_that_was_lost_can_be_taken_as_soon_as_it_returns(make: Make) -> None:
    bench = make(TWO, [node("n", 4)])
    run(bench, "s1", "speech", 4)
    id_ = bench.live("s1").id
    bench.handle(AllocationLost(bench.tick(), id_))
    assert stopped(submit(bench, "v1", "vision", 4)) == []
    assert stopped(bench.handle(AllocationReturned(bench.tick(), id_))) == ["s1"]


def test_nothing_is_taken_of_an_amount_inside_the_guarantee_of_who_borrows_another(make: Make) -> None:
    bench = make([team("a", 3), team("b", 2)], [node("n", 4, h200=1)])
    run(bench, "b1", "b", 2)
    run(bench, "b2", "b", 0, h200=1)
    assert stopped(submit(bench, "a1", "a", 3)) == []


def test_nothing_is_taken_where_room_could_not_be_made_whole(make: Make) -> None:
    bench = make([team("a", 8), team("b", 4), team("c")], [node("n", 8)])
    run(bench, "b1", "b", 4)
    run(bench, "c1", "c", 4)
    assert stopped(submit(bench, "a1", "a", 8)) == []
    assert stopped(submit(bench, "a2", "a", 4)) == ["c1"]


def test_what_is_being_stopped_already_counts_as_free(make: Make) -> None:
    bench = make(TWO, [node("n", 4)])
    run(bench, "s1", "speech", 2)
    run(bench, "s2", "speech", 2)
    bench.end("s1")
    assert stopped(submit(bench, "v1", "vision", 2)) == []
    assert stopped(submit(bench, "v2", "vision", 2)) == ["s2"]


def test_the_fewest_are_taken(make: Make) -> None:
    bench = make(TWO, [node("n", 6)])
    for id_, cpu in (("s1", 1), ("s2", 1), ("s3", 4)):
        run(bench, id_, "speech", cpu)
    assert stopped(submit(bench, "v1", "vision", 4)) == ["s3"]


def learn(bench: Bench, id_: str, **facts: bool) -> list[Action]:
    return bench.handle(FactsSeen(bench.tick(), bench.live(id_).id, Facts(**facts)))


@pytest.mark.parametrize(
    ("facts", "victim"),
    [
        ({}, "s4"),  # the youngest
        ({"s1": "has_checkpoint"}, "s1"),
        ({"s1": "has_checkpoint", "s2": "is_parkable"}, "s2"),
        ({"s1": "has_checkpoint", "s2": "is_parkable", "s3": "is_idle"}, "s3"),
    ],
)
def test_the_least_harmful_is_taken(make: Make, facts: dict[str, str], victim: str) -> None:
    bench = make(TWO, [node("n", 4)])
    for number in range(1, 5):
        run(bench, f"s{number}", "speech")
    for id_, fact in facts.items():
        learn(bench, id_, **{fact: True})
    assert stopped(submit(bench, "v1", "vision", 1)) == [victim]


def test_of_equals_the_team_furthest_above_its_guarantee_gives_first_and_its_youngest(make: Make) -> None:
    bench = make([team("a", 3), team("b", 1), team("c")], [node("n", 9)])
    for id_, who in (
        ("b1", "b"),
        ("b2", "b"),
        ("b3", "b"),
        ("b4", "b"),
        ("b5", "b"),
        ("c1", "c"),
        ("c2", "c"),
    ):
        run(bench, id_, who)
    run(bench, "c3", "c", 2)
    # Each of the two is 4 above: the youngest goes. Then c is 2 above, and b gives, though c's are younger.
    assert stopped(submit(bench, "a1", "a", 2)) == ["c3"]
    assert stopped(submit(bench, "a2", "a", 1)) == ["b5"]


def test_of_nodes_alike_the_one_of_the_team_furthest_above_is_cleared(make: Make) -> None:
    bench = make([team("a", 2), team("b"), team("c")], [node(id_, 2) for id_ in "lmn"])
    for id_, who in (("b1", "b"), ("b2", "b"), ("c1", "c")):
        run(bench, id_, who, 2)
    assert stopped(submit(bench, "a1", "a", 2)) == ["b2"]


def test_by_lowest_use_the_furthest_above_is_who_uses_the_most_of_its_guarantee() -> None:
    policy = Policy(strategy=LOWEST_USE, reclaim=Reclaim())
    bench = Bench(QuotaMachine([team("a", 2), team("b", 4), team("c", 1)], [node("n", 8)], policy))
    run(bench, "c1", "c", 2)  # twice its guarantee, and 1 above it
    for id_ in ("b1", "b2", "b3", "b4", "b5", "b6"):
        run(bench, id_, "b")  # one and a half times, and 2 above it
    assert stopped(submit(bench, "a1", "a", 1)) == ["c1"]


def test_the_node_where_least_is_lost_is_cleared(make: Make) -> None:
    bench = make(TWO, [node("m", 2), node("n", 2)])
    for id_ in ("s1", "s2", "s3", "s4"):
        run(bench, id_, "speech")
    here = bench.live("s1").placements[0].node
    idle = [id_ for id_ in ("s1", "s2", "s3", "s4") if bench.live(id_).placements[0].node == here]
    for id_ in idle:
        learn(bench, id_, is_idle=True)
    assert sorted(stopped(submit(bench, "v1", "vision", 2))) == sorted(idle)


def test_nobody_is_taken_before_it_ran_its_time(make: Make) -> None:
    bench = make(TWO, [node("n", 4)], min_runtime_seconds=MIN_RUN)
    run(bench, "s1", "speech", 4)
    assert stopped(submit(bench, "v1", "vision", 4)) == []
    ripe = bench.live("s1").started_at
    assert ripe is not None
    assert bench.machine.next_deadline() == ripe + MIN_RUN
    assert stopped(bench.handle(TimePassed(ripe + MIN_RUN - 1))) == []
    assert stopped(bench.handle(TimePassed(ripe + MIN_RUN))) == ["s1"]
    assert bench.machine.next_deadline() is None


def test_who_could_not_be_served_is_looked_at_again_when_something_ended_elsewhere(make: Make) -> None:
    bench = make([team("a", 4), team("b", 4), team("c")], [node("m", 4), node("n", 4)])
    run(bench, "b1", "b", 4)
    run(bench, "c1", "c", 2)
    run(bench, "b2", "b", 2)
    submit(bench, "a1", "a", 4)
    assert stopped(bench.handle(TimePassed(bench.tick()))) == []
    bench.end("b1")
    bench.gone("b1")
    # b holds 2 and no more than it is guaranteed: with m free, nothing needs to be taken.
    assert bench.status("a1") is RequestStatus.ACTIVE
    assert bench.machine.next_deadline() is None


def test_a_notebook_is_warned_and_stopped_when_its_grace_is_over(make: Make) -> None:
    bench = make(TWO, [node("n", 4)])
    notebook(bench, "s1", "speech", 4)
    actions = submit(bench, "v1", "vision", 4)
    (warning,) = (action for action in actions if isinstance(action, WarnAllocation))
    assert warning.until == bench.now + GRACE
    assert warning.why == "team vision takes its guarantee back"
    assert bench.live("s1").state is AllocationState.WARNED
    assert bench.machine.next_deadline() == warning.until
    assert stopped(bench.handle(TimePassed(warning.until - 1))) == []
    assert stopped(bench.handle(TimePassed(warning.until))) == ["s1"]
    assert bench.gone("s1", GoneReason.STOPPED) == ["v1"]


def test_a_warning_is_lifted_when_its_room_is_not_needed_any_more(make: Make) -> None:
    bench = make(TWO, [node("n", 4)])
    notebook(bench, "s1", "speech", 4)
    submit(bench, "v1", "vision", 4)
    actions = bench.end("v1")
    assert [type(action) for action in actions if not isinstance(action, AllocationMoved)][-1] is LiftWarning
    assert bench.live("s1").state is AllocationState.RUNNING
    assert bench.live("s1").warned_until is None


def test_a_warned_notebook_is_taken_before_another_is_disturbed(make: Make) -> None:
    bench = make(TWO, [node("n", 4)])
    notebook(bench, "s1", "speech", 2)
    notebook(bench, "s2", "speech", 2)
    assert warned(submit(bench, "v1", "vision", 2)) == ["s2"]
    learn(bench, "s1", is_idle=True)
    assert bench.live("s1").state is AllocationState.RUNNING
    assert bench.live("s2").state is AllocationState.WARNED


def test_a_restored_warning_keeps_its_time(make: Make) -> None:
    bench = make(TWO, [node("n", 4)])
    notebook(bench, "s1", "speech", 4)
    submit(bench, "v1", "vision", 4)
    until = bench.live("s1").warned_until
    machine = bench.machine
    restored = QuotaMachine.restore(
        machine.tree.teams.values(),
        machine.nodes.values(),
        machine.requests.values(),
        machine.allocations.values(),
        Policy(reclaim=Reclaim(grace_seconds=GRACE)),
    )
    assert restored.next_deadline() == until
    assert until is not None
    assert stopped(restored.handle(TimePassed(until))) == ["s1"]


def test_a_warning_without_its_time_begins_anew(make: Make) -> None:
    bench = make(TWO, [node("n", 4)])
    notebook(bench, "s1", "speech", 4)
    submit(bench, "v1", "vision", 4)
    machine = bench.machine
    rows = [replace(allocation, warned_until=None) for allocation in machine.allocations.values()]
    restored = QuotaMachine.restore(
        machine.tree.teams.values(),
        machine.nodes.values(),
        machine.requests.values(),
        rows,
        Policy(reclaim=Reclaim(grace_seconds=GRACE)),
    )
    assert stopped(restored.handle(TimePassed(1_000.0))) == []
    assert restored.next_deadline() == 1_000.0 + GRACE


def test_a_family_gives_back_to_its_own_before_strangers_do(make: Make) -> None:
    """Org is inside its guarantee as a whole: only its own family takes back what b1 uses of it."""
    teams = [
        team("org", 6),
        team("b1", 2, parent="org"),
        team("b2", 4, parent="org"),
        team("stranger", 2),
    ]
    bench = make(teams, [node("n", 6)])
    run(bench, "big", "b1", 6)
    assert stopped(submit(bench, "s", "stranger", 2)) == []
    assert stopped(submit(bench, "mine", "b2", 4)) == ["big"]


def test_a_limit_shared_with_cousins_is_freed_under_it(make: Make) -> None:
    teams = [team("lab", limit=4), team("a", 3, parent="lab"), team("b", parent="lab"), team("c")]
    bench = make(teams, [node("n", 9)])
    run(bench, "b1", "b", 3)
    run(bench, "c1", "c", 2)
    assert stopped(submit(bench, "a1", "a", 3)) == ["b1"]


def test_a_parent_gives_back_what_it_promised_on(make: Make) -> None:
    bench = make([team("org", 4), team("child", 3, parent="org")], [node("n", 4)])
    run(bench, "own", "org", 4)
    assert stopped(submit(bench, "c", "child", 3)) == ["own"]


def test_a_gang_clears_as_many_nodes_as_it_needs(make: Make) -> None:
    bench = make([team("a", 4), team("b")], [node("l", 2), node("m", 2), node("n", 2)])
    for id_ in ("b1", "b2", "b3"):
        run(bench, id_, "b", 2)
    assert len(stopped(submit(bench, "a1", "a", 2, replicas=2))) == 2


def test_room_that_is_being_made_is_not_taken_by_a_borrower(make: Make) -> None:
    bench = make([team("a", 4), team("b"), team("c")], [node("n", 4)])
    for id_ in ("b1", "b2"):
        run(bench, id_, "b", 2)
    assert sorted(stopped(submit(bench, "a1", "a", 4))) == ["b1", "b2"]
    submit(bench, "c1", "c", 1)
    assert bench.gone("b1", GoneReason.STOPPED) == []
    assert bench.gone("b2", GoneReason.STOPPED) == ["a1"]


# ---- random histories -----------------------------------------------------------------------------

LENGTH = 60


@pytest.mark.parametrize("seed", range(40))
def test_what_is_taken_is_lent_and_serves_who_waits_inside(seed: int) -> None:
    """Over random trees and events, with a backend that obeys: rules hold, nobody is taken twice for one."""
    random = Random(seed)
    tree, other = random_tree(random), random_tree(random)
    reclaim = Reclaim(random.choice([0.0, 3.0]), random.choice([0.0, 4.0]))
    machine = QuotaMachine(tree, [node("n0", 6, h200=2), node("n1", 4)], Policy(reclaim=reclaim))
    bench = Bench(machine)
    stopping: list[AllocationId] = []
    for at in range(1, LENGTH):
        event = next_event(machine, random, float(at), (stopping, other))
        if event is None:
            continue
        before = state_of(machine)
        over = {id_: not machine.borrowed(id_).is_zero for id_ in machine.tree}
        try:
            actions = bench.handle(event)
        except QuotaError:
            assert state_of(machine) == before
            continue
        for action in actions:
            if isinstance(action, StopAllocation) and action.reason is StopReason.RECLAIMED:
                allocation = machine.allocations[action.allocation_id]
                assert over[allocation.team] or is_promised_on(machine, allocation.team)
                assert at >= (allocation.started_at or allocation.granted_at) + reclaim.min_runtime_seconds
                stopping.append(action.allocation_id)


def is_promised_on(machine: QuotaMachine, id_: str) -> bool:
    return any(str(machine.tree[each].parent) == id_ for each in machine.tree)


def next_event(
    machine: QuotaMachine, random: Random, at: float, around: tuple[list[AllocationId], tuple[Team, ...]]
) -> Event | None:
    stopping, other = around
    if stopping and random.random() < 0.5:
        return AllocationGone(at, stopping.pop(0), GoneReason.STOPPED)
    if random.random() < 0.2:
        return TimePassed(at)
    step = (random.choice(WORDS[:-3]), *(random.randint(0, 11) for _ in range(4)))
    return event_of(machine, step, at, other)


@pytest.mark.parametrize("seed", range(60))
def test_every_plan_makes_the_room_it_promised_and_nothing_goes_back_and_forth(seed: int) -> None:
    """When all that was stopped is gone, who it was stopped for starts; then nothing more is taken."""
    random = Random(seed)
    zones = ZONES if seed % 2 else ("",)
    machine = QuotaMachine(
        random_tree(random),
        [
            node(f"n{number}", random.randint(2, 6), h200=1, zone=random.choice(zones), labels=labels)
            for number, labels in enumerate(({"kind": "new"}, {}, {}, {"kind": "new"})[: 3 + len(zones) // 2])
        ],
        Policy(reclaim=Reclaim(0.0, 0.0)),
    )
    at = 0.0
    for number in range(24):
        at += 1
        rule = random.choice(RULES) if seed % 2 else None
        replicas = random.randint(1, 4) if rule is not None else 1
        asked = request(
            f"r{number}",
            random.choice(NAMES),
            random.randint(1, 4),
            h200=random.randint(0, 1),
            replicas=replicas,
            rule=rule,
        )
        try:
            actions = machine.handle(RequestSubmitted(at, replace(asked, kind=WorkloadKind.TRAINING)))
        except QuotaError:
            continue
        settle(machine, at, actions)
    machine.audit_state()


def settle(machine: QuotaMachine, at: float, actions: list[Action]) -> None:
    rounds = 0
    while victims := [a.allocation_id for a in actions if isinstance(a, StopAllocation)]:
        rounds += 1
        assert rounds < 12, "it goes back and forth"
        waiting = [each for each in machine.queue() if machine.explain(each.id).code == "waits-for-reclaim"]
        actions = []
        for id_ in victims:
            actions += machine.handle(AllocationGone(at, id_, GoneReason.STOPPED))
        assert granted(actions), f"{victims} were stopped for nothing; {waiting} wait"


@pytest.mark.parametrize(("nodes", "gangs"), [(4, 2), (6, 3), (8, 3)])
def test_room_made_for_several_gangs_of_one_size_is_kept_until_all_of_them_start(
    nodes: int, gangs: int
) -> None:
    """Each end changes the plan; what was cleared before stays laid aside, or borrowers take it again."""
    teams = [team("lender", h200=8 * nodes), team("borrower")]
    policy = Policy(reclaim=Reclaim(min_runtime_seconds=0.0, grace_seconds=0.0))
    machine = QuotaMachine(teams, [node(f"n{number}", 1, h200=8) for number in range(nodes)], policy)
    for number in range(nodes):
        machine.handle(RequestSubmitted(0.0, request(f"b{number}", "borrower", 0, h200=8)))
    machine.handle(QueuePaused(1.0, TeamId("lender")))
    for number in range(gangs):
        asked = replace(request(f"g{number}", "lender", 0, h200=8), replicas=2)
        machine.handle(RequestSubmitted(2.0, asked))
    actions = machine.handle(QueueResumed(3.0, TeamId("lender")))
    taken = 0
    while stops := [action.allocation_id for action in actions if isinstance(action, StopAllocation)]:
        taken += len(stops)
        assert taken <= 2 * gangs, "more is taken than the gangs have replicas"
        actions = [
            action for id_ in stops for action in machine.handle(AllocationGone(4.0, id_, GoneReason.STOPPED))
        ]
    asked_for = [machine.requests[RequestId(f"g{number}")].status for number in range(gangs)]
    assert asked_for == [RequestStatus.ACTIVE] * gangs
