"""The team tree as admins wrote it: which team stands under which, and what each is promised.

An edit that does not hold together is refused whole with a `TreeError` that
names the team and the field. Teams under one parent share what the parent has:
their guarantees sum to at most the parent's. A parent without any guarantee is
a mere folder; its *effective* guarantee is the sum of its children's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from jupyterhub_mesos_quota.errors import TreeError, UnknownTeam
from jupyterhub_mesos_quota.model import Team, TeamId
from jupyterhub_mesos_quota.resources import AmountName, Bounds, Unlimited, describe_amount

Amounts = dict[AmountName, int]


def add_amounts(total: Amounts, more: Mapping[AmountName, int]) -> None:
    """Add `more` to `total` in place."""
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


class TeamTree:
    """A validated tree of teams; never changed, an edit makes a new one."""

    def __init__(self, teams: Iterable[Team] = ()) -> None:
        self._teams: dict[TeamId, Team] = {}
        for team in teams:
            _check_team(team, self._teams)
            self._teams[team.id] = team
        self._children: dict[TeamId, list[TeamId]] = {team: [] for team in self._teams}
        for team in self._teams.values():
            if team.parent is not None:
                _check_parent(team, self._teams)
                self._children[team.parent].append(team.id)
        self._paths = {team: self._find_path(team) for team in self._teams}
        self._bounded = {
            team
            for team, path in self._paths.items()
            if any(_has_bounds(self._teams[above]) for above in path)
        }
        self._guarantees: dict[TeamId, Amounts] = {}
        for team_id in self.upwards():
            self._guarantees[team_id] = self._effective_guarantee(self._teams[team_id])

    @property
    def teams(self) -> Mapping[TeamId, Team]:
        """Every team by id, in the order they were written."""
        return self._teams

    def __contains__(self, team: object) -> bool:
        return team in self._teams

    def __iter__(self) -> Iterator[TeamId]:
        return iter(self._teams)

    def __getitem__(self, team: TeamId) -> Team:
        found = self._teams.get(team)
        if found is None:
            raise UnknownTeam(team, list(self._teams))
        return found

    def path(self, team: TeamId) -> tuple[TeamId, ...]:
        """Return the team and all above it, the root last."""
        return self._paths[team]

    def children(self, team: TeamId) -> Sequence[TeamId]:
        """Return the teams right under `team`."""
        return self._children[team]

    def guarantee(self, team: TeamId) -> Mapping[AmountName, int]:
        """Return the effective guarantee: of a folder, the sum of its children's."""
        return self._guarantees[team]

    def is_bounded(self, team: TeamId) -> bool:
        """Say whether a limit or a cap stands on the path of `team`."""
        return team in self._bounded

    def upwards(self) -> Sequence[TeamId]:
        """Return every team after all its children."""
        return sorted(self._teams, key=lambda team: -len(self._paths[team]))

    def _find_path(self, team: TeamId) -> tuple[TeamId, ...]:
        path = [team]
        while (parent := self._teams[path[-1]].parent) is not None:
            if parent in path:
                loop = " -> ".join([*path[path.index(parent) :], parent])
                raise TreeError(
                    f"Team {team} stands under itself ({loop}): give one of them another parent.",
                    team=team,
                    field="parent",
                )
            path.append(parent)
        return tuple(path)

    def _effective_guarantee(self, team: Team) -> Amounts:
        promised: Amounts = {}
        for child in self._children[team.id]:
            add_amounts(promised, self._guarantees[child])
        if team.guarantee.is_zero:
            _check_folder_limit(team, promised)
            return promised
        own = dict(team.guarantee.amounts())
        for name, amount in promised.items():
            if amount > own.get(name, 0):
                raise _children_over(team, self._children[team.id], name, amount)
        return own


def _has_bounds(team: Team) -> bool:
    return bool(team.limit.by_name or team.borrow.by_name or team.per_user.by_name)


def _check_team(team: Team, known: Mapping[TeamId, Team]) -> None:
    if team.id in known:
        raise TreeError(
            f"Team {team.id} is there twice: rename or remove one of them.", team=team.id, field="id"
        )
    if team.weight < 1:
        raise TreeError(
            f"Team {team.id} asks for weight {team.weight}; it is 1 or more: write 1 for an equal part.",
            team=team.id,
            field="weight",
        )
    for name, amount in team.guarantee.amounts():
        _refuse_negative(team, "guarantee", name, amount)
    _check_bounds(team, "limit", team.limit)
    _check_bounds(team, "lend", team.lend)
    _check_bounds(team, "borrow", team.borrow)
    _check_bounds(team, "per_user", team.per_user)
    _check_budget(team)
    for name, guarantee, limit in team.limit.exceeded_by(team.guarantee):
        asked, possible = describe_amount(name, guarantee), describe_amount(name, limit)
        raise TreeError(
            f"Team {team.id} is guaranteed {asked}, but its limit is {possible}: "
            f"raise the limit to {asked} or more, or lower the guarantee to {possible} or less.",
            team=team.id,
            field="limit",
        )


def _check_bounds(team: Team, field: str, bounds: Bounds) -> None:
    for name, bound in bounds.by_name:
        if not isinstance(bound, Unlimited):
            _refuse_negative(team, field, name, bound)


def _check_budget(team: Team) -> None:
    if team.budget is None:
        return
    if team.budget.window_seconds < 1:
        raise TreeError(
            f"Team {team.id} has a budget for a window of {team.budget.window_seconds} seconds; "
            "a window is 1 second or more: write how long it is, for instance 604800 for a week.",
            team=team.id,
            field="budget",
        )
    for hours in (team.budget.team_hours, team.budget.user_hours):
        if not isinstance(hours, Unlimited) and hours < 1:
            raise TreeError(
                f"Team {team.id} has a budget of {hours} accelerator-hours; it is 1 or more: "
                "write 1 or more, or a limit of 0 accelerators where none may be used.",
                team=team.id,
                field="budget",
            )


def _refuse_negative(team: Team, field: str, name: AmountName, amount: int) -> None:
    if amount < 0:
        raise TreeError(
            f"Team {team.id} has a {field} of {amount} for {name}; an amount is 0 or more: write 0 or more.",
            team=team.id,
            field=field,
        )


def _check_parent(team: Team, teams: Mapping[TeamId, Team]) -> None:
    if team.parent not in teams:
        raise TreeError(
            f"Team {team.id} names the parent {team.parent!r}, which is not there; the teams are "
            f"{', '.join(sorted(teams))}: name one of them, or add {team.parent}.",
            team=team.id,
            field="parent",
        )


def _check_folder_limit(team: Team, promised: Mapping[AmountName, int]) -> None:
    for name, amount in promised.items():
        limit = team.limit.get(name)
        if not isinstance(limit, Unlimited) and amount > limit:
            asked, possible = describe_amount(name, amount), describe_amount(name, limit)
            raise TreeError(
                f"The teams under {team.id} are guaranteed {asked} together, but the limit of {team.id} is "
                f"{possible}: raise the limit of {team.id} to {asked} or more, or lower their guarantees.",
                team=team.id,
                field="limit",
            )


def _children_over(team: Team, children: Sequence[TeamId], name: AmountName, promised: int) -> TreeError:
    asked, possible = describe_amount(name, promised), describe_amount(name, team.guarantee.get(name))
    return TreeError(
        f"The teams under {team.id} ({', '.join(children)}) are guaranteed {asked} together; {team.id} "
        f"itself is guaranteed {possible}: lower theirs to {possible} or less together, "
        f"or raise the guarantee of {team.id} to {asked}.",
        team=team.id,
        field="guarantee",
    )
