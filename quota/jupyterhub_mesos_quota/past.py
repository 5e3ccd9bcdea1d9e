"""Past use that fades: a moving average of what a team borrowed, halved with each half-life.

The average moves in *steps*, a sixty-fourth of a half-life each, so that the order
of the queue stands still between them; within a step every moment counts. All
in whole numbers, so that the same events give the same order on any machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from jupyterhub_mesos_quota.accounts import Account
from jupyterhub_mesos_quota.model import TeamId

STEPS_PER_HALF_LIFE: Final = 64
ONE: Final = 1 << 32
FADE: Final = 4_248_701_965
"""What is left of one after a step, in parts of `ONE`: 2 ** (-1 / 64)."""


@dataclass(frozen=True, slots=True)
class PastUse:
    """What is known of a team's past, for the ledger to keep.

    `faded` is the average up to the step's begin, in trillionths of the cluster;
    `area` is what was borrowed since, in trillionths times milliseconds, up to `until_ms` (Unix),
    and `held` what is borrowed from then on: so a value holds until something begins or ends.
    """

    team: TeamId
    faded: int
    area: int
    until_ms: int
    held: int = 0


class Memory:
    """One team's past as it is counted; `held` is what it borrows now, in trillionths of the cluster."""

    __slots__ = ("area", "held", "until_ms")

    def __init__(self) -> None:
        self.held = 0
        self.area = 0
        self.until_ms = 0


class Past:
    """The past of every team of one tree."""

    def __init__(self, half_life_seconds: float) -> None:
        self.step_ms = max(1, round(half_life_seconds * 1000 / STEPS_PER_HALF_LIFE))
        self.now_ms = 0
        self._has_begun = False
        self._memories: dict[Account, Memory] = {}
        self._changed: dict[Account, None] = {}

    def recall(self, account: Account, past: PastUse) -> None:
        """Take over what the ledger kept."""
        memory = self._memories[account] = Memory()
        account.past, memory.area, memory.until_ms = past.faded, past.area, past.until_ms
        memory.held = past.held
        self.now_ms = max(self.now_ms, past.until_ms)
        self._has_begun = True

    def catch_up(self) -> None:
        """Bring all that was taken over to the same moment: the ledger keeps each as it last changed."""
        for account, memory in self._memories.items():
            self._end_step(account, memory)

    def told(self) -> tuple[PastUse, ...]:
        """Return what the ledger is to keep, of every team that has a past."""
        return self._told(self._memories)

    def changes(self) -> tuple[PastUse, ...]:
        """Return the same of those that began or ended something since this was last asked."""
        changed, self._changed = self._changed, {}
        return self._told(changed)

    def _told(self, accounts: Iterable[Account]) -> tuple[PastUse, ...]:
        told: list[PastUse] = []
        for account in accounts:
            memory = self._memories.get(account)
            if memory is not None:
                self.hold(account, memory.held)  # up to now
                told.append(PastUse(account.id, account.past, memory.area, memory.until_ms, memory.held))
        return tuple(sorted(told, key=lambda past: past.team))

    def hold(self, account: Account, held: int) -> None:
        """Say what a team borrows from now on."""
        memory = self._memories.get(account)
        if memory is None:
            if not held:
                return
            memory = self._memories[account] = Memory()
            memory.until_ms = self.now_ms
        memory.area += memory.held * (self.now_ms - memory.until_ms)
        memory.until_ms = self.now_ms
        if memory.held != held:
            self._changed[account] = None
        memory.held = held

    def advance(self, now_ms: int) -> bool:
        """Let time pass; say whether a step ended, so that shares are otherwise now."""
        before, self.now_ms = self.now_ms, max(self.now_ms, now_ms)
        if not self._has_begun:  # the first that is heard of time: what is held is held from now on
            for memory in self._memories.values():
                memory.until_ms = self.now_ms
            self._has_begun = True
        if before // self.step_ms == self.now_ms // self.step_ms or not self._memories:
            return False
        for account, memory in list(self._memories.items()):
            self._end_step(account, memory)
            if not (account.past or memory.held):
                del self._memories[account]
        return True

    def _end_step(self, account: Account, memory: Memory) -> None:
        first = memory.until_ms // self.step_ms
        steps = self.now_ms // self.step_ms - first
        if steps <= 0:
            return
        end_ms = (first + 1) * self.step_ms
        average = (memory.area + memory.held * (end_ms - memory.until_ms)) // self.step_ms
        account.past = _blend(account.past, average, FADE)
        account.past = _blend(account.past, memory.held, _faded(steps - 1))
        memory.area = 0
        memory.until_ms = (first + steps) * self.step_ms


def _blend(past: int, now: int, left: int) -> int:
    return (past * left + now * (ONE - left)) // ONE


def _faded(steps: int) -> int:
    """Return what is left of `ONE` after so many steps."""
    left, factor = ONE, FADE
    while steps:
        if steps & 1:
            left = left * factor // ONE
        factor = factor * factor // ONE
        steps >>= 1
    return left
