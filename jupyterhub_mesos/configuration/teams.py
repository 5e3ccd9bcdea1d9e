"""teams.yaml: the team tree as an operator writes it, and what an edit of it changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from jupyterhub_mesos.configuration.document import Document, Place, read
from jupyterhub_mesos.configuration.problems import validated
from jupyterhub_mesos.wire import (
    BoundsModel,
    BudgetModel,
    ResourcesModel,
    TeamChange,
    TeamModel,
    TeamsModel,
    UserCapsModel,
)
from jupyterhub_mesos.wire.capacity import SECONDS_PER_DAY, SECONDS_PER_HOUR
from jupyterhub_mesos_quota.errors import TreeError
from jupyterhub_mesos_quota.model import Budget, Team, TeamId
from jupyterhub_mesos_quota.resources import (
    ACCELERATORS,
    CPU_MILLIS,
    MEM_MIB,
    SESSIONS,
    UNLIMITED,
    AmountName,
    Bound,
    Bounds,
    Flavor,
    accelerator,
    describe_amount,
)
from jupyterhub_mesos_quota.tree import TeamTree

NO_TEAM = "-"
"""How a difference says that a team was not there, or is not any more."""

RESERVED_NAMES: Final = frozenset({"shared"})
"""No team's name: the lake's folder for everybody has it."""


def load_teams(path: Path) -> TeamsModel:
    """Read teams.yaml; raise `InvalidFile` with every problem and its line."""
    document = read(path)
    model = validated(document, TeamsModel)
    if model is not None:
        if not model.teams:
            document.blame(("teams",), "there is no team: add one, docs/reference/teams.md shows how")
        _note_tree_problems(document, model)
        for error in _name_problems(model):
            document.blame(("teams", error.team), str(error))
    document.check()
    if model is None:  # pragma: no cover  (a model that does not hold noted its problems)
        raise AssertionError(f"{path} does not hold, and nothing says why")
    return model


def team_values(model: TeamsModel) -> tuple[Team, ...]:
    """Return the core's teams, validated together; raise `TreeError` where the tree does not hold."""
    teams = _teams(model)
    TeamTree(teams)
    return teams


def check_names(model: TeamsModel) -> None:
    """Raise `TreeError` for a team of a reserved name, which could be charged and never run anything.

    Apart from `team_values`: a ledger that holds such a team already has to open, so that it can be renamed.
    """
    for error in _name_problems(model):
        raise error


def _name_problems(model: TeamsModel) -> Iterator[TreeError]:
    for name in model.teams:
        if name in RESERVED_NAMES:
            yield TreeError(
                f"a team may not be named {name!r}: that is the lake's folder for everybody. "
                "Choose another name",
                team=name,
                field="name",
            )


def _note_tree_problems(document: Document, model: TeamsModel) -> None:
    """Note what the core refuses; it stops at the first, so what it blamed is left out and asked again."""
    teams = {team.id: team for team in _teams(model)}
    while True:
        try:
            TeamTree(teams.values())
        except TreeError as error:
            document.blame(_tree_place(error, document), str(error))
            blamed = teams[TeamId(error.team)]
            without = _without(blamed, error.field)
            if without == blamed:
                return
            teams[blamed.id] = without
        else:
            return


def _without(team: Team, field: str) -> Team:
    """Leave a blamed field out, where that cannot put the blame on another team."""
    match field:
        case "parent":
            return replace(team, parent=None)
        case "limit":
            return replace(team, limit=Bounds())
        case _:
            return team


def _teams(model: TeamsModel) -> tuple[Team, ...]:
    return tuple(_team(name, team) for name, team in model.teams.items())


def _tree_place(error: TreeError, document: Document) -> Place:
    """Find the nearest key of the team that the core blames."""
    place: Place = ("teams", error.team)
    for part in error.field.split("."):
        if (*place, part) not in document.lines:
            break
        place = (*place, part)
    return place


def _team(name: str, model: TeamModel) -> Team:
    return Team(
        id=TeamId(name),
        parent=TeamId(model.parent) if model.parent is not None else None,
        guarantee=model.guarantee.value(),
        limit=_bounds(model.limit),
        lend=_bounds(model.lend),
        borrow=_bounds(model.borrow),
        weight=model.weight,
        title=model.title,
        per_user=_user_caps(model.per_user),
        budget=None if model.budget is None else _budget(model.budget),
    )


def _bound(written: int | str) -> Bound:
    return written if isinstance(written, int) else UNLIMITED


def _bounds(model: BoundsModel) -> Bounds:
    named: dict[AmountName, Bound] = {CPU_MILLIS: _bound(model.cpu_millis), MEM_MIB: _bound(model.mem_mib)}
    for flavor, written in model.accelerators.items():
        named[accelerator(Flavor(flavor))] = _bound(written)
    return Bounds.of(named)


def _user_caps(model: UserCapsModel) -> Bounds:
    return Bounds.of({name: _bound(written) for name, written in _cap_names(model).items()})


def _cap_names(model: UserCapsModel) -> Mapping[AmountName, int | str]:
    return {
        CPU_MILLIS: model.cpu_millis,
        MEM_MIB: model.mem_mib,
        ACCELERATORS: model.accelerators,
        SESSIONS: model.sessions,
    }


def _budget(model: BudgetModel) -> Budget:
    return Budget(model.window_seconds, _bound(model.team_hours), _bound(model.user_hours))


# ---- differences ----------------------------------------------------------------------------------


def diff_teams(before: TeamsModel, after: TeamsModel) -> tuple[TeamChange, ...]:
    """Say what an edit changes, team by team in the order of the new tree, removed teams last."""
    removed = [name for name in before.teams if name not in after.teams]
    return tuple(
        change
        for name in (*after.teams, *removed)
        for change in _team_changes(name, before.teams.get(name), after.teams.get(name))
    )


def _team_changes(name: str, before: TeamModel | None, after: TeamModel | None) -> Iterator[TeamChange]:
    if before is None or after is None:
        was, becomes = (NO_TEAM, "added") if before is None else ("there", "removed")
        yield TeamChange(team=name, field="team", before=was, after=becomes)
    old = _fields(before or TeamModel())
    new = _fields(after or TeamModel())
    if after is None:
        return
    for field in (*new, *(field for field in old if field not in new)):
        was, becomes = old.get(field, NO_TEAM), new.get(field, NO_TEAM)
        if was != becomes:
            yield TeamChange(team=name, field=field, before=was, after=becomes)


def _fields(team: TeamModel) -> Mapping[str, str]:
    """Lay a team out as one text per field, amounts in a person's words."""
    fields = {"title": team.title or NO_TEAM, "parent": team.parent or NO_TEAM}
    fields |= _amounts("guarantee", team.guarantee)
    for name in ("limit", "lend", "borrow"):
        fields |= _amounts(name, getattr(team, name))
    fields["weight"] = str(team.weight)
    fields |= _said("per_user", _cap_names(team.per_user))
    fields["budget"] = NO_TEAM if team.budget is None else describe_budget(team.budget)
    fields["max_session"] = _minutes(team.max_session_minutes)
    fields["groups"] = ", ".join(team.groups) or NO_TEAM
    fields["admin_groups"] = ", ".join(team.admin_groups) or NO_TEAM
    return fields


def _amounts(field: str, model: ResourcesModel | BoundsModel) -> dict[str, str]:
    named: dict[AmountName, int | str] = {CPU_MILLIS: model.cpu_millis, MEM_MIB: model.mem_mib}
    named |= {accelerator(Flavor(flavor)): count for flavor, count in model.accelerators.items()}
    return _said(field, named)


def _said(field: str, named: Mapping[AmountName, int | str]) -> dict[str, str]:
    return {
        f"{field}.{name}": describe_amount(name, amount) if isinstance(amount, int) else amount
        for name, amount in named.items()
    }


def describe_budget(budget: BudgetModel) -> str:
    """Say a budget in a person's words, e.g. `500 accelerator-hours in 7 days, 100 per user`."""
    hours = "" if budget.team_hours == "unlimited" else f"{budget.team_hours} accelerator-hours"
    each = "" if budget.user_hours == "unlimited" else f"{budget.user_hours} per user"
    window = describe_window(budget.window_seconds)
    if not hours:
        return f"{budget.user_hours} accelerator-hours per user in {window}"
    return f"{hours} in {window}" + (f", {each}" if each else "")


def describe_window(seconds: int) -> str:
    """Say how long a budget's window is."""
    days, rest = divmod(seconds, SECONDS_PER_DAY)
    count, unit = (seconds // SECONDS_PER_HOUR, "hour") if rest else (days, "day")
    return f"{count} {unit}" + ("" if count == 1 else "s")


def _minutes(written: int | str) -> str:
    if not isinstance(written, int):
        return written
    hours, rest = divmod(written, 60)
    return f"{written} min" if rest or not hours else f"{hours} h"
