"""What keeps a request from starting whatever room there is, and the levers that admins pull."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from jupyterhub_mesos_quota.errors import QuotaError, RefusedRequest, TreeError, UnknownTeam
from jupyterhub_mesos_quota.events import (
    Action,
    Event,
    GoneReason,
    NodeCordoned,
    NodeUncordoned,
    QueuePaused,
    QueueResumed,
    RequestSubmitted,
    StopAllocation,
    StopReason,
    TimePassed,
)
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import (
    NodeId,
    RequestId,
    RequestStatus,
    Team,
    TeamId,
    UserName,
    WorkloadKind,
)
from jupyterhub_mesos_quota.policy import Policy, Reclaim
from jupyterhub_mesos_quota.resources import ACCELERATORS, CPU_MILLIS, SESSIONS, AmountName, Bounds
from quota_cases import Bench, MakeBench, granted, node, request, res, state_of, team
from quota_histories import NAMES, WORDS, event_of, random_tree


def capped(id_: str, parent: str | None = None, **caps: int) -> Team:
    names = {"cpu": CPU_MILLIS, "sessions": SESSIONS, "accelerators": ACCELERATORS}
    bounds: dict[AmountName, int] = {names[name]: cap for name, cap in caps.items()}
    return replace(team(id_, parent=parent), per_user=Bounds.of(bounds))


def submit(bench: Bench, id_: str, who: str, user: str, cpu: int = 1, **more: int) -> list[str]:
    asked = replace(request(id_, who, cpu, **more), user=UserName(user))
    return granted(bench.handle(RequestSubmitted(bench.tick(), asked)))


# ---- caps per user --------------------------------------------------------------------------------


def test_a_user_at_the_cap_waits_and_holds_up_nobody_of_the_team(bench: MakeBench) -> None:
    made = bench([capped("a", cpu=2000)], [node("n", 8)])
    assert submit(made, "1", "a", "ada", 2) == ["1"]
    assert submit(made, "2", "a", "ada", 1) == []
    assert submit(made, "3", "a", "bob", 1) == ["3"]
    found = made.machine.explain(RequestId("2"))
    assert (found.code, found.position, found.waiting) == ("user-cap", 1, 1)
    assert found.sentence == (
        "1 CPU asked for; one user may hold 2 CPU in team a, and this user holds 2 CPU."
    )
    assert made.gone("1") == ["2"]


def test_sessions_count_notebooks_alone(bench: MakeBench) -> None:
    made = bench([capped("a", sessions=1)], [node("n", 8)])
    assert submit(made, "1", "a", "ada") == ["1"]
    training = replace(request("2", "a"), kind=WorkloadKind.TRAINING)
    assert granted(made.handle(RequestSubmitted(made.tick(), training))) == ["2"]
    assert submit(made, "3", "a", "ada") == []
    assert "one user may hold 1 session in team a" in made.machine.explain(RequestId("3")).sentence


def test_accelerators_of_all_flavors_count_together(bench: MakeBench) -> None:
    made = bench([capped("a", accelerators=2)], [node("n", 8, h200=2, a100=2)])
    assert submit(made, "1", "a", "ada", 1, h200=1) == ["1"]
    assert submit(made, "2", "a", "ada", 1, a100=1) == ["2"]
    assert submit(made, "3", "a", "ada", 1, a100=1) == []
    assert made.gone("1") == ["3"]


def test_a_cap_of_a_team_above_counts_over_all_its_teams(bench: MakeBench) -> None:
    made = bench([capped("org", cpu=2000), team("a", parent="org"), team("b", parent="org")], [node("n", 8)])
    assert submit(made, "1", "a", "ada", 2) == ["1"]
    assert submit(made, "2", "b", "ada", 1) == []
    assert made.why("2") == "user-cap"


def test_what_waits_before_a_cap_starts_in_order_and_no_more_than_the_cap(bench: MakeBench) -> None:
    made = bench([capped("a", cpu=2000)], [node("n", 8)])
    for number, cpu in enumerate((2, 1, 1, 1), start=1):
        submit(made, str(number), "a", "ada", cpu)
    assert made.gone("1") == ["2", "3"]
    assert made.why("4") == "user-cap"
    assert made.gone("2") == ["4"]


def test_who_is_at_the_cap_lays_no_room_aside(bench: MakeBench) -> None:
    """The second waits inside the guarantee for more than is free; the first took its user to the cap."""
    teams = [replace(capped("a", cpu=2000), guarantee=res(4)), team("b")]
    made = bench(teams, [node("n", 4)])
    assert made.submit("b0", "b", 1) == ["b0"]
    assert made.submit("b1", "b", 3) == ["b1"]
    assert submit(made, "1", "a", "ada", 2) == []
    assert submit(made, "2", "a", "ada", 2) == []
    assert made.gone("b1") == ["1"]
    assert made.why("2") == "user-cap"
    assert made.submit("b2", "b", 1) == ["b2"]


def test_more_than_a_cap_is_refused_with_what_is_possible(bench: MakeBench) -> None:
    made = bench([capped("a", cpu=2000)], [node("n", 8)])
    with pytest.raises(RefusedRequest, match="one user may hold 2 CPU in team a at most: ask for 2 CPU"):
        submit(made, "1", "a", "ada", 3)


def test_a_negative_cap_is_refused(bench: MakeBench) -> None:
    with pytest.raises(TreeError, match="per_user"):
        bench([capped("a", cpu=-1)], [])


def test_a_raised_cap_lets_go_and_one_that_waits_before_it_can_be_withdrawn(bench: MakeBench) -> None:
    made = bench([capped("a", cpu=1000)], [node("n", 8)])
    for number in (1, 2, 3):
        submit(made, str(number), "a", "ada")
    made.end("3")
    assert made.status("3") is RequestStatus.WITHDRAWN
    assert made.teams(capped("a", cpu=4000)) == ["2"]


# ---- pauses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("paused", "started"), [(None, []), ("org", ["other"]), ("a", ["b", "other"])])
def test_what_is_paused_starts_when_it_is_resumed(
    bench: MakeBench, paused: str | None, started: list[str]
) -> None:
    teams = [team("org"), team("a", parent="org"), team("b", parent="org"), team("other")]
    made = bench(teams, [node("n", 8)])
    which = None if paused is None else TeamId(paused)
    made.handle(QueuePaused(made.tick(), which))
    found = [id_ for id_ in ("a", "b", "other") if made.submit(id_, id_)]
    assert found == started
    waiting = [id_ for id_ in ("a", "b", "other") if id_ not in started]
    assert {made.why(id_) for id_ in waiting} == {"paused"}
    assert sorted(granted(made.handle(QueueResumed(made.tick(), which)))) == waiting


def test_a_pause_stops_what_waits_already_and_lets_run_what_runs(bench: MakeBench) -> None:
    made = bench([team("a")], [node("n", 1)])
    made.submit("1", "a")
    made.submit("2", "a")
    assert made.handle(QueuePaused(made.tick(), TeamId("a"))) == []
    assert made.gone("1") == []
    assert not made.machine.could_start(TeamId("a"), res(1))
    assert granted(made.handle(QueueResumed(made.tick(), TeamId("a")))) == ["2"]


def test_a_team_that_is_edited_away_and_comes_again_is_not_paused(bench: MakeBench) -> None:
    made = bench([team("a"), team("b")], [node("n", 1)])
    for which in ("a", "b"):
        made.handle(QueuePaused(made.tick(), TeamId(which)))
    made.teams(team("b"))
    made.teams(team("a"), team("b"))
    assert made.machine.paused == {"b"}
    assert made.submit("1", "a")


def test_a_team_that_is_not_there_is_not_paused(bench: MakeBench) -> None:
    made = bench([team("a")], [])
    with pytest.raises(UnknownTeam):
        made.handle(QueuePaused(1.0, TeamId("b")))
    assert made.machine.kept().paused == frozenset()


# ---- nodes ----------------------------------------------------------------------------------------


def stopped(actions: list[Action]) -> list[tuple[str, StopReason]]:
    return [(each.allocation_id, each.reason) for each in actions if isinstance(each, StopAllocation)]


def test_a_cordoned_node_takes_nothing_new_whatever_its_backend_says(bench: MakeBench) -> None:
    made = bench([team("a")], [node("n", 2)])
    made.submit("1", "a")
    made.handle(NodeCordoned(made.tick(), NodeId("n")))
    assert made.see(node("n", 4)) == []
    assert made.submit("2", "a") == []
    assert made.status("1") is RequestStatus.ACTIVE
    assert granted(made.handle(NodeUncordoned(made.tick(), NodeId("n")))) == ["2"]


def test_a_drained_node_is_emptied_and_its_work_waits_again_at_its_rank(bench: MakeBench) -> None:
    made = bench([team("a")], [node("n", 2)])
    made.submit("1", "a", 2)
    made.submit("2", "a", 2)
    actions = made.handle(NodeCordoned(made.tick(), NodeId("n"), drains=True))
    assert stopped(actions) == [("1-1", StopReason.DRAINED)]
    assert made.gone("1", GoneReason.STOPPED) == []
    assert made.queue() == ["1", "2"]
    assert made.see(node("m", 2)) == ["1"]


def test_a_node_can_be_cordoned_before_it_is_seen(bench: MakeBench) -> None:
    made = bench([team("a")], [])
    made.handle(NodeCordoned(made.tick(), NodeId("n")))
    made.submit("1", "a")
    assert made.see(node("n", 2)) == []


def test_levers_and_caps_survive_a_restart(bench: MakeBench) -> None:
    made = bench([capped("a", cpu=1000), team("b")], [node("n", 8), node("m", 8)])
    submit(made, "1", "a", "ada")
    submit(made, "2", "a", "ada")
    made.handle(QueuePaused(made.tick(), TeamId("b")))
    made.submit("3", "b")
    made.handle(NodeCordoned(made.tick(), NodeId("n")))
    machine = made.machine
    restored = QuotaMachine.restore(
        machine.tree.teams.values(),
        [node("n", 8), node("m", 8)],
        machine.requests.values(),
        machine.allocations.values(),
        kept=machine.kept(),
    )
    restored.audit_state()
    assert restored.kept() == machine.kept()
    assert [restored.explain(RequestId(id_)).code for id_ in ("2", "3")] == ["user-cap", "paused"]
    assert not restored.nodes[NodeId("n")].is_schedulable


# ---- random histories -----------------------------------------------------------------------------

USERS = ("ada", "bob", "eve")
CAP = 3_000


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_caps_pauses_and_cordons_hold_and_a_restart_changes_nothing(seed: int) -> None:
    random = Random(seed)
    tree = tuple(
        replace(each, per_user=Bounds.of({CPU_MILLIS: CAP}) if random.random() < 0.5 else Bounds())
        for each in random_tree(random)
    )
    policy = Policy(reclaim=Reclaim(0.0, 2.0) if seed % 2 else None)
    made = Bench(QuotaMachine(tree, [node("n0", 6, h200=1), node("n1", 4)], policy))
    for at in range(1, 50):
        before = state_of(made.machine)
        paused = made.machine.kept().paused
        try:
            actions = made.handle(any_event(made.machine, random, float(at), tree))
        except QuotaError:
            assert state_of(made.machine) == before
            continue
        check_caps(made.machine)
        for id_ in granted(actions):
            path = made.machine.tree.path(made.machine.requests[RequestId(id_)].team)
            still = paused & made.machine.kept().paused
            assert None not in still
            assert still.isdisjoint(path)
        if at == 25:
            made.machine = again(made.machine, policy)


def any_event(machine: QuotaMachine, random: Random, at: float, tree: tuple[Team, ...]) -> Event:
    if random.random() < 0.25:
        which = random.choice([None, *NAMES])
        node_id = NodeId(random.choice(["n0", "n1"]))
        choices: list[Event] = [
            QueuePaused(at, None if which is None else TeamId(which)),
            QueueResumed(at, None if which is None else TeamId(which)),
            NodeCordoned(at, node_id, drains=random.random() < 0.5),
            NodeUncordoned(at, node_id),
            TimePassed(at),
        ]
        return random.choice([*choices, choices[1], choices[3]])
    event = event_of(machine, (random.choice(WORDS), *(random.randint(0, 11) for _ in range(4))), at, tree)
    if isinstance(event, RequestSubmitted):
        return replace(event, request=replace(event.request, user=UserName(random.choice(USERS))))
    return event or TimePassed(at)


def check_caps(machine: QuotaMachine) -> None:
    for id_, each in machine.tree.teams.items():
        for user in USERS if each.per_user.by_name else ():
            held = sum(
                request.total.cpu_millis
                for request in machine.requests.values()
                if request.status is RequestStatus.ACTIVE
                and request.user == user
                and id_ in machine.tree.path(request.team)
            )
            assert held <= CAP


def again(machine: QuotaMachine, policy: Policy) -> QuotaMachine:
    restored = QuotaMachine.restore(
        machine.tree.teams.values(),
        machine.reported_nodes.values(),
        machine.requests.values(),
        machine.allocations.values(),
        policy,
        machine.kept(),
    )
    assert [each.id for each in restored.queue()] == [each.id for each in machine.queue()]
    assert (restored.nodes, restored.reported_nodes) == (machine.nodes, machine.reported_nodes)
    return restored
