"""What a decision costs grows with the logarithm of what waits, and a request that waits stays small."""

from __future__ import annotations

from statistics import mean

import pytest

from benchmarks import admission

MOST_BYTES = 2_000


@pytest.mark.timeout(600)
def test_a_hundred_times_more_waiting_touches_a_few_entries_more() -> None:
    """From 10^3 waiting, 10 teams, 100 nodes to 10^5, 1,000 and 10,000: a hundred times in all three."""
    few = admission.measure(admission.Scale.of(1_000), 300)
    many = admission.measure(admission.Scale.of(100_000), 300)
    assert mean(few.entries) < 400
    # Heaps and paths grow with logarithms; a loop over anything that grew would be a hundred times as much.
    assert mean(many.entries) < 4 * mean(few.entries)


def test_a_request_that_waits_takes_less_than_two_kilobytes() -> None:
    assert admission.bytes_per_waiting(2_000) < MOST_BYTES
