"""What the ledger keeps beside the rows: what changed alone is enough to go on from."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from jupyterhub_mesos_quota.budgets import Spent
from jupyterhub_mesos_quota.events import AllocationGone, GoneReason, RequestSubmitted, TimePassed
from jupyterhub_mesos_quota.kept import Kept
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import Budget, Node, TeamId, UserName
from jupyterhub_mesos_quota.past import PastUse
from jupyterhub_mesos_quota.policy import Policy
from quota_cases import node, request, team

HOUR = 3600.0
DAY = 24 * HOUR
HALF_LIFE = 2 * DAY
POLICY = Policy(half_life_seconds=HALF_LIFE)
TEAMS = [
    team("root"),
    replace(team("a", parent="root"), budget=Budget(int(DAY), 40, 30)),
    replace(team("b", parent="root"), budget=Budget(int(DAY), 60)),
]
NODE = node("n", 16, h200=8)
MS = 1000.0


class Disk:
    """A ledger that writes what changed, and nothing else."""

    def __init__(self) -> None:
        self.past: dict[TeamId, PastUse] = {}
        self.spent: dict[tuple[TeamId, UserName | None], Spent] = {}
        self.kept = Kept()

    def write(self, changes: Kept) -> None:
        self.past |= {each.team: each for each in changes.past}
        self.spent |= {(each.team, each.user): each for each in changes.spent}
        self.kept = replace(changes, past=tuple(self.past.values()), spent=tuple(self.spent.values()))


def restored(machine: QuotaMachine, disk: Disk, nodes: tuple[Node, ...] = (NODE,)) -> QuotaMachine:
    rows = machine.requests.values(), machine.allocations.values()
    return QuotaMachine.restore(machine.tree.teams.values(), nodes, *rows, POLICY, disk.kept)


def begin(machine: QuotaMachine, at: float, name: str, who: str, gpus: int) -> None:
    asked = replace(request(name, who, cpu=1, h200=gpus), user=UserName("ada"))
    machine.handle(RequestSubmitted(at, asked))


def end_one(machine: QuotaMachine, at: float) -> None:
    live = next((each.id for each in machine.allocations.values() if each.gone_at is None), None)
    if live is not None:
        machine.handle(AllocationGone(at, live, GoneReason.FINISHED))


@example([(1, "a", 2), (1, "b", 4), (1, "end", 1), (2, "a", 2)], 43_198)  # two marks at one time
@settings(deadline=None, max_examples=80)
@given(
    st.lists(
        st.tuples(st.integers(1, 90_000), st.sampled_from(["a", "b", "time", "end"]), st.integers(1, 4)),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 90_000),
)
def test_who_writes_only_what_changed_goes_on_as_if_it_had_never_stopped(
    steps: list[tuple[int, str, int]], later: int
) -> None:
    lived, disk, at = QuotaMachine(TEAMS, [NODE], POLICY), Disk(), 1000.0
    for number, (seconds, what, gpus) in enumerate(steps):
        at += seconds
        if what == "time":
            lived.handle(TimePassed(at))
        elif what == "end":
            end_one(lived, at)
        else:
            begin(lived, at, f"r{number}", what, gpus)
        disk.write(lived.kept(is_change=True))
    again = restored(lived, disk)
    at += later
    assert again.handle(TimePassed(at)) == lived.handle(TimePassed(at))
    end_one(lived, at + 1)
    end_one(again, at + 1)
    assert spent(again) == spent(lived)
    assert used_before(again) == used_before(lived)


def spent(machine: QuotaMachine) -> dict[tuple[str, str | None], list[tuple[int, int]]]:
    return {(each.team, each.user): list(each.steps) for each in machine.kept().spent if each.steps}


def used_before(machine: QuotaMachine) -> dict[str, int]:
    """Past use in millionths of the cluster: many steps at once are rounded otherwise than one by one."""
    return {each.team: round(each.faded / 1e6) for each in machine.kept().past if each.faded > 1e6}


def test_what_stands_still_is_not_written_again() -> None:
    machine = QuotaMachine(TEAMS, [NODE], POLICY)
    begin(machine, 1000.0, "r1", "a", 2)
    first = machine.kept(is_change=True)
    assert {each.team for each in first.past} == {"root", "a"}
    assert {(each.team, each.user) for each in first.spent} == {("a", None), ("a", "ada")}
    machine.handle(TimePassed(1000.0 + HOUR))
    nothing = machine.kept(is_change=True)
    assert (nothing.past, nothing.spent) == ((), ())


def test_past_use_goes_on_while_no_node_was_reported_yet() -> None:
    machine, disk = QuotaMachine(TEAMS, [NODE], POLICY), Disk()
    begin(machine, 1000.0, "r1", "a", 4)
    disk.write(machine.kept(is_change=True))
    again = restored(machine, disk, nodes=())
    for each in (machine, again):
        each.handle(TimePassed(1000.0 + HALF_LIFE))
    assert used_before(again) == used_before(machine) != {}


def test_a_mark_that_was_told_is_not_told_again_after_a_restart() -> None:
    machine, disk = QuotaMachine(TEAMS, [NODE], POLICY), Disk()
    begin(machine, 0.0, "r1", "a", 8)
    disk.write(machine.kept(is_change=True))
    told = machine.handle(TimePassed(3.2 * HOUR))
    assert told != []
    disk.write(machine.kept(is_change=True))
    assert restored(machine, disk).handle(TimePassed(3.21 * HOUR)) == []
