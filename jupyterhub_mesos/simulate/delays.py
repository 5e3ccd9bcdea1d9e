"""What a real cluster takes time for, as the clock of a replay counts it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds, each.

    `launch_s`: from the grant until the work goes on; `stop_s`: from the stop until the resources are free;
    `restart_s`: how much of its progress a job loses when it is taken back (the time since its checkpoint).
    """

    launch_s: float = 0.0
    stop_s: float = 0.0
    restart_s: float = 60.0
