"""What a decision costs grows with the logarithm of what waits, and a request that waits stays small."""

from __future__ import annotations

from statistics import mean

import pytest

from benchmarks import admission
from benchmarks.admission import Kind, Outcome

MOST_BYTES = 1_200
MOST_ENTRIES = {Kind.END: 80, Kind.WAIT: 2, Kind.START: 24, Kind.CLAIM: 0, Kind.RUN: 0}
"""Per event at 10^3 waiting, 10 teams, 100 nodes: measured 46, 0, 16, 0 and 0."""


@pytest.fixture(scope="module")
def few() -> Outcome:
    return admission.measure(admission.Scale.of(1_000), 300)


@pytest.fixture(scope="module")
def many() -> Outcome:
    """A hundred times more waiting, teams and nodes."""
    return admission.measure(admission.Scale.of(100_000), 300)


@pytest.mark.parametrize("kind", Kind)
def test_an_event_touches_few_entries(few: Outcome, kind: Kind) -> None:
    assert mean(few.costs[kind].entries) <= MOST_ENTRIES[kind]


@pytest.mark.timeout(600)
def test_a_hundred_times_more_waiting_touches_a_few_entries_more(few: Outcome, many: Outcome) -> None:
    # Heaps and paths grow with logarithms; a loop over anything that grew would be a hundred times as much.
    assert mean(many.entries) < 3 * mean(few.entries)


@pytest.mark.parametrize("kind", [Kind.WAIT, Kind.START, Kind.CLAIM, Kind.RUN])
def test_what_frees_nothing_touches_as_many_entries_whatever_waits(many: Outcome, kind: Kind) -> None:
    assert mean(many.costs[kind].entries) <= MOST_ENTRIES[kind]


def test_a_request_that_waits_takes_about_one_kilobyte() -> None:
    assert admission.bytes_per_waiting(2_000) < MOST_BYTES
