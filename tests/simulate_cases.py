"""Short words for the simulator's tests, and an observer that writes down what it saw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from jupyterhub_mesos.simulate.engine import Simulation
from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos.simulate.observers import Amounts, Json, Observer
from jupyterhub_mesos.simulate.runs import Run
from jupyterhub_mesos.simulate.setting import Setting
from jupyterhub_mesos_quota.model import Team, WorkloadKind
from jupyterhub_mesos_quota.policy import Policy, Reclaim
from jupyterhub_mesos_quota.resources import Bounds, accelerator
from jupyterhub_mesos_quota.resources import Flavor as FlavorName
from quota_cases import node, res, team

GPU = accelerator(FlavorName("gpu"))
TAKES_AT_ONCE = Policy(reclaim=Reclaim(min_runtime_seconds=0.0, grace_seconds=0.0))


def job(id_: str, at: float, lasts: float, gpus: int = 1, *, of: str = "a", **more: object) -> Job:
    made = Job(id_, of, f"user-of-{of}", WorkloadKind.TRAINING, at, lasts, 1, res(gpu=gpus))
    return replace(made, **more)  # type: ignore[arg-type]  # named by each test


def pool(gpus: int, *teams: Team, policy: Policy = TAKES_AT_ONCE) -> Setting:
    return Setting(teams, (node("pool", 0, gpu=gpus),), policy)


def owner(id_: str, gpus: int, limit: int | None = None) -> Team:
    made = team(id_, gpu=gpus)
    return made if limit is None else replace(made, limit=Bounds.of({GPU: limit}))


@dataclass
class Diary(Observer):
    """What happened, as `(at, what, job)`."""

    lines: list[tuple[float, str, str]] = field(default_factory=list)

    def submitted(self, at: float, run: Run) -> None:
        self.lines.append((at, "submitted", run.job.id))

    def refused(self, at: float, job: Job, why: str) -> None:
        self.lines.append((at, f"refused: {why}", job.id))

    def started(self, at: float, run: Run) -> None:
        self.lines.append((at, "started", run.job.id))

    def evicted(self, at: float, run: Run) -> None:
        self.lines.append((at, "evicted", run.job.id))

    def ended(self, at: float, run: Run) -> None:
        self.lines.append((at, "ended", run.job.id))

    def sampled(self, at: float, used: Amounts, capacity: Amounts, waiting: int) -> None:
        assert all(0 <= used[name] <= capacity[name] for name in used)

    def saved(self) -> Json:
        return [list(line) for line in self.lines]

    def recall(self, saved: Json) -> None:
        assert isinstance(saved, list)
        self.lines = [tuple(line) for line in saved]  # type: ignore[arg-type, misc]

    def of(self, what: str) -> dict[str, float]:
        """When it happened last, by job."""
        return {id_: at for at, said, id_ in self.lines if said == what}


def play(jobs: Iterable[Job], setting: Setting, *more: Observer) -> tuple[Simulation, Diary]:
    diary = Diary()
    simulation = Simulation(jobs, setting, [diary, *more])
    simulation.run()
    simulation.machine.audit_state()
    return simulation, diary


def gpus_used(jobs: Sequence[Job]) -> float:
    return sum(each.duration_s * each.replicas * each.resources.get(GPU) for each in jobs)
