"""Who asks, and what they may do to whom.

A *member* of a team is in one of its `groups` or `admin_groups`; a *team
admin* is in the `admin_groups` of the team or of a team above it; an *admin*
holds the admin scope in the hub. All three come from the hub's answer about
the asker's token; nothing of it is stored. A token of this service's own
(`service/tokens.py`) is bound to one team, and no admin of anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from jupyterhub_mesos.errors import InvalidInput, NotAllowed
from jupyterhub_mesos.wire import TeamModel
from jupyterhub_mesos_quota.model import Request, RequestId, WorkloadKind

ASK_AN_ADMIN = "ask an admin of the team to add you to one of its groups"


class TokenKind(StrEnum):
    """Whose token was shown."""

    USER = "user"  # the hub's, a person's or their notebook's
    SERVICE = "service"  # the hub's, a service's
    TEAM = "team"  # ours, of a team for its CI
    PIPELINE = "pipeline"  # ours, of a pipeline that runs
    LAKE = "task"  # ours, of a task that runs, for the lake alone


_JOBS: Final = frozenset({WorkloadKind.TRAINING, WorkloadKind.SERVING})
MAY_ASK_FOR: Final[Mapping[str, frozenset[WorkloadKind]]] = {
    TokenKind.USER: frozenset(WorkloadKind),
    TokenKind.SERVICE: frozenset(),
    TokenKind.TEAM: _JOBS | {WorkloadKind.PIPELINE},
    TokenKind.PIPELINE: _JOBS,
}
"""What each kind of token may ask for, and see and end of what its owner asked for."""


def robot_name(team: str) -> str:
    """Name the user that a team's tokens work as: with `/`, which the hub allows in nobody's name."""
    return f"team/{team}"


@dataclass(frozen=True, slots=True)
class Identity:
    """A user or service of the hub, as the hub answered for its token, or the holder of a token of ours.

    `team` is the one team that a token of ours is bound to, empty for the hub's; `request_id` is the
    pipeline's whose token it is; `token` is what a team's token is called.
    """

    name: str
    groups: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    kind: str = TokenKind.USER
    is_admin: bool = False
    team: str = ""
    request_id: RequestId | None = None
    token: str = ""

    @property
    def is_of_the_hub(self) -> bool:
        """Whether the hub knows who this is."""
        return self.kind in {TokenKind.USER, TokenKind.SERVICE}

    @property
    def may_ask_for(self) -> frozenset[WorkloadKind]:
        """The kinds of workloads that this token reaches."""
        return MAY_ASK_FOR.get(self.kind, frozenset())

    def owns(self, request: Request) -> bool:
        """Say whether a request is this identity's own, as far as its token reaches."""
        if request.user != self.name or (self.team and request.team != self.team):
            return False
        return request.kind in self.may_ask_for or request.id == self.request_id

    @property
    def signature(self) -> str:
        """Say in the audit who acted, where a name alone does not."""
        return f"{self.name} with the token {self.token}" if self.token else self.name


@dataclass(frozen=True, slots=True)
class Membership:
    """What the team tree says about an identity."""

    teams: Mapping[str, TeamModel]

    def ancestors(self, team: str) -> Iterator[str]:
        """Yield the team and every team above it, upwards."""
        current: str | None = team
        seen: set[str] = set()
        while current is not None and current in self.teams and current not in seen:
            yield current
            seen.add(current)
            current = self.teams[current].parent

    def is_team_admin(self, who: Identity, team: str) -> bool:
        """Say whether `who` administers the team, directly or from above."""
        if who.is_admin:
            return True
        return any(who.groups.intersection(self.teams[above].admin_groups) for above in self.ancestors(team))

    def is_member(self, who: Identity, team: str) -> bool:
        """Say whether `who` may ask for room in the team's name."""
        model = self.teams.get(team)
        if who.team:
            return model is not None and team == who.team
        return model is not None and bool(who.groups.intersection((*model.groups, *model.admin_groups)))

    def teams_of(self, who: Identity) -> tuple[str, ...]:
        """Return the teams that `who` is a member of, in order of name."""
        return tuple(sorted(team for team in self.teams if self.is_member(who, team)))

    def visible_to(self, who: Identity) -> tuple[str, ...]:
        """Return the teams that `who` may see: their own, those above, those they administer."""
        if who.is_admin:
            return tuple(sorted(self.teams))
        own = {above for team in self.teams_of(who) for above in self.ancestors(team)}
        return tuple(sorted(own | {team for team in self.teams if self.is_team_admin(who, team)}))

    def charged_team(self, who: Identity, asked: str | None) -> str:
        """Return the team that a request of `who` is charged to.

        Raises `NotAllowed` for a foreign team and `InvalidInput` where a choice is needed.
        """
        if asked is not None:
            if not self.is_member(who, asked):
                raise NotAllowed(_foreign(who, asked, self.teams_of(who)))
            return asked
        own = self.teams_of(who)
        if not own:
            raise NotAllowed(f"{who.name} is in no team, so nothing can be charged: {ASK_AN_ADMIN}.")
        if len(own) > 1:
            raise InvalidInput(
                f"{who.name} is in the teams {', '.join(own)}: name the one to charge in `team`.",
                where="team",
            )
        return next(iter(own))


def _foreign(who: Identity, asked: str, own: tuple[str, ...]) -> str:
    if not own:
        return f"Team {asked} asked for; {who.name} is in no team: {ASK_AN_ADMIN}."
    return (
        f"Team {asked} asked for; {who.name} may charge {', '.join(own)}: "
        f"name one of them, or {ASK_AN_ADMIN}."
    )
