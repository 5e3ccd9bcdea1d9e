"""The expected start is learnt from waits like it, and says so where there are too few."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from jupyterhub_mesos_quota.expectation import FEWEST, Wait, WaitHistory, tell, wait_of
from jupyterhub_mesos_quota.model import TeamId
from quota_cases import request

ONE = request("r", "a", 1, h200=1)


def waits(*seconds: float, team: str = "a", has_started: bool = True) -> list[Wait]:
    return [replace(wait_of(ONE, each, has_started=has_started), team=TeamId(team)) for each in seconds]


def test_too_few_say_nothing() -> None:
    history = WaitHistory(waits(*range(1, FEWEST)))
    assert history.expect(ONE, 0.0) is None
    assert tell(None) == "When it starts cannot be said: not enough history yet."
    history.add(waits(10.0)[0])
    assert history.expect(ONE, 0.0) is not None


def test_the_median_and_the_bound_of_what_was_seen() -> None:
    found = WaitHistory(waits(*(60.0 * minute for minute in range(1, 101)))).expect(ONE, 0.0)
    assert found is not None
    assert (found.median, found.within, found.learnt_from) == (50 * 60.0, 90 * 60.0, 100)
    assert (
        tell(found)
        == "Of 100 like it, half started within 50 minutes from here, and nine of ten within 2 hours."
    )


def test_what_was_waited_already_counts() -> None:
    found = WaitHistory(waits(*(float(second) for second in range(1, 101)))).expect(ONE, 80.0)
    assert found is not None
    assert (found.median, found.within, found.learnt_from) == (10.0, 18.0, 20)


def test_those_that_wait_still_are_not_left_out() -> None:
    history = WaitHistory(waits(*(float(second) for second in range(1, 11))))
    fast = history.expect(ONE, 0.0)
    with_slow = history.expect(ONE, 0.0, waits(*[50.0] * 10, has_started=False))
    assert fast is not None
    assert with_slow is not None
    assert (fast.median, with_slow.median) == (5.0, 10.0)
    assert with_slow.within is None
    assert "nine of ten" not in tell(with_slow)


def test_the_own_team_is_asked_before_all() -> None:
    history = WaitHistory([*waits(*[10.0] * FEWEST), *waits(*[1000.0] * 50, team="b")])
    mine = history.expect(ONE, 0.0)
    other = history.expect(replace(ONE, team=TeamId("c")), 0.0)
    assert mine is not None
    assert other is not None
    assert (mine.median, other.median) == (10.0, 1000.0)


def test_other_accelerators_are_not_like_it() -> None:
    history = WaitHistory(waits(*[10.0] * 50))
    assert history.expect(request("r", "a", 1, h200=2), 0.0) is None
    assert history.expect(request("r", "a", 1), 0.0) is None


@pytest.mark.parametrize("seed", range(5))
def test_nine_of_ten_start_within_the_bound(seed: int) -> None:
    """On waits that the estimate has not seen, also for who has waited for a while already."""
    random = Random(seed)
    history = WaitHistory(waits(*(random.expovariate(1 / 600) for _ in range(1_000))))
    for waited in (0.0, 300.0, 900.0):
        found = history.expect(ONE, waited)
        assert found is not None
        assert found.within is not None
        fresh = [wait for _ in range(8_000) if (wait := random.expovariate(1 / 600)) > waited]
        kept = sum(wait - waited <= found.within for wait in fresh) / len(fresh)
        assert 0.85 < kept < 0.95
