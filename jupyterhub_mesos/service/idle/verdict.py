"""The verdict on a notebook: a function of its readings over time, and of the rule that is for it.

`follow` takes a reading into what is known so far (`Trail`, of a fixed size: a day of readings is not read
again for each verdict); `judge` says what follows from it at a moment. `verdict` does both over a history.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from jupyterhub_mesos.service.idle.rules import MINUTE, Notebook, Rule, Signal, first_match

IN_USE_S: Final = 2 * MINUTE
"""So long after the last use a notebook still is called in use: two reports, a minute apart."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The signals of one notebook at one moment (seconds since the epoch, as all times here).

    `gpu_percent` is the busiest of its own processes on any of its devices: None where NVML has no answer (a
    MIG slice, no GPU). `gpu_mem_mib` is told and never counts as use: memory is reserved, not used.
    """

    at: float
    kernels_busy: int = 0
    executed_at: float | None = None
    gpu_percent: float | None = None
    gpu_mem_mib: int = 0
    cpu_millis: int = 0
    terminal_at: float | None = None
    open_tabs: int = 0


@dataclass(frozen=True, slots=True)
class Trail:
    """What is known of a notebook under one rule, after all its readings so far.

    `used_at` is when it was last used, by `used_by`; before the first use, when it was first seen (since
    a gap: unseen time is not idle time). `gpu_from` and `cpu_from` are when the present stretch began.
    """

    last: Reading
    used_at: float
    used_by: Signal | None = None
    gpu_from: float | None = None
    cpu_from: float | None = None


class State(StrEnum):
    """What is concluded of a notebook."""

    IN_USE = "in-use"
    QUIET = "quiet"  # no use at present; `acts_at` is when it would be idle
    IDLE = "idle"  # without use for as long as the rule allows
    MISSING = "missing"  # no reading, or none of late: nothing is concluded, least of all idleness
    EXEMPT = "exempt"  # no rule is for it, or the rule never acts


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is concluded, why, by which rule, and the moment at which it would act (None: it would not)."""

    state: State
    reason: str
    rule: str = ""
    acts_at: float | None = None


def verdict(rules: Iterable[Rule], notebook: Notebook, readings: Sequence[Reading], now: float) -> Verdict:
    """Judge a notebook by the first rule that is for it and all of its readings, in order of time."""
    rule = first_match(rules, notebook)
    trail: Trail | None = None
    if rule is not None:
        for reading in readings:
            trail = follow(rule, trail, reading)
    return judge(rule, trail, now)


def follow(rule: Rule, trail: Trail | None, reading: Reading) -> Trail:
    """Take the next reading in; one that is not later than the last changes nothing."""
    if trail is not None and reading.at <= trail.last.at:
        return trail
    if trail is None or reading.at - trail.last.at > rule.missing_s:
        trail = Trail(reading, used_at=reading.at)
    gpu = Signal.GPU in rule.signals and (reading.gpu_percent or 0) > rule.gpu_percent
    cpu = Signal.CPU in rule.signals and reading.cpu_millis > rule.cpu_millis
    trail = replace(
        trail,
        last=reading,
        gpu_from=_stretch(trail.gpu_from, reading.at) if gpu else None,
        cpu_from=_stretch(trail.cpu_from, reading.at) if cpu else None,
    )
    uses = _uses(rule, trail)
    used_at, used_by = max(uses, key=lambda use: use[0], default=(trail.used_at, trail.used_by))
    return replace(trail, used_at=used_at, used_by=used_by) if used_at >= trail.used_at else trail


def _stretch(began: float | None, at: float) -> float:
    return at if began is None else began


def _uses(rule: Rule, trail: Trail) -> list[tuple[float, Signal]]:
    """Return each signal that counts as use, and the moment of it: the reading's at the latest."""
    reading, found = trail.last, list[tuple[float, Signal]]()
    if reading.kernels_busy:
        found.append((reading.at, Signal.KERNEL))
    elif reading.executed_at is not None:
        found.append((min(reading.executed_at, reading.at), Signal.KERNEL))
    for began, signal in ((trail.gpu_from, Signal.GPU), (trail.cpu_from, Signal.CPU)):
        if began is not None and reading.at - began >= rule.burst_s:
            found.append((reading.at, signal))
    if Signal.TERMINAL in rule.signals and reading.terminal_at is not None:
        found.append((min(reading.terminal_at, reading.at), Signal.TERMINAL))
    if Signal.TAB in rule.signals and reading.open_tabs:
        found.append((reading.at, Signal.TAB))
    return found


def judge(rule: Rule | None, trail: Trail | None, now: float) -> Verdict:
    """Say what follows at a moment from what is known of a notebook."""
    if rule is None:
        return Verdict(State.EXEMPT, "no rule is for this notebook")
    if rule.idle_s is None:
        return Verdict(State.EXEMPT, f"rule {rule.name} never acts", rule.name)
    if trail is None:
        return Verdict(State.MISSING, "nothing was reported yet", rule.name)
    unheard = now - trail.last.at
    if unheard > rule.missing_s:
        return Verdict(State.MISSING, f"nothing was reported for {_minutes(unheard)}", rule.name)
    return _judged(rule.name, trail, trail.used_at + rule.idle_s, now)


def _judged(rule: str, trail: Trail, acts_at: float, now: float) -> Verdict:
    """Judge a notebook that was heard of; time since its last reading is not seen, so it makes none idle."""
    if trail.last.at >= acts_at:
        return Verdict(State.IDLE, _quiet(trail, now), rule, acts_at)
    if trail.used_by is not None and now - trail.used_at <= IN_USE_S:
        return Verdict(State.IN_USE, _USED[trail.used_by], rule, acts_at)
    return Verdict(State.QUIET, _quiet(trail, now), rule, acts_at)


_USED: Final = {
    Signal.KERNEL: "a kernel is busy, or ran a cell just now",
    Signal.GPU: "its processes use the GPU",
    Signal.CPU: "its processes use the CPU",
    Signal.TERMINAL: "a terminal is in use",
    Signal.TAB: "it is open in a browser",
}
_LAST_USED: Final = {
    Signal.KERNEL: "a kernel",
    Signal.GPU: "the GPU",
    Signal.CPU: "the CPU",
    Signal.TERMINAL: "a terminal",
    Signal.TAB: "an open tab",
}


def _quiet(trail: Trail, now: float) -> str:
    last = f"; the last was {_LAST_USED[trail.used_by]}" if trail.used_by is not None else ""
    reading = trail.last
    held = ""
    if reading.gpu_mem_mib:
        percent = "unknown" if reading.gpu_percent is None else f"{reading.gpu_percent:.0f} %"
        held = f"; holds {reading.gpu_mem_mib:,} MiB of GPU memory, GPU use {percent}"
    return f"no use for {_minutes(now - trail.used_at)}{last}{held}"


def _minutes(seconds: float) -> str:
    whole = int(seconds // MINUTE)
    return "1 minute" if whole == 1 else f"{whole} minutes"
