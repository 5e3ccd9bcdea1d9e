"""When a start is welcome: moments of the week on a wall clock, summer time included."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from jupyterhub_mesos.wire.starts import WelcomeHours

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
TITLES: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_AROUND: Final = range(-1, 9)
"""The days that are looked at: one may have begun yesterday, and each comes again within a week."""


def is_welcome(hours: WelcomeHours, at: float) -> bool:
    """Say whether a start is welcome at a moment (Unix seconds)."""
    return any(begin <= at < end for begin, end in _spans(hours, at))


def next_change(hours: WelcomeHours, at: float) -> float | None:
    """Return when that changes next, in Unix seconds; None where it never does."""
    now = is_welcome(hours, at)
    edges = sorted({edge for span in _spans(hours, at) for edge in span if edge > at})
    return next((edge for edge in edges if is_welcome(hours, edge) != now), None)


def describe(hours: WelcomeHours) -> str:
    """Say the hours to people, e.g. `Mon to Fri, 08:00 to 18:00 (Europe/Berlin)`."""
    span = "all day" if hours.begins == hours.ends else f"{hours.begins} to {hours.ends}"
    return f"{_days(sorted({DAYS.index(day) for day in hours.days}))}, {span} ({hours.time_zone})"


def _days(numbers: list[int]) -> str:
    is_row = numbers == list(range(numbers[0], numbers[-1] + 1))
    if is_row and len(numbers) > 2:
        return f"{TITLES[numbers[0]]} to {TITLES[numbers[-1]]}"
    return ", ".join(TITLES[number] for number in numbers)


def _spans(hours: WelcomeHours, at: float) -> Iterator[tuple[float, float]]:
    zone = ZoneInfo(hours.time_zone)
    today = datetime.fromtimestamp(at, UTC).astimezone(zone).date()
    begins, ends = time.fromisoformat(hours.begins), time.fromisoformat(hours.ends)
    for number in _AROUND:
        day = today + timedelta(days=number)
        if DAYS[day.weekday()] in hours.days:
            last = day if ends > begins else day + timedelta(days=1)
            yield _moment(day, begins, zone), _moment(last, ends, zone)


def _moment(day: date, of_day: time, zone: ZoneInfo) -> float:
    return datetime.combine(day, of_day, zone).timestamp()
