"""Rules of idleness: which notebooks one is for, what counts as use, after how long without it acts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MINUTE: Final = 60.0


class Signal(StrEnum):
    """What can count as use."""

    KERNEL = "kernel"  # a kernel is busy, or a cell was run
    GPU = "gpu"  # utilisation by the notebook's own processes; there is none on a MIG slice
    CPU = "cpu"  # of the whole process tree
    TERMINAL = "terminal"  # something was typed into or printed by a terminal
    TAB = "tab"  # a browser has it open, which a forgotten tab does too


USUAL_SIGNALS: Final = frozenset({Signal.KERNEL, Signal.GPU, Signal.CPU, Signal.TERMINAL})


@dataclass(frozen=True, slots=True)
class Notebook:
    """What rules choose by: `teams` are its team and all those above it; no `flavor`: no accelerator."""

    profile: str
    teams: frozenset[str]
    flavor: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; an empty set of profiles, teams or flavors stands for all.

    `idle_s` None: it never acts. A stretch of GPU or CPU use shorter than `burst_s` does not count as use.
    From a gap of more than `missing_s` between two reports nothing is concluded.
    """

    name: str
    profiles: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    flavors: frozenset[str] = frozenset()
    idle_s: float | None = 60 * MINUTE
    signals: frozenset[Signal] = USUAL_SIGNALS
    gpu_percent: float = 5.0  # a driver's own housekeeping stays below
    cpu_millis: int = 200  # JupyterLab with an open tab and its extensions stays below
    burst_s: float = 2 * MINUTE
    missing_s: float = 10 * MINUTE

    def is_for(self, notebook: Notebook) -> bool:
        """Whether a notebook is one of those that the rule is for."""
        return (
            (not self.profiles or notebook.profile in self.profiles)
            and (not self.flavors or notebook.flavor in self.flavors)
            and (not self.teams or not self.teams.isdisjoint(notebook.teams))
        )


def first_match(rules: Iterable[Rule], notebook: Notebook) -> Rule | None:
    """Return the first rule that is for a notebook; None where there is none."""
    return next((rule for rule in rules if rule.is_for(notebook)), None)
