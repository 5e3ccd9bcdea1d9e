"""A higher priority takes the place of a lower one of its own team, and of nobody else."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from jupyterhub_mesos_quota.errors import QuotaError
from jupyterhub_mesos_quota.events import (
    Action,
    AllocationGone,
    EndRequested,
    FactsSeen,
    GoneReason,
    LiftWarning,
    QueuePaused,
    QueueResumed,
    RequestSubmitted,
    StopAllocation,
    StopReason,
    TimePassed,
)
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import (
    AllocationId,
    AllocationState,
    Facts,
    RequestId,
    RequestStatus,
    TeamId,
    WorkloadKind,
)
from jupyterhub_mesos_quota.policy import Policy, Preempt, Reclaim
from quota_bookings import bench_of, stopped, train, warned
from quota_cases import Bench, granted, node, request, team
from quota_histories import NAMES, random_tree

GRACE = 300.0
MIN_RUN = 60.0
PREEMPTS = Policy(preempt=Preempt(grace_seconds=GRACE))


def run(bench: Bench, id_: str, who: str, cpu: int = 1, *, priority: int = 0) -> None:
    assert granted(train(bench, id_, who, cpu, priority=priority)) == [id_]
    bench.run(id_)


def ask(
    bench: Bench, id_: str, who: str, cpu: int = 1, *, priority: int = 1, replicas: int = 1
) -> dict[str, str]:
    """Submit a training; return whom that stops."""
    return stopped(train(bench, id_, who, cpu, priority=priority, replicas=replicas))


def gone(bench: Bench, id_: str) -> list[str]:
    return bench.gone(id_, GoneReason.STOPPED)


def test_inside_the_guarantee_a_higher_priority_takes_a_lower_ones_place() -> None:
    bench = bench_of([team("a", 4), team("b")], [node("n", 4)], PREEMPTS)
    run(bench, "low", "a", 4)
    rank = bench.machine.requests[RequestId("low")].rank
    assert ask(bench, "high", "a", 4) == {"low": "preempted"}
    assert gone(bench, "low") == ["high"]
    again = bench.machine.requests[RequestId("low")]
    assert (again.status, again.rank) == (RequestStatus.QUEUED, rank)
    assert bench.gone("high") == ["low"]


def test_under_the_limit_a_higher_priority_takes_a_lower_ones_place() -> None:
    bench = bench_of([team("a", limit=4)], [node("n", 8)], PREEMPTS)
    run(bench, "low", "a", 2)
    run(bench, "low too", "a", 2)
    assert ask(bench, "high", "a", 2) == {"low too": "preempted"}
    assert gone(bench, "low too") == ["high"]
    assert bench.queue() == ["low too"]


def test_under_a_borrow_cap_a_higher_priority_takes_a_lower_ones_place() -> None:
    bench = bench_of([team("a", 1, borrow=2), team("b", 3)], [node("n", 8)], PREEMPTS)
    run(bench, "low", "a", 3)
    assert ask(bench, "high", "a", 2) == {"low": "preempted"}
    assert gone(bench, "low") == ["high"]


def test_without_the_policy_it_waits() -> None:
    bench = bench_of([team("a", 4)], [node("n", 4)])
    run(bench, "low", "a", 4)
    assert ask(bench, "high", "a", 4) == {}


@pytest.mark.parametrize("priority", [0, -1])
def test_nothing_is_taken_of_an_equal_or_higher_priority(priority: int) -> None:
    bench = bench_of([team("a", 4)], [node("n", 4)], PREEMPTS)
    run(bench, "runs", "a", 4)
    assert ask(bench, "asks", "a", 4, priority=priority) == {}


def test_nothing_is_taken_of_another_team() -> None:
    bench = bench_of([team("a"), team("b")], [node("n", 4)], PREEMPTS)
    run(bench, "theirs", "b", 4)
    assert ask(bench, "mine", "a", 1, priority=9) == {}


def test_where_a_team_above_has_the_guarantee_its_teams_take_of_each_other() -> None:
    teams = [team("org", 4), team("a", parent="org"), team("b", parent="org"), team("c", 1)]
    bench = bench_of(teams, [node("n", 4)], PREEMPTS)
    run(bench, "b1", "b", 4)
    assert ask(bench, "c1", "c", 1, priority=9) == {}
    bench.handle(EndRequested(bench.tick(), RequestId("c1")))
    assert ask(bench, "a1", "a", 4) == {"b1": "preempted"}
    assert gone(bench, "b1") == ["a1"]


def test_a_team_with_a_guarantee_of_its_own_is_not_of_the_family() -> None:
    teams = [team("org", 6), team("a", parent="org"), team("b", 4, parent="org")]
    bench = bench_of(teams, [node("n", 4)], PREEMPTS)
    run(bench, "b1", "b", 4)
    assert ask(bench, "a1", "a", 2, priority=9) == {}


def test_nobody_is_taken_before_it_ran_its_time() -> None:
    policy = Policy(preempt=Preempt(min_runtime_seconds=MIN_RUN), reclaim=Reclaim(min_runtime_seconds=9.0))
    bench = bench_of([team("a", 4)], [node("n", 4)], policy)
    run(bench, "low", "a", 4)
    assert ask(bench, "high", "a", 4) == {}
    began = bench.live("low").started_at
    assert began is not None
    assert bench.machine.next_deadline() == began + MIN_RUN
    assert stopped(bench.handle(TimePassed(began + MIN_RUN - 1))) == {}
    assert stopped(bench.handle(TimePassed(began + MIN_RUN))) == {"low": "preempted"}


def test_the_least_harmful_is_taken() -> None:
    bench = bench_of([team("a", 4)], [node("n", 4)], PREEMPTS)
    for id_ in ("r1", "r2", "r3", "r4"):
        run(bench, id_, "a")
    bench.handle(FactsSeen(bench.tick(), bench.live("r2").id, Facts(has_checkpoint=True)))
    assert ask(bench, "high", "a", 1) == {"r2": "preempted"}


def test_nothing_is_taken_in_vain() -> None:
    bench = bench_of([team("a", 4), team("b", 4)], [node("m", 4), node("n", 4)], PREEMPTS)
    run(bench, "low", "a", 2)
    run(bench, "mine", "a", 2, priority=1)
    run(bench, "theirs", "b", 4)
    assert ask(bench, "high", "a", 4) == {}
    assert ask(bench, "gang", "a", 2, replicas=2) == {}


def notebook(bench: Bench, id_: str, who: str, cpu: int) -> None:
    bench.handle(RequestSubmitted(bench.tick(), request(id_, who, cpu)))
    bench.run(id_)


def test_a_notebook_is_warned_and_has_its_grace() -> None:
    bench = bench_of([team("a", 4)], [node("n", 4)], PREEMPTS)
    notebook(bench, "low", "a", 4)
    actions = train(bench, "high", "a", 4, priority=1)
    assert warned(actions) == {"low": bench.now + GRACE}
    until = bench.now + GRACE
    assert stopped(bench.handle(TimePassed(until - 1))) == {}
    assert stopped(bench.handle(TimePassed(until))) == {"low": "preempted"}


def test_a_warning_is_lifted_when_the_higher_priority_is_withdrawn() -> None:
    bench = bench_of([team("a", 4)], [node("n", 4)], PREEMPTS)
    notebook(bench, "low", "a", 4)
    train(bench, "high", "a", 4, priority=1)
    assert any(isinstance(each, LiftWarning) for each in bench.end("high"))
    assert bench.live("low").state is AllocationState.RUNNING


def test_the_room_that_is_made_is_nobody_elses() -> None:
    """What gathers on the node is taken neither by another team nor by the victims themselves."""
    bench = bench_of([team("a"), team("b")], [node("n", 4)], PREEMPTS)
    run(bench, "low", "a", 2)
    run(bench, "low too", "a", 2)
    assert set(ask(bench, "high", "a", 4)) == {"low", "low too"}
    assert ask(bench, "b1", "b", 1) == {}
    assert gone(bench, "low") == []
    assert bench.why("b1") == "makes-way"
    found = bench.machine.explain(RequestId("b1"))
    assert "a higher priority of team a" in found.sentence
    assert gone(bench, "low too") == ["high"]


def test_after_a_restart_too_the_room_that_is_made_is_nobody_elses() -> None:
    bench = bench_of([team("a"), team("b")], [node("n", 4)], PREEMPTS)
    run(bench, "low", "a", 2)
    run(bench, "low too", "a", 2)
    ask(bench, "high", "a", 4)
    ask(bench, "b1", "b", 1)
    assert gone(bench, "low") == []
    old = bench.machine
    bench.machine = QuotaMachine.restore(
        old.tree.teams.values(),
        old.nodes.values(),
        old.requests.values(),
        old.allocations.values(),
        PREEMPTS,
        old.kept(),
    )
    assert granted(bench.handle(TimePassed(bench.tick()))) == []
    assert gone(bench, "low too") == ["high"]


def test_room_under_a_limit_that_is_made_is_nobody_elses() -> None:
    bench = bench_of(
        [team("org", limit=4), team("a", parent="org"), team("b", parent="org")], [node("n", 9)], PREEMPTS
    )
    run(bench, "low", "a", 2)
    run(bench, "low too", "a", 2)
    assert set(ask(bench, "high", "a", 4)) == {"low", "low too"}
    train(bench, "b1", "b", 1)
    assert gone(bench, "low") == []
    assert bench.status("b1") is RequestStatus.QUEUED
    assert gone(bench, "low too") == ["high"]


def test_what_is_borrowed_is_not_passed_on_while_a_guarantee_waits() -> None:
    bench = bench_of([team("a"), team("b", 4)], [node("n", 4)], PREEMPTS)
    run(bench, "low", "a", 4)
    assert ask(bench, "b1", "b", 4, priority=0) == {}
    assert ask(bench, "high", "a", 4) == {}
    assert bench.gone("low") == ["b1"]


def test_it_takes_no_more_when_what_is_being_stopped_will_do() -> None:
    bench = bench_of([team("a", 4)], [node("n", 4)], PREEMPTS)
    run(bench, "low", "a", 2)
    run(bench, "low too", "a", 2)
    bench.end("low")
    assert ask(bench, "high", "a", 2) == {}
    assert gone(bench, "low") == ["high"]


def test_with_three_priorities_the_lowest_goes() -> None:
    bench = bench_of([team("a", 4)], [node("n", 4)], PREEMPTS)
    run(bench, "middle", "a", 2, priority=1)
    run(bench, "lowest", "a", 2, priority=0)
    assert ask(bench, "high", "a", 2, priority=2) == {"lowest": "preempted"}
    assert gone(bench, "lowest") == ["high"]
    assert ask(bench, "another", "a", 2, priority=2) == {"middle": "preempted"}


def test_who_waits_before_a_bar_takes_nothing() -> None:
    bench = bench_of([team("a", 4)], [node("n", 4)], PREEMPTS)
    run(bench, "low", "a", 4)
    bench.handle(QueuePaused(bench.tick(), TeamId("a")))
    assert ask(bench, "high", "a", 4) == {}
    assert stopped(bench.handle(QueueResumed(bench.tick(), TeamId("a")))) == {"low": "preempted"}


# ---- random histories -----------------------------------------------------------------------------

POLICIES = (
    Policy(preempt=Preempt(0.0, 0.0)),
    Policy(preempt=Preempt(0.0, 0.0), reclaim=Reclaim(0.0, 0.0)),
)


@pytest.mark.parametrize("policy", POLICIES, ids=["alone", "with taking back"])
@pytest.mark.parametrize("seed", range(40))
def test_who_it_is_taken_for_starts_and_nothing_goes_back_and_forth(seed: int, policy: Policy) -> None:
    random = Random(seed)
    nodes = [node(f"n{number}", random.randint(2, 6), h200=1) for number in range(3)]
    machine = QuotaMachine(random_tree(random), nodes, policy)
    for number in range(30):
        asked = request(
            f"r{number}",
            random.choice(NAMES),
            random.randint(1, 4),
            h200=random.randint(0, 1),
            priority=random.randint(0, 3),
            replicas=random.choice([1, 1, 2]),
        )
        at = float(number)
        try:
            actions = machine.handle(RequestSubmitted(at, replace(asked, kind=WorkloadKind.TRAINING)))
        except QuotaError:
            continue
        let_go(machine, at, actions, is_alone=policy.reclaim is None)
    machine.audit_state()


def let_go(machine: QuotaMachine, at: float, actions: list[Action], *, is_alone: bool) -> None:
    """Let all that is stopped be gone, again and again; each time somebody starts for it.

    Where nothing else is taken, it is one of a higher priority.
    """
    rounds = 0
    while victims := [each for each in actions if isinstance(each, StopAllocation)]:
        rounds += 1
        assert rounds < 12, "it goes back and forth"
        outranked = [
            priority_of(machine, each.allocation_id)
            for each in victims
            if each.reason is StopReason.PREEMPTED
        ]
        actions = []
        for each in victims:
            actions += machine.handle(AllocationGone(at, each.allocation_id, GoneReason.STOPPED))
        started = granted(actions)
        assert started, f"{victims} were stopped for nothing"
        if outranked and is_alone:
            assert max(machine.requests[RequestId(id_)].priority for id_ in started) > min(outranked)


def priority_of(machine: QuotaMachine, id_: AllocationId) -> int:
    return machine.requests[machine.allocations[id_].request_id].priority
