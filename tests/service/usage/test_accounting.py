"""Hours count from the grant until it is gone, within the window, each day and flavor its part."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from jupyterhub_mesos.service.usage.accounting import Account, Held, Part, Window
from jupyterhub_mesos_quota.resources import Flavor, Resources

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600.0


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def held(begin: str, end: str | None, waited: float | None = None, **more: int) -> Held:
    flavors = {Flavor(name): count for name, count in more.items()}
    gone = None if end is None else at(end)
    return Held("vision", "mia", "notebook", Resources.of(2000, 4096, flavors), at(begin), gone, waited)


def account(*parts: Part, since: str = "2026-03-01", until: str = "2026-04-01") -> Account:
    return Account(Window(at(since), at(until), BERLIN), parts, now=at("2026-03-31 12:00"))


def test_what_was_held_over_midnight_is_in_both_days() -> None:
    made = account(Part.DAY)
    made.take([held("2026-03-10 22:00", "2026-03-11 01:00", h200=2)])
    assert {key: tally.all_accelerator_hours for key, tally in made.tallies.items()} == {
        ("2026-03-10",): pytest.approx(4),
        ("2026-03-11",): pytest.approx(2),
    }
    assert made.total.cpu_hours == pytest.approx(6)
    assert made.total.memory_gib_hours == pytest.approx(12)


def test_the_day_on_which_the_clock_is_put_forward_has_23_hours() -> None:
    made = account(Part.DAY)
    made.take([held("2026-03-28 12:00", "2026-03-30 12:00")])
    assert made.tallies[("2026-03-29",)].cpu_hours == pytest.approx(2 * 23)


def test_what_began_before_or_goes_on_counts_within_the_window_until_now_alone() -> None:
    made = account(Part.TEAM)
    made.take([held("2026-02-28 23:00", "2026-03-01 01:00"), held("2026-03-31 11:00", None)])
    assert made.tallies[("vision",)].cpu_hours == pytest.approx(2 * 2)


def test_each_flavor_has_its_hours_and_cpu_counts_once() -> None:
    made = account(Part.FLAVOR)
    made.take([held("2026-03-10 10:00", "2026-03-10 11:00", h200=1, l4=3), held("2026-03-10", "2026-03-11")])
    assert {key: tally.all_accelerator_hours for key, tally in made.tallies.items()} == {
        ("h200",): pytest.approx(1),
        ("l4",): pytest.approx(3),
        ("none",): 0,
    }
    assert sum(tally.cpu_hours for tally in made.tallies.values()) == pytest.approx(2 + 48)
    assert sum(made.total.accelerator_hours.values()) == pytest.approx(4)


def test_a_wait_counts_once_on_the_day_of_its_grant_where_that_is_in_the_window() -> None:
    made = account(Part.DAY)
    inside = [held("2026-03-10 10:00", "2026-03-10 11:00", waited=60.0 * n) for n in range(1, 11)]
    made.take([*inside, held("2026-02-28 23:00", "2026-03-01 01:00", waited=9e9)])
    tally = made.tallies[("2026-03-10",)]
    assert (len(made.total.waits), tally.mean_wait) == (10, pytest.approx(330))
    assert tally.wait_of_nine_in_ten == pytest.approx(546)
    assert account(Part.DAY).total.wait_of_nine_in_ten is None


def test_hours_of_every_split_come_together_to_the_same() -> None:
    those = [held(f"2026-03-0{n} 05:30", f"2026-03-1{n} 07:45", h200=n, l4=1) for n in range(1, 9)]
    for parts in ((Part.TEAM,), (Part.DAY,), (Part.FLAVOR, Part.DAY), (Part.USER, Part.KIND)):
        made = account(*parts)
        made.take(those)
        hours = sum(tally.all_accelerator_hours for tally in made.tallies.values())
        assert hours == pytest.approx(made.total.all_accelerator_hours)
        assert sum(tally.cpu_hours for tally in made.tallies.values()) == pytest.approx(made.total.cpu_hours)
