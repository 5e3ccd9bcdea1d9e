"""What is compared: policies by name, from files, silos, and guarantees made from what there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import replays
from jupyterhub_mesos.configuration import InvalidFile
from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.service.policy_traits import product_policy
from jupyterhub_mesos.simulate.scenarios import (
    POLICIES,
    SILO,
    Scenario,
    owned,
    scenario,
    siloed,
    teams_by_use,
    teams_of,
)
from jupyterhub_mesos.simulate.traces.trace import Demand, Survey
from jupyterhub_mesos_quota.model import Team, TeamId
from jupyterhub_mesos_quota.policy import DEFAULT_POLICY
from jupyterhub_mesos_quota.resources import UNLIMITED, AmountName, Bounds, Flavor, Resources
from jupyterhub_mesos_quota.strategies import FIFO
from trace_cases import written

GPU = AmountName("accelerator/gpu")


def gpus(count: int) -> Resources:
    return Resources.of(accelerators={Flavor("gpu"): count})


TEAMS = (
    Team(TeamId("lab"), guarantee=gpus(8), limit=Bounds.of({GPU: 32})),
    Team(TeamId("vision"), parent=TeamId("lab"), guarantee=gpus(6)),
    Team(TeamId("guests"), parent=TeamId("lab")),
    Team(TeamId("poor")),
)
BASE = Scenario("", TEAMS, DEFAULT_POLICY)


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_goes_by_its_name(name: str) -> None:
    assert scenario(name, BASE, [GPU]) == Scenario(name, TEAMS, POLICIES[name])


def test_the_default_is_what_the_service_does_when_nobody_says_otherwise() -> None:
    assert POLICIES["default"] == product_policy()


@pytest.mark.parametrize("name", ["fair", "lowest-use", "fifo"])
def test_what_is_measured_goes_by_the_same_name_here(name: str) -> None:
    assert POLICIES[name] == replays.POLICIES[name]


def test_in_silos_a_guarantee_is_the_limit_and_nothing_is_lent() -> None:
    found = scenario(SILO, BASE, [GPU])
    limits = {team.id: team.limit.get(GPU) for team in found.teams}
    # whoever stands under a guarantee shares that; who has none, nor anybody above, has nothing
    assert limits == {"lab": 8, "vision": 6, "guests": UNLIMITED, "poor": 0}
    assert found.policy.strategy is FIFO
    assert siloed(found.teams, [GPU]) == found.teams


def test_a_file_with_teams_changes_the_teams_and_another_the_policy(tmp_path: Path) -> None:
    teams = written(tmp_path, "new.yaml", "teams:\n  vision:\n    guarantee:\n      accelerators: {gpu: 4}\n")
    policy = written(tmp_path, "policy.yaml", "strategy: lowest-use\n")
    changed = scenario(str(teams), BASE, [GPU])
    assert (changed.title, [team.id for team in changed.teams], changed.policy) == (
        "new.yaml",
        ["vision"],
        BASE.policy,
    )
    other = scenario(str(policy), BASE, [GPU])
    assert (other.title, other.teams, other.policy.strategy.name) == ("policy.yaml", TEAMS, "lowest-use")


def test_what_stands_in_the_ledger_is_the_current() -> None:
    current = (Team(TeamId("vision")),)
    assert scenario("current", BASE, [GPU], current) == Scenario("current", current, BASE.policy)
    with pytest.raises(
        InvalidInput, match="is no policy: name one of default, fair, lowest-use, fifo, silo, or"
    ):
        scenario("current", BASE, [GPU])


def test_a_mistake_in_a_file_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match=r"policy\.yaml:2: grace"):
        scenario(str(written(tmp_path, "policy.yaml", "strategy: fair\ngrace: 3\n")), BASE, [GPU])


# ---- guarantees without a teams.yaml ----------------------------------------------------------------

SURVEY = Survey(
    teams={
        "a": Demand(jobs=3, largest=4, amount_seconds=3000.0),
        "b": Demand(jobs=1, largest=5, amount_seconds=1000.0),
    }
)


def test_a_pool_is_guaranteed_in_proportion_to_what_is_owned_and_at_least_the_largest_job(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, "owned.csv", "vc,nodes,gpus\na,10,80\nb,1,8\na,1,8\n")
    assert owned(path) == {"a": 88, "b": 8}
    teams = teams_of(owned(path), SURVEY, 20, GPU)
    assert {team.id: team.guarantee for team in teams} == {"a": gpus(15), "b": gpus(5)}


def test_without_either_a_team_is_guaranteed_its_part_of_what_was_used() -> None:
    teams = teams_by_use(SURVEY, 20, GPU)
    assert {team.id: team.guarantee for team in teams} == {"a": gpus(15), "b": gpus(5)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,gpus\na,1\n", r"a column for the team .* are due; it has name, gpus"),
        ("team,power\na,1\n", "are due; it has team, power"),
        ("team,gpus\na,1\nb,-2\n", "owned.csv:3: gpus is -2"),
        ("team,gpus\na\n", "owned.csv:2: 1 cells"),
    ],
)
def test_a_file_of_what_is_owned_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        owned(written(tmp_path, "owned.csv", text))
