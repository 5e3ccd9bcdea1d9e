"""What teams held over time, and what of a budget that was, worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from jupyterhub_mesos.simulate.engine import Simulation
from jupyterhub_mesos.simulate.spending import Spending, budgets
from jupyterhub_mesos.simulate.window import EVERYTHING, Window
from jupyterhub_mesos_quota.model import Budget, Team, TeamId
from jupyterhub_mesos_quota.policy import Policy
from simulate_cases import job, owner, pool

TRACE = [
    job("first", 0, 7200, 2, of="a"),
    job("second", 1800, 3600, 1, of="a"),
    job("third", 3600, 5400, 1, of="b"),
]


def seen(window: Window = EVERYTHING) -> Spending:
    spending = Spending(window)
    Simulation(TRACE, pool(4, owner("a", 2), owner("b", 2), policy=Policy()), [spending]).run()
    return spending


def test_each_step_has_what_was_held_in_it() -> None:
    spending = seen()
    assert list(spending.of(["a"])) == [2 * 3600 + 1800, 2 * 3600 + 1800]
    assert list(spending.of(["b"])) == [0, 3600, 1800]
    assert list(spending.of(["a", "b"])) == [9000, 12600, 1800]
    assert (spending.hours("a"), spending.hours()) == (5, 6.5)


def test_only_what_was_held_within_the_window_counts() -> None:
    spending = seen(Window(1800, 5400))
    assert spending.origin == 1800
    assert (spending.hours("a"), spending.hours("b")) == (3, 0.5)


def test_work_that_was_taken_back_counts_twice_what_it_repeats() -> None:
    spending = Spending()
    trace = [job("lent", 0, 500, 4, of="a"), job("owner", 200, 100, 2, of="b")]
    Simulation(trace, pool(4, owner("a", 2), owner("b", 2)), [spending]).run()
    assert spending.hours("a") == pytest.approx(4 * (500 + 60) / 3600)


def test_it_goes_on_from_what_it_kept() -> None:
    again = Spending()
    again.recall(json.loads(json.dumps(seen().saved())))
    assert list(again.of(["a", "b"])) == [9000, 12600, 1800]


def test_a_budget_counts_what_all_below_its_team_spent_in_its_window() -> None:
    lab = Team(TeamId("lab"), budget=Budget(window_seconds=7200, team_hours=4))
    teams = (lab, *(replace(owner(name, 2), parent=TeamId("lab")) for name in "ab"))
    assert budgets(seen(), teams) == {"lab": pytest.approx([2.5 / 4, 6 / 4, 4 / 4])}
