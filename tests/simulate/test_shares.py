"""Guarantees from what teams own."""

from __future__ import annotations

import pytest

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.simulate.shares import split


def test_a_pool_is_split_in_proportion_and_what_rounding_leaves_goes_to_the_largest() -> None:
    assert split(10, {"a": 1, "b": 2}, {}) == {"a": 3, "b": 7}
    assert split(7, {"a": 4, "b": 4, "c": 4}, {}) == {"a": 3, "b": 2, "c": 2}


def test_each_team_can_hold_its_largest_job_and_the_others_share_the_rest() -> None:
    assert split(12, {"a": 1, "b": 1, "c": 2}, {"a": 6}) == {"a": 6, "b": 2, "c": 4}


def test_a_team_that_gets_less_by_anothers_least_still_gets_its_own() -> None:
    assert split(12, {"a": 1, "b": 3, "c": 4}, {"a": 5, "b": 4}) == {"a": 5, "b": 4, "c": 3}


def test_a_pool_smaller_than_the_largest_jobs_together_is_refused() -> None:
    with pytest.raises(InvalidInput, match="3 are to be split, and the largest jobs of the teams need 4"):
        split(3, {"a": 1, "b": 1}, {"a": 2, "b": 2})
