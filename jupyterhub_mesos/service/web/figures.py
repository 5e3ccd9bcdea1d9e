"""Hours, waits and moments in a person's words, for templates."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo


def hours(value: float) -> str:
    """Say hours with one digit, and so many that a small share is not nothing."""
    return f"{value:,.1f}" if value >= 0.05 or value == 0 else "< 0.1"


def wait(seconds: float | None) -> str:
    """Say a wait in its two largest units."""
    if seconds is None:
        return "—"
    left = round(seconds)
    parts: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count or (parts and len(parts) < 2):
            parts.append(f"{count} {unit}")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if not part.startswith("0 ")) or "none"


def moment(at: float, zone: str = "UTC") -> str:
    """Say a moment in a zone."""
    return datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%d %b %Y %H:%M:%S")
