"""What is compared: teams under a policy, by name, from files, or made from a trace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from jupyterhub_mesos.configuration import load_policy, load_teams, team_values
from jupyterhub_mesos.configuration.document import read
from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.simulate.shares import split
from jupyterhub_mesos.simulate.traces.cells import text, whole
from jupyterhub_mesos.simulate.traces.columns import NAMES, Field
from jupyterhub_mesos.simulate.traces.faults import RowFault
from jupyterhub_mesos.simulate.traces.text import Separated
from jupyterhub_mesos.simulate.traces.trace import Survey
from jupyterhub_mesos_quota.model import Team, TeamId
from jupyterhub_mesos_quota.policy import Policy, Reclaim
from jupyterhub_mesos_quota.resources import AmountName, Bounds, Resources
from jupyterhub_mesos_quota.strategies import FAIR, FIFO, LOWEST_USE
from jupyterhub_mesos_quota.tree import TeamTree

AT_ONCE: Final = Reclaim(min_runtime_seconds=0.0, grace_seconds=0.0)
WEEK_SECONDS: Final = 7 * 86_400.0
DEFAULT: Final = "default"
POLICIES: Final[Mapping[str, Policy]] = {
    DEFAULT: Policy(
        FAIR,
        half_life_seconds=WEEK_SECONDS,
        patience_seconds=WEEK_SECONDS,
        reclaim=Reclaim(min_runtime_seconds=600.0, grace_seconds=300.0),
    ),
    "fair": Policy(FAIR, half_life_seconds=WEEK_SECONDS, reclaim=AT_ONCE),
    "lowest-use": Policy(LOWEST_USE, half_life_seconds=WEEK_SECONDS, reclaim=AT_ONCE),
    "fifo": Policy(FIFO),
}
"""The service's own, and its orders alone; those that know guarantees take back at once what is lent."""
SILO: Final = "silo"
"""The policy without any lending: each team inside its guarantee, first come first served."""
CURRENT: Final = "current"
"""The teams that are in force in the ledger."""
NAMED: Final = frozenset({*POLICIES, SILO, CURRENT})
"""What a scenario may be called for short."""
SIZES: Final = ("gpus", "cpus", "nodes")
"""The columns that say how much a team owns; the first that is there counts."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One way in which the trace is replayed."""

    title: str
    teams: tuple[Team, ...]
    policy: Policy


def scenario(
    asked: str, base: Scenario, names: Iterable[AmountName], current: tuple[Team, ...] = ()
) -> Scenario:
    """Say what `asked` means beside `base`: a policy's name, a policy file, a teams.yaml, or `current`.

    Raises `InvalidInput` for what is none of them.
    """
    if asked == SILO:
        return Scenario(SILO, siloed(base.teams, names), POLICIES["fifo"])
    if asked in POLICIES:
        return Scenario(asked, base.teams, POLICIES[asked])
    if asked == CURRENT and current:
        return Scenario(CURRENT, current, base.policy)
    path = Path(asked)
    if not path.is_file():
        known = ", ".join([*POLICIES, SILO, *([CURRENT] if current else [])])
        raise InvalidInput(f"{asked!r} is no policy: name one of {known}, or a file (a policy or teams.yaml)")
    if is_teams_file(path):
        return Scenario(path.name, team_values(load_teams(path)), base.policy)
    return Scenario(path.name, base.teams, load_policy(path))


def is_teams_file(path: Path) -> bool:
    """Say whether a YAML file is a teams.yaml, rather than a policy."""
    value = read(path).value
    return isinstance(value, dict) and "teams" in value


def siloed(teams: tuple[Team, ...], names: Iterable[AmountName]) -> tuple[Team, ...]:
    """Make every guarantee a limit too; who has none, nor anybody above it, gets nothing."""
    tree, names = TeamTree(teams), tuple(names)
    return tuple(replace(team, limit=_own_only(team, tree, names)) for team in teams)


def _own_only(team: Team, tree: TeamTree, names: tuple[AmountName, ...]) -> Bounds:
    guarantee = tree.guarantee(team.id)
    bound = names if team.parent is None else [name for name in names if name in guarantee]
    limits = dict(team.limit.by_name)
    return Bounds.of({**limits, **{name: guarantee.get(name, 0) for name in bound}})


# ---- guarantees without a teams.yaml ----------------------------------------------------------------


def owned(path: Path) -> Mapping[str, int]:
    """Read what each team owns: a CSV with a column for the team and one for its size, as in `SIZES`."""
    table = Separated(path)
    team = next((name for name in table.names if name.lower() in NAMES[Field.TEAM]), None)
    size = next((name for wanted in SIZES for name in table.names if name.lower() == wanted), None)
    if team is None or size is None:
        raise InvalidInput(
            f"a column for the team (team, vc, ...) and one for its size (gpus, cpus or nodes) are due; "
            f"it has {', '.join(table.names)}",
            where=str(path),
        )
    found: dict[str, int] = {}
    for row in table.rows():
        try:
            if isinstance(row.cells, RowFault):
                raise row.cells
            name = text(row.cells.get(team), team)
            found[name] = found.get(name, 0) + whole(row.cells.get(size), size)
        except RowFault as fault:
            raise InvalidInput(str(fault), where=f"{path}:{row.number}") from fault
    return found


def teams_of(sizes: Mapping[str, int], survey: Survey, total: int, amount: AmountName) -> tuple[Team, ...]:
    """Guarantee each team its part of the pool, at least its largest job; raises as `split` does."""
    largest = {team: demand.largest for team, demand in survey.teams.items()}
    return _guaranteed(split(total, sizes, largest), amount)


def teams_by_use(survey: Survey, total: int, amount: AmountName) -> tuple[Team, ...]:
    """Guarantee each team of the trace the part of the pool that it used of all that was used."""
    used = {team: round(demand.amount_seconds) for team, demand in sorted(survey.teams.items())}
    return _guaranteed(split(total, used, {}), amount)


def _guaranteed(parts: Mapping[str, int], amount: AmountName) -> tuple[Team, ...]:
    return tuple(
        Team(TeamId(name), guarantee=Resources.from_amounts({amount: part})) for name, part in parts.items()
    )
