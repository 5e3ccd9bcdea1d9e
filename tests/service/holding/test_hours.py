"""Welcome hours on a wall clock: over midnight, over the week, and where the clocks are changed."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from jupyterhub_mesos.service.holding.hours import DAYS, describe, is_welcome, next_change
from jupyterhub_mesos.wire import WelcomeHours

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = WelcomeHours(begins="08:00", ends="18:00", time_zone="Europe/Berlin")


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("moment", "welcome"),
    [
        ("2026-11-26T07:59:59", False),  # a Thursday
        ("2026-11-26T08:00:00", True),
        ("2026-11-26T17:59:59", True),
        ("2026-11-26T18:00:00", False),
        ("2026-11-28T12:00:00", False),  # a Saturday
    ],
)
def test_the_begin_is_within_and_the_end_is_not(moment: str, welcome: bool) -> None:
    assert is_welcome(OFFICE, at(moment)) is welcome


def test_it_changes_next_at_the_begin_of_the_next_day_that_is_welcome() -> None:
    assert next_change(OFFICE, at("2026-11-27T19:00")) == at("2026-11-30T08:00")
    assert next_change(OFFICE, at("2026-11-30T08:00")) == at("2026-11-30T18:00")


def test_a_night_goes_over_into_the_day_after() -> None:
    night = WelcomeHours(days=("sun",), begins="22:00", ends="06:00", time_zone="Europe/Berlin")
    assert is_welcome(night, at("2026-11-29T23:00"))  # Sunday
    assert is_welcome(night, at("2026-11-30T05:59"))
    assert not is_welcome(night, at("2026-11-29T05:00"))
    assert next_change(night, at("2026-11-29T23:00")) == at("2026-11-30T06:00")


def test_days_that_touch_are_one_span() -> None:
    two = WelcomeHours(days=("mon", "tue"), begins="00:00", ends="00:00", time_zone="Europe/Berlin")
    assert next_change(two, at("2026-11-30T10:00")) == at("2026-12-02T00:00")


def test_every_hour_of_every_day_never_changes() -> None:
    always = WelcomeHours(days=DAYS, begins="00:00", ends="00:00")  # type: ignore[arg-type]
    assert is_welcome(always, at("2026-11-28T03:00"))
    assert next_change(always, at("2026-11-28T03:00")) is None


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-29", 9), ("2026-10-25", 11), ("2026-11-29", 10)],  # spring, autumn, any other
)
def test_the_day_on_which_the_clocks_change_is_as_long_as_it_is(day: str, hours: int) -> None:
    sunday = WelcomeHours(days=("sun",), begins="00:00", ends="10:00", time_zone="Europe/Berlin")
    end = next_change(sunday, at(f"{day}T00:00"))
    assert end is not None
    assert end - at(f"{day}T00:00") == hours * 3600


@settings(max_examples=60, deadline=None)
@given(
    st.sets(st.sampled_from(DAYS), min_size=1),
    st.times(),
    st.times(),
    st.integers(0, 365 * 86_400),
)
def test_until_the_next_change_nothing_changes(days: set[str], begins: time, ends: time, second: int) -> None:
    hours = WelcomeHours(
        days=tuple(sorted(days)),  # type: ignore[arg-type]
        begins=f"{begins:%H:%M}",
        ends=f"{ends:%H:%M}",
        time_zone="America/New_York",
    )
    now = at("2026-01-01") + second
    change = next_change(hours, now)
    before = is_welcome(hours, now)
    until = change if change is not None else now + timedelta(days=8).total_seconds()
    assert all(is_welcome(hours, now + (until - now) * part / 97) == before for part in range(97))
    assert change is None or is_welcome(hours, change) != before


def test_hours_are_said_in_words() -> None:
    assert describe(OFFICE) == "Mon to Fri, 08:00 to 18:00 (Europe/Berlin)"
    few = WelcomeHours(days=("fri", "mon"), begins="00:00", ends="00:00")
    assert describe(few) == "Mon, Fri, all day (UTC)"


@pytest.mark.parametrize(
    "wrong",
    [
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../etc/passwd"},
        {"time_zone": "Europe"},
        {"begins": "8:00"},
        {"ends": "24:00"},
        {"days": ()},
        {"days": ("someday",)},
    ],
)
def test_hours_that_are_none_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WelcomeHours.model_validate(wrong)
