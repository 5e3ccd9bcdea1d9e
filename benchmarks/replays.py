"""One replay and what was seen of it, for the areas that replay something."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from time import process_time

from jupyterhub_mesos.simulate.engine import Simulation
from jupyterhub_mesos.simulate.evictions import Evictions
from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos.simulate.observers import Observer
from jupyterhub_mesos.simulate.setting import Setting
from jupyterhub_mesos.simulate.use import Use
from jupyterhub_mesos.simulate.waits import Spread, Waits
from jupyterhub_mesos.simulate.window import EVERYTHING, Window
from jupyterhub_mesos_quota.policy import Policy, Reclaim
from jupyterhub_mesos_quota.strategies import FAIR, FIFO, LOWEST_USE

WEEK_S = 7 * 86_400.0
"""The half-life of past use where nobody configures the service."""
AT_ONCE = Reclaim(min_runtime_seconds=0.0, grace_seconds=0.0)
AT_ONCE_AND_FIRST = replace(AT_ONCE, requeues_first=True)
"""As in the method of the traces' README: who was taken goes on before the others of its team."""
POLICIES = {
    "lowest-use": Policy(LOWEST_USE, half_life_seconds=WEEK_S, reclaim=AT_ONCE),
    "lowest-use, no past": Policy(LOWEST_USE, reclaim=AT_ONCE_AND_FIRST),
    "fair": Policy(FAIR, half_life_seconds=WEEK_S, reclaim=AT_ONCE),
    "fair, no past": Policy(FAIR, reclaim=AT_ONCE),
    "fifo": Policy(FIFO),
}
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a replay; `cpu_s` is all of it, reading aside: the core and the clock around it."""

    waits: Waits
    use: Use
    evictions: Evictions
    end_s: float
    cpu_s: float

    @property
    def wait(self) -> Spread:
        """The waits of all who came within the window."""
        return Spread.of(self.waits.of())

    @property
    def inside(self) -> Spread:
        """The waits of those who came inside their team's guarantee."""
        return Spread.of(self.waits.of(inside=True))

    @property
    def lost_hours(self) -> float:
        """Accelerator-hours of work that restarts cost."""
        return sum(self.evictions.lost_s.values()) / HOUR_S


def replayed(
    jobs: Iterable[Job],
    setting: Setting,
    window: Window = EVERYTHING,
    *more: Observer,
    step_s: float = HOUR_S,
) -> Seen:
    """Replay jobs to the end of all of them."""
    waits, use, evictions = Waits(window), Use(window, step_s), Evictions(window)
    began = process_time()
    simulation = Simulation(jobs, setting, (waits, use, evictions, *more))
    simulation.run()
    return Seen(waits, use, evictions, simulation.now, process_time() - began)
