"""A replay that is stopped and resumed ends as one that was not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random

import pytest

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.simulate.delays import Delays
from jupyterhub_mesos.simulate.engine import Simulation
from jupyterhub_mesos.simulate.evictions import Evictions
from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos.simulate.observers import Json, Observer
from jupyterhub_mesos.simulate.setting import Setting
from jupyterhub_mesos.simulate.use import Use
from jupyterhub_mesos.simulate.waits import Waits
from jupyterhub_mesos_quota.model import WorkloadKind
from jupyterhub_mesos_quota.policy import Policy, Reclaim
from jupyterhub_mesos_quota.strategies import FIFO, LOWEST_USE
from quota_cases import node
from simulate_cases import Diary, job, owner

TEAMS = owner("a", 6), owner("b", 3), owner("c", 1)
POLICIES = (
    Policy(half_life_seconds=500, patience_seconds=400),
    Policy(strategy=LOWEST_USE, reclaim=Reclaim(0, 0)),
    Policy(strategy=FIFO),
)


def trace(seed: int, jobs: int = 150) -> list[Job]:
    random, at, made = Random(seed), 0, []
    for number in range(jobs):
        at += random.choice((0, 0, 3, 20))
        kind = random.choice((WorkloadKind.TRAINING, WorkloadKind.TRAINING, WorkloadKind.NOTEBOOK))
        session = random.choice((None, None, None, "s", "t"))
        made.append(
            job(
                f"j{number}",
                float(at),
                float(random.randrange(1, 200)),
                random.choice((1, 1, 2, 4)),
                of=random.choice("aabc"),
                kind=kind,
                session=session,
                max_seconds=random.choice((None, None, 90.0)),
            )
        )
    return made


def observers() -> list[Observer]:
    return [Diary(), Waits(), Use(step_s=50), Evictions()]


def told(looking: Sequence[Observer]) -> str:
    return json.dumps([each.saved() for each in looking])


def unbroken(jobs: Sequence[Job], setting: Setting) -> str:
    looking = observers()
    Simulation(jobs, setting, looking).run()
    return told(looking)


def stopped_every(steps: int, jobs: Sequence[Job], setting: Setting) -> str:
    looking = observers()
    simulation = Simulation(jobs, setting, looking)
    while simulation.next_at() is not None:
        for _ in range(steps):
            simulation.step()
        saved: Json = json.loads(json.dumps(simulation.saved()))
        looking = observers()
        simulation = Simulation.recalled(jobs, setting, looking, saved)
        simulation.machine.audit_state()
    return told(looking)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.strategy.name)
@pytest.mark.parametrize("seed", range(4))
def test_a_replay_stopped_again_and_again_ends_as_one_that_was_not(policy: Policy, seed: int) -> None:
    setting = Setting(TEAMS, (node("pool", 0, gpu=10),), policy, Delays(launch_s=2, restart_s=10))
    jobs = trace(seed)
    assert stopped_every(7, jobs, setting) == unbroken(jobs, setting)


def test_what_is_no_state_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no state of a stopped replay"):
        Simulation.recalled([], Setting(TEAMS, ()), [], {"now": 3})
