"""Moments in a person's words; the core has no clock and no calendar, so the calendar's rule is here.

The rule is the proleptic Gregorian calendar's, counted from a 1st of March so
that the leap day ends a year (Hinnant, "chrono-compatible low-level date algorithms").
"""

from __future__ import annotations

from typing import Final

DAY_SECONDS: Final = 86_400
DAYS_PER_ERA: Final = 146_097
"""Days in 400 years, after which the calendar repeats itself."""
EPOCH_DAY: Final = 719_468
"""1970-01-01, counted in days from 0000-03-01."""


def tell_moment(at: float) -> str:
    """Say a moment given in Unix seconds, e.g. `2026-11-26 06:10 UTC`."""
    days, seconds = divmod(int(at), DAY_SECONDS)
    year, month, day = _date(days)
    return f"{year:04}-{month:02}-{day:02} {seconds // 3600:02}:{seconds // 60 % 60:02} UTC"


def _date(days: int) -> tuple[int, int, int]:
    """Return year, month and day of so many days after 1970-01-01."""
    era, of_era = divmod(days + EPOCH_DAY, DAYS_PER_ERA)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153  # from March
    day = of_year - (153 * month + 2) // 5 + 1
    is_next_year = month >= 10
    return year + 400 * era + is_next_year, month - 9 if is_next_year else month + 3, day
