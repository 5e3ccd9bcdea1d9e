"""A cell of a trace as a number, a moment or a span; a `RowFault` says what is wrong with it."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from jupyterhub_mesos.simulate.traces.faults import Fault, RowFault

NOTHING: Final = frozenset({"", "none", "null", "nan", "n/a", "na", "unknown"})
"""Texts that say that nothing is known, in small letters."""
MOST: Final = 2**31 - 1
"""More of anything in one job is a mistake of the trace."""
_CLOCK: Final = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)")
"""`[days-][hours:]minutes:seconds`, as Slurm spells a span."""


def is_missing(value: object) -> bool:
    """Say whether a cell holds nothing."""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and value.strip().lower() in NOTHING)


def text(value: object, name: str) -> str:
    """Read a name; whole numbers are names too."""
    if is_missing(value):
        raise RowFault(Fault.MISSING, f"{name} is missing")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def number(value: object, name: str) -> float:
    """Read a number that is 0 or more."""
    found = _finite(value, name)
    if found < 0:
        raise RowFault(Fault.NEGATIVE, f"{name} is {found:g}; 0 or more is possible")
    return found


def whole(value: object, name: str) -> int:
    """Read a whole number that is 0 or more."""
    found = number(value, name)
    if not found.is_integer() or found > MOST:
        raise RowFault(Fault.UNREADABLE, f"{name} is {value}; a whole number up to {MOST:,} is possible")
    return int(found)


def signed(value: object, name: str) -> int:
    """Read a whole number of either sign (a priority)."""
    found = _finite(value, name)
    if not found.is_integer() or abs(found) > MOST:
        raise RowFault(Fault.UNREADABLE, f"{name} is {value}; a whole number is possible")
    return int(found)


def moment(value: object, name: str, factor: float = 1.0) -> float:
    """Read a moment in seconds: of the trace's own clock where it is a number, else since 1970 (UTC)."""
    if isinstance(value, datetime):
        return _since_1970(value)
    if isinstance(value, str) and not _is_number(value) and not is_missing(value):
        try:
            return _since_1970(datetime.fromisoformat(value.strip()))
        except ValueError as error:
            raise RowFault(
                Fault.UNREADABLE, f"{name} is {value!r}; a number or a date (2026-01-31T09:00:00) is possible"
            ) from error
    return number(value, name) * factor


def span(value: object, name: str, factor: float = 1.0) -> float:
    """Read a span of time in seconds: a number, or `[days-][hours:]minutes:seconds`."""
    if isinstance(value, timedelta):
        return number(value.total_seconds(), name)
    if isinstance(value, str) and (found := _CLOCK.fullmatch(value.strip())):
        days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return number(value, name) * factor


def _finite(value: object, name: str) -> float:
    if is_missing(value):
        raise RowFault(Fault.MISSING, f"{name} is missing")
    if isinstance(value, str | int | float | Decimal) and not isinstance(value, bool):
        try:
            found = float(value)
        except (ValueError, OverflowError):
            found = math.nan
        if math.isfinite(found):
            return found
    raise RowFault(Fault.UNREADABLE, f"{name} is {value!r}; a number is possible")


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _since_1970(value: datetime) -> float:
    """Take a moment without a zone as UTC: only differences count."""
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
