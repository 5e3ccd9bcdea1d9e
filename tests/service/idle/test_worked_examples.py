"""The examples of docs/explanation/idle.md, under the names that stand there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from jupyterhub_mesos.service.idle.rules import MINUTE, Notebook, Rule, Signal
from jupyterhub_mesos.service.idle.verdict import Reading, State, Verdict, follow, judge, verdict

NINE = 9 * 60
"""Minutes since midnight, as all times in these tests."""
ANNS = Notebook("large", frozenset({"vision", "research"}), "h200")
USUAL = Rule("usual")
QUIET = Reading(0.0, gpu_percent=0.0)


def minutes(first: int, last: int, reading: Reading = QUIET) -> list[Reading]:
    """Return a reading a minute, both ends included."""
    return [replace(reading, at=minute * MINUTE) for minute in range(first, last + 1)]


def judged(
    readings: Iterable[Reading], rules: Iterable[Rule] = (USUAL,), notebook: Notebook = ANNS
) -> Verdict:
    """Judge at the moment of the last reading."""
    known = list(readings)
    return verdict(rules, notebook, known, known[-1].at)


def clock(found: Verdict) -> str:
    assert found.acts_at is not None
    hours, rest = divmod(round(found.acts_at / MINUTE), 60)
    return f"{hours:02}:{rest:02}"


def test_a_cell_was_run_at_nine() -> None:
    ran = replace(QUIET, executed_at=NINE * MINUTE)
    found = judged(minutes(NINE, NINE + 20, ran))
    assert (found.state, clock(found)) == (State.QUIET, "10:00")
    assert found.reason == "no use for 20 minutes; the last was a kernel"
    assert judged(minutes(NINE, NINE + 59, ran)).state == State.QUIET
    assert judged(minutes(NINE, NINE + 60, ran)).state == State.IDLE


def test_one_burst_does_not_hide_an_idle_day() -> None:
    burst = replace(QUIET, gpu_percent=100.0, cpu_millis=8000)
    day = minutes(NINE, NINE + 239) + minutes(NINE + 240, NINE + 241, burst) + minutes(NINE + 242, NINE + 480)
    found = judged(day)
    assert (found.state, clock(found)) == (State.IDLE, "10:00")
    assert found.reason == "no use for 480 minutes"


def test_gpu_work_that_lasts_is_use() -> None:
    found = judged(
        minutes(NINE, NINE + 120) + minutes(NINE + 121, NINE + 124, replace(QUIET, gpu_percent=80.0))
    )
    assert (found.state, clock(found)) == (State.IN_USE, "12:04")
    assert found.reason == "its processes use the GPU"


def test_a_silent_busy_kernel_is_not_idle() -> None:
    found = judged(minutes(NINE, NINE + 600, replace(QUIET, kernels_busy=1)))
    assert (found.state, found.reason) == (State.IN_USE, "a kernel is busy, or ran a cell just now")


def test_reserved_gpu_memory_at_nought_percent_is_idle() -> None:
    found = judged(minutes(NINE, NINE + 60, replace(QUIET, gpu_mem_mib=70_000)))
    assert found.state == State.IDLE
    assert found.reason == "no use for 60 minutes; holds 70,000 MiB of GPU memory, GPU use 0 %"


def test_a_mig_slice_is_judged_by_its_kernel() -> None:
    mig = Reading(0.0, gpu_percent=None, gpu_mem_mib=9_000)
    assert judged(minutes(NINE, NINE + 600, replace(mig, kernels_busy=1))).state == State.IN_USE
    found = judged(minutes(NINE, NINE + 60, mig))
    assert found.state == State.IDLE
    assert found.reason.endswith("holds 9,000 MiB of GPU memory, GPU use unknown")


def test_missing_signals_are_never_idle() -> None:
    known = minutes(NINE, NINE + 5)
    found = verdict([USUAL], ANNS, known, (NINE + 300) * MINUTE)
    assert found == Verdict(State.MISSING, "nothing was reported for 295 minutes", "usual")
    assert verdict([USUAL], ANNS, [], NINE * MINUTE).state == State.MISSING


def test_unseen_time_is_not_idle_time() -> None:
    found = judged(minutes(NINE, NINE + 30) + minutes(NINE + 90, NINE + 100))
    assert (found.state, clock(found)) == (State.QUIET, "11:30")


def test_a_forgotten_tab_counts_only_where_a_rule_says_so() -> None:
    open_tab = minutes(NINE, NINE + 60, replace(QUIET, open_tabs=1))
    assert judged(open_tab).state == State.IDLE
    counting = replace(USUAL, signals=USUAL.signals | {Signal.TAB})
    assert judged(open_tab, [counting]).state == State.IN_USE


def test_the_first_rule_that_is_for_a_notebook_holds() -> None:
    rules = (
        Rule("class", profiles=frozenset({"class"}), idle_s=20 * MINUTE),
        Rule("research-gpu", teams=frozenset({"research"}), flavors=frozenset({"h200"}), idle_s=240 * MINUTE),
        Rule("service-desk", teams=frozenset({"desk"}), idle_s=None),
        USUAL,
    )
    quiet = minutes(NINE, NINE + 60)
    assert judged(quiet, rules).rule == "research-gpu"
    assert judged(quiet, rules, replace(ANNS, flavor="")).rule == "usual"
    assert judged(quiet, rules, replace(ANNS, profile="class")).rule == "class"
    desk = judged(quiet, rules, Notebook("small", frozenset({"desk"})))
    assert (desk.state, desk.acts_at) == (State.EXEMPT, None)


def test_no_rule_is_for_a_notebook() -> None:
    assert judged(minutes(NINE, NINE + 600), []) == Verdict(State.EXEMPT, "no rule is for this notebook")


def test_a_terminal_in_use_keeps_a_notebook() -> None:
    typed = replace(QUIET, terminal_at=(NINE + 50) * MINUTE)
    found = judged(minutes(NINE, NINE + 49) + minutes(NINE + 50, NINE + 60, typed))
    assert (found.state, clock(found)) == (State.QUIET, "10:50")


def test_a_reading_that_comes_late_changes_nothing() -> None:
    first, second = minutes(NINE, NINE + 1)
    trail = follow(USUAL, follow(USUAL, None, first), second)
    assert follow(USUAL, trail, replace(first, kernels_busy=1)) == trail


def test_a_time_of_the_future_counts_as_now() -> None:
    trail = follow(USUAL, None, Reading(NINE * MINUTE, executed_at=NINE * MINUTE * 1000))
    assert clock(judge(USUAL, trail, NINE * MINUTE)) == "10:00"


def test_nobody_is_idle_by_time_that_nobody_saw() -> None:
    found = verdict([USUAL], ANNS, minutes(NINE, NINE + 51), (NINE + 60) * MINUTE)
    assert (found.state, clock(found)) == (State.QUIET, "10:00")
    impatient = Rule("impatient", idle_s=5 * MINUTE)
    assert verdict([impatient], ANNS, minutes(NINE, NINE + 1), (NINE + 9) * MINUTE).state == State.QUIET
