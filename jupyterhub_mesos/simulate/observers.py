"""Who looks on while a trace is replayed; what they saw is kept with the state of a stopped run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pydantic import JsonValue

from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos.simulate.runs import Run
from jupyterhub_mesos_quota.resources import ACCELERATOR_PREFIX, CPU_MILLIS, AmountName

Json = JsonValue
Amounts = Mapping[AmountName, int]


class Observer(Protocol):
    """Is told what happens, at the virtual time `at`."""

    def submitted(self, at: float, run: Run) -> None:
        """A job came; it may start in the same moment."""

    def refused(self, at: float, job: Job, why: str) -> None:
        """A job could never be granted as asked, and does not wait."""

    def started(self, at: float, run: Run) -> None:
        """A job was given what it asked for: for the first time, or again."""

    def evicted(self, at: float, run: Run) -> None:
        """A job was stopped before its end; it waits again."""

    def ended(self, at: float, run: Run) -> None:
        """A job is over."""

    def sampled(self, at: float, used: Amounts, capacity: Amounts, waiting: int) -> None:
        """From `at` on, so much is held of so much, and so many wait. `used` is a live view: copy it."""

    def saved(self) -> Json:
        """Return what was seen so far, for `recall`."""

    def recall(self, saved: Json) -> None:
        """Go on from what `saved` returned."""


class Onlooker:
    """Sees nothing; who looks for one thing starts from here."""

    def submitted(self, at: float, run: Run) -> None:
        """Let it pass."""

    def refused(self, at: float, job: Job, why: str) -> None:
        """Let it pass."""

    def started(self, at: float, run: Run) -> None:
        """Let it pass."""

    def evicted(self, at: float, run: Run) -> None:
        """Let it pass."""

    def ended(self, at: float, run: Run) -> None:
        """Let it pass."""

    def sampled(self, at: float, used: Amounts, capacity: Amounts, waiting: int) -> None:
        """Let it pass."""


def size_of(amounts: Amounts) -> int:
    """Return the one number that a pool is measured by: its accelerators, of all flavors; else its CPU."""
    accelerators = [amount for name, amount in amounts.items() if name.startswith(ACCELERATOR_PREFIX)]
    return sum(accelerators) if accelerators else amounts.get(CPU_MILLIS, 0)
