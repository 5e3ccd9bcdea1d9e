"""Moments as a command takes them."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta, timezone

import pytest

from jupyterhub_mesos.cli.moments import local, moment

NOON = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-01T09:00+01:00", datetime(2026, 12, 1, 9, 0, tzinfo=timezone(timedelta(hours=1)))),
        ("2026-12-01T08:00Z", datetime(2026, 12, 1, 8, 0, tzinfo=UTC)),
        ("+90m", NOON + timedelta(minutes=90)),
        ("+2h", NOON + timedelta(hours=2)),
        ("+3d", NOON + timedelta(days=3)),
    ],
)
def test_a_moment_has_a_zone_or_is_from_now(text: str, expected: datetime) -> None:
    assert moment(text, NOON) == expected


@pytest.mark.parametrize("text", ["2026-12-01T09:00", "tomorrow 09:00", "+2", "2h", "+1y", "", "1764578400"])
def test_what_may_mean_two_moments_is_refused_with_what_is_possible(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"is no moment: say ISO 8601 with a zone"):
        moment(text, NOON)


def test_a_moment_is_told_with_its_zone() -> None:
    assert local(NOON.timestamp()) == NOON.astimezone().strftime("%Y-%m-%d %H:%M %Z")
