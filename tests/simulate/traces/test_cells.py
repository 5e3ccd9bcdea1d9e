from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from jupyterhub_mesos.simulate.traces.cells import moment, number, signed, span, text, whole
from jupyterhub_mesos.simulate.traces.faults import Fault, RowFault


def test_a_moment_is_a_number_or_a_date() -> None:
    assert moment("90", "submit") == 90
    assert moment(1.5, "submit", 60) == 90
    assert moment("1970-01-01T00:01:30", "submit") == 90
    assert moment("1970-01-01 01:01:30+01:00", "submit") == 90
    assert moment(datetime(1970, 1, 1, 0, 1, 30, tzinfo=UTC), "submit") == 90


def test_a_span_is_a_number_or_a_clock() -> None:
    assert span("01:30", "elapsed") == 90
    assert span("2-01:00:00", "elapsed") == 2 * 86400 + 3600
    assert span("2", "dur_min", 60) == 120
    assert span(timedelta(minutes=2), "elapsed") == 120


def test_numbers_may_stand_in_texts_and_decimals() -> None:
    assert (number(" 2.5 ", "x"), number(Decimal(2), "x"), whole("3", "x"), whole(3.0, "x")) == (2.5, 2, 3, 3)
    assert (signed("-7", "priority"), text(12.0, "vc"), text(" a ", "vc")) == (-7, "12", "a")


@pytest.mark.parametrize("value", [None, "", " NaN ", "Unknown", float("nan")])
def test_a_cell_with_nothing_is_missing(value: object) -> None:
    with pytest.raises(RowFault, match="gpus is missing") as caught:
        whole(value, "gpus")
    assert caught.value.fault is Fault.MISSING


@pytest.mark.parametrize("value", ["many", "1e999", float("inf"), True, "0.5", "99999999999", [1]])
def test_what_is_no_whole_number_is_unreadable(value: object) -> None:
    with pytest.raises(RowFault) as caught:
        whole(value, "gpus")
    assert caught.value.fault is Fault.UNREADABLE


def test_less_than_nothing_is_told_apart() -> None:
    with pytest.raises(RowFault, match="duration_s is -5; 0 or more is possible") as caught:
        span(-5, "duration_s")
    assert caught.value.fault is Fault.NEGATIVE


def test_a_date_that_is_none_says_what_is_possible() -> None:
    with pytest.raises(RowFault, match="'yesterday'; a number or a date"):
        moment("yesterday", "submit")
