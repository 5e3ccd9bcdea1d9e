"""How often one person may write."""

from __future__ import annotations

import pytest

from jupyterhub_mesos.errors import TooMany
from jupyterhub_mesos.service.rates import WriteRates
from service_rig import Clock


def test_a_burst_is_taken_and_then_as_many_as_time_gives_back() -> None:
    clock = Clock()
    rates = WriteRates(120, clock)
    for _ in range(120):
        rates.take("mia")
    with pytest.raises(TooMany, match="possible in 1 s") as refused:
        rates.take("mia")
    assert refused.value.retry_seconds == 1
    clock.now += 1
    rates.take("mia")
    rates.take("mia")
    with pytest.raises(TooMany):
        rates.take("mia")


def test_one_persons_writes_cost_nobody_else() -> None:
    rates = WriteRates(1, Clock())
    rates.take("mia")
    rates.take("sam")
    with pytest.raises(TooMany, match="in 60 s"):
        rates.take("mia")


def test_who_has_not_written_for_a_minute_is_forgotten() -> None:
    clock = Clock()
    rates = WriteRates(10, clock)
    for number in range(1000):
        rates.take(f"user{number}")
    clock.now += 61
    rates.take("mia")
    buckets: dict[str, object] = vars(rates)["_buckets"]
    assert list(buckets) == ["mia"]


def test_none_is_no_limit() -> None:
    rates = WriteRates(0, Clock())
    for _ in range(1000):
        rates.take("mia")
