"""The expected start is learnt from waits like it, and says so where there are too few."""

from __future__ import annotations

from random import Random

import pytest

from jupyterhub_mesos_quota.expectation import FEWEST, Curve, Waited, tell


def starts(*seconds: float) -> list[Waited]:
    return [(each, True) for each in seconds]


def test_too_few_say_nothing() -> None:
    seconds = [float(each) for each in range(1, FEWEST)]
    assert Curve.of(starts(*seconds)).expect(0.0) is None
    assert tell(None) == "When it starts cannot be said: not enough history yet."
    assert Curve.of(starts(*seconds, 10.0)).expect(0.0) is not None


def test_the_median_and_the_bound_of_what_was_seen() -> None:
    """Of 100, the 91st: 100 make 101 gaps, and nine of ten of those lie before it."""
    found = Curve.of(starts(*(60.0 * minute for minute in range(1, 101)))).expect(0.0)
    assert found is not None
    assert (found.median, found.within, found.learnt_from) == (50 * 60.0, 91 * 60.0, 100)
    assert (
        tell(found)
        == "Of 100 like it, half started within 50 minutes from here, and nine of ten within 2 hours."
    )


def test_of_ten_the_bound_is_the_longest() -> None:
    found = Curve.of(starts(*(float(second) for second in range(1, 11)))).expect(0.0)
    assert found is not None
    assert found.within == 10.0


def test_what_was_waited_already_counts() -> None:
    found = Curve.of(starts(*(float(second) for second in range(1, 101)))).expect(80.0)
    assert found is not None
    assert (found.median, found.within, found.learnt_from) == (10.0, 19.0, 20)


def test_who_started_at_once_says_nothing_of_who_waits() -> None:
    assert Curve.of(starts(*[0.0] * 100)).expect(0.0) is None


def test_those_that_wait_still_are_not_left_out() -> None:
    fast = starts(*(float(second) for second in range(1, 11)))
    alone = Curve.of(fast).expect(0.0)
    with_slow = Curve.of([*fast, *[(50.0, False)] * 10]).expect(0.0)
    assert alone is not None
    assert with_slow is not None
    assert (alone.median, with_slow.median) == (5.0, 10.0)
    assert with_slow.within is None
    assert "nine of ten" not in tell(with_slow)


def test_where_most_wait_still_no_time_is_made_up() -> None:
    found = Curve.of([*starts(*[5.0] * FEWEST), *[(50.0, False)] * 20]).expect(0.0)
    assert found is not None
    assert (found.median, found.within) == (None, None)
    assert tell(found).endswith("fewer than half of those like it have started so far.")


@pytest.mark.parametrize("seed", range(5))
def test_nine_of_ten_start_within_the_bound(seed: int) -> None:
    """On waits that the estimate has not seen, also for who has waited for a while already."""
    random = Random(seed)
    curve = Curve.of(starts(*(random.expovariate(1 / 600) for _ in range(1_000))))
    for waited in (0.0, 300.0, 900.0):
        found = curve.expect(waited)
        assert found is not None
        assert found.within is not None
        fresh = [wait for _ in range(8_000) if (wait := random.expovariate(1 / 600)) > waited]
        kept = sum(wait - waited <= found.within for wait in fresh) / len(fresh)
        assert 0.85 < kept < 0.95
