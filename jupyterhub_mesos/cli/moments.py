"""Moments as a command takes them: ISO 8601 with a zone, or a time from now such as `+2h`.

Words like `tomorrow 09:00` are not understood: they would mean another moment
on a server than on a laptop.
"""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta
from typing import Final

HELP: Final = "ISO 8601 with a zone (2026-12-01T09:00+01:00, 2026-12-01T08:00Z), or from now (+90m, +2h, +3d)"
_FROM_NOW: Final = re.compile(r"\+(\d{1,5})([mhd])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def moment(text: str, now: datetime | None = None) -> datetime:
    """Read a moment; for argparse's `type`."""
    ahead = _FROM_NOW.fullmatch(text)
    if ahead:
        return (now or datetime.now(UTC)) + timedelta(**{_UNITS[ahead[2]]: int(ahead[1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no moment: say {HELP}")
    return found


def local(at: float) -> str:
    """Say a moment in the zone of who reads."""
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M %Z")
