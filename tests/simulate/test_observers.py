"""What the observers make of small traces that can be worked out by hand."""

from __future__ import annotations

from array import array
from collections.abc import Callable

import pytest

from jupyterhub_mesos.simulate.evictions import Evictions
from jupyterhub_mesos.simulate.observers import Json, Observer
from jupyterhub_mesos.simulate.setting import Setting
from jupyterhub_mesos.simulate.use import Use
from jupyterhub_mesos.simulate.waits import Spread, Waits
from jupyterhub_mesos.simulate.window import Window
from simulate_cases import job, owner, play, pool

TWO_TEAMS = owner("a", 2), owner("b", 2)
LENT_AND_TAKEN = [job("lent", 0, 500, 4, of="a"), job("owner", 200, 100, 2, of="b")]


def test_waits_are_counted_by_team_from_the_request_to_the_first_start() -> None:
    waits = Waits()
    play([job("x", 0, 10, 4, of="a"), job("y", 3, 5, 4, of="a"), job("z", 20, 1, of="b")], _pool(), waits)
    assert list(waits.of("a")) == [0.0, 7.0]
    assert list(waits.of("b")) == [0.0]
    assert sorted(waits.of()) == [0.0, 0.0, 7.0]
    assert waits.teams() == ["a", "b"]


def test_one_that_came_inside_its_guarantee_is_counted_apart() -> None:
    waits = Waits()
    play(LENT_AND_TAKEN, _pool(), waits)
    assert list(waits.of(inside=True)) == [0.0]
    assert len(waits.of()) == 2


def test_who_came_before_the_window_is_not_counted_and_who_starts_after_it_is() -> None:
    waits = Waits(Window(1, 5))
    play([job("x", 0, 10, 4), job("y", 3, 5, 4), job("z", 6, 5, 4)], _pool(), waits)
    assert waits.came["a"] == 1
    assert list(waits.of()) == [7.0]


def test_what_could_not_be_served_is_counted_by_team() -> None:
    waits = Waits()
    play([job("x", 0, 1, 4, of="a")], pool(4, owner("a", 2, limit=2)), waits)
    assert (waits.came["a"], waits.turned_away["a"]) == (0, 1)


def test_a_quantile_is_the_smallest_wait_that_so_many_do_not_exceed() -> None:
    spread = Spread.of(array("d", [float(wait) for wait in range(100, 0, -1)]))
    assert (spread.p50_s, spread.p95_s, spread.p99_s, spread.most_s) == (50, 95, 99, 100)
    assert (spread.mean_s, spread.count, spread.at_once) == (50.5, 100, 0)


def test_use_is_weighted_by_time() -> None:
    use = Use(step_s=10)
    play([job("x", 0, 10, 4), job("y", 10, 10, 1)], _pool(), use)
    assert use.busy == pytest.approx((10 * 4 + 10 * 1) / (20 * 4))
    assert [(step.at, step.used) for step in use.course()] == [(0, 4), (10, 1)]


def test_use_counts_the_window_alone() -> None:
    use = Use(Window(5, 15), step_s=10)
    play([job("x", 0, 10, 4), job("y", 10, 10, 1)], _pool(), use)
    assert use.seconds == 10
    assert use.busy == pytest.approx((5 * 4 + 5 * 1) / (10 * 4))


def test_a_course_says_how_many_waited_in_the_mean() -> None:
    use = Use(step_s=10)
    play([job("x", 0, 10, 4), job("y", 5, 10, 4)], _pool(), use)
    assert [step.waiting for step in use.course()] == [0.5, 0]


def test_an_eviction_costs_what_was_lost_times_what_was_held() -> None:
    evictions = Evictions()
    play(LENT_AND_TAKEN, _pool(), evictions)
    assert (evictions.count["a"], evictions.jobs["a"]) == (1, 1)
    assert evictions.lost_s == {"a": 60 * 4}


@pytest.mark.parametrize("make", [Waits, Use, Evictions])
def test_what_was_saved_is_recalled(make: Callable[[], Observer]) -> None:
    seen, again = make(), make()
    play(LENT_AND_TAKEN, _pool(), seen)
    empty: Json = again.saved()
    again.recall(seen.saved())
    assert again.saved() == seen.saved() != empty


def _pool() -> Setting:
    return pool(4, *TWO_TEAMS)
