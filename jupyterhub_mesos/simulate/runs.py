"""How one job of a replay stands."""

from __future__ import annotations

from dataclasses import dataclass

from jupyterhub_mesos.simulate.jobs import Job


@dataclass(slots=True)
class Run:
    """A job on the virtual clock; observers read it, the engine alone writes it.

    `submitted_at` is later than the trace says where the job before it in its session was late.
    `is_inside`: it stood inside its team's guarantee when it came. `allocation`: the one it has, or had
    last; `goes_on_at`: when the work of that begins, after the launch; `stopped_at`: when that was stopped.
    `done_s` is its progress before it, `lost_s` what was lost in all, and `last_lost_s` the last
    time.
    """

    job: Job
    submitted_at: float
    is_inside: bool
    first_start_at: float | None = None
    allocation: str = ""
    goes_on_at: float = 0.0
    stopped_at: float | None = None
    done_s: float = 0.0
    lost_s: float = 0.0
    last_lost_s: float = 0.0
    evictions: int = 0

    @property
    def waited_s(self) -> float | None:
        """From the request to its first grant; None while it waits for that."""
        return None if self.first_start_at is None else self.first_start_at - self.submitted_at

    @property
    def left_s(self) -> float:
        """How long it has to run still."""
        return max(0.0, self.job.duration_s - self.done_s)

    def begin(self, allocation: str, at: float, goes_on_at: float) -> None:
        """Count a grant, whose work begins when its launch is over."""
        self.first_start_at = at if self.first_start_at is None else self.first_start_at
        self.allocation, self.goes_on_at, self.stopped_at = allocation, goes_on_at, None

    def lose(self, at: float, restart_s: float) -> None:
        """Count the progress made until it was stopped, at the latest `at`, less what the restart costs."""
        at = at if self.stopped_at is None else self.stopped_at
        progress = min(self.job.duration_s, self.done_s + max(0.0, at - self.goes_on_at))
        kept = max(0.0, progress - restart_s)
        self.last_lost_s = progress - kept
        self.lost_s += self.last_lost_s
        self.done_s = kept
        self.evictions += 1
