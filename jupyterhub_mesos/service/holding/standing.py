"""Whether a request may wait in the queue now, and what its owner is told where it may not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from jupyterhub_mesos.service.holding.hours import describe, is_welcome, next_change
from jupyterhub_mesos.service.rows import StartRow
from jupyterhub_mesos_quota.explain import Explanation

CONFIRM_MINUTES: Final = 30
"""How long a word holds, where nobody configures it."""
OUTSIDE_HOURS: Final = "outside-hours"
UNCONFIRMED: Final = "unconfirmed"
ROOM_IS_THERE: Final = "room-is-there"


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether it may start, by itself, and until when (Unix seconds) that stays so; None for ever."""

    may_start: bool
    until: float | None = None
    is_asked: bool = False  # its owner is asked where there is room


def standing_of(start: StartRow, at: float) -> Standing:
    """Say how a request stands at a moment (Unix seconds)."""
    if start.confirmed_until is not None and at < start.confirmed_until:
        return Standing(True, start.confirmed_until)
    hours = start.wish.hours
    is_open = hours is None or is_welcome(hours, at)
    until = None if hours is None else next_change(hours, at)
    if start.wish.mode == "by-itself":
        return Standing(is_open, until)
    return Standing(False, until, is_asked=is_open)


def why_held(start: StartRow, at: float) -> str:
    """Say why a request is held, for the audit."""
    now = standing_of(start, at)
    return "it waits until its owner confirms" if now.is_asked else "a start is not welcome at this hour"


def explain_held(start: StartRow, at: float, confirm_minutes: int) -> Explanation:
    """Say why a request that is held does not start, and what its owner can do."""
    now, hours = standing_of(start, at), start.wish.hours
    within = f"confirm, and it starts when there is room within {confirm_minutes} minutes"
    if not now.is_asked and hours is not None:
        then = "it starts by itself" if start.wish.mode == "by-itself" else "you are asked when there is room"
        return Explanation(
            OUTSIDE_HOURS,
            f"A start is welcome {describe(hours)}; now it is not. It keeps its place.",
            f"From then on {then}. To start it now, {within}.",
            possible_at=now.until,
        )
    if start.asked_at is not None:
        return Explanation(
            ROOM_IS_THERE,
            "There is room for it, and it waits for your word. It keeps its place.",
            "Confirm the start: others may take the room until then.",
        )
    return Explanation(
        UNCONFIRMED,
        "It starts when you confirm; there is no room now. It keeps its place.",
        f"You are told when there is room. Or {within}.",
    )
