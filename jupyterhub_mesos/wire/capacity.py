"""Capacity, teams and profiles."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from jupyterhub_mesos.wire.base import Count, Name, Paged, Positive, ResourcesModel, Text, Wire
from jupyterhub_mesos.wire.placement import PlacementModel

SECONDS_PER_HOUR: Final = 3600
SECONDS_PER_DAY: Final = 86400


class NodeView(Wire):
    """A node: what it has, what is free."""

    id: str
    capacity: ResourcesModel
    free: ResourcesModel
    is_schedulable: bool
    zone: str = ""
    labels: dict[str, str] = Field(default_factory=dict)


class FactView(Wire):
    """What the backend enforces here, or not, and the cure."""

    name: str
    holds: bool
    detail: str
    cure: str = ""


class CapacityView(Wire):
    """`GET /capacity`: everything together, and node by node."""

    backend: str
    total: ResourcesModel
    free: ResourcesModel
    waiting: int
    nodes: tuple[NodeView, ...]
    facts: tuple[FactView, ...] = ()


class BoundsModel(Wire):
    """Upper bounds; an amount is a whole number or the word `unlimited`, which is the default."""

    cpu_millis: Count | Literal["unlimited"] = "unlimited"
    mem_mib: Count | Literal["unlimited"] = "unlimited"
    accelerators: dict[Name, Count | Literal["unlimited"]] = Field(default_factory=dict)


class UserCapsModel(Wire):
    """What one user may hold in a team and below it; `accelerators` of all flavors together."""

    cpu_millis: Count | Literal["unlimited"] = "unlimited"
    mem_mib: Count | Literal["unlimited"] = "unlimited"
    accelerators: Count | Literal["unlimited"] = "unlimited"
    sessions: Count | Literal["unlimited"] = "unlimited"


class BudgetModel(Wire):
    """Accelerator-hours in a rolling window, of a team with all below it and of each of its users.

    One of `window_days` and `window_hours` says how long the window is.
    """

    window_days: Positive | None = None
    window_hours: Positive | None = None
    team_hours: Positive | Literal["unlimited"] = "unlimited"
    user_hours: Positive | Literal["unlimited"] = "unlimited"

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if (self.window_days is None) == (self.window_hours is None):
            raise PydanticCustomError(
                "budget_window",
                "a budget has one window: write window_days or window_hours, for instance window_days: 7",
            )
        if self.team_hours == self.user_hours == "unlimited":
            raise PydanticCustomError(
                "budget_bound", "a budget bounds something: write team_hours, user_hours, or leave budget out"
            )
        return self

    @property
    def window_seconds(self) -> int:
        """How long the window is."""
        return (self.window_days or 0) * SECONDS_PER_DAY + (self.window_hours or 0) * SECONDS_PER_HOUR


class TeamModel(Wire):
    """A team as written in teams.yaml and sent to `PUT /teams`; docs/reference/teams.md explains the keys."""

    title: Text = ""
    parent: Name | None = None
    guarantee: ResourcesModel = Field(default_factory=ResourcesModel)
    limit: BoundsModel = Field(default_factory=BoundsModel)
    lend: BoundsModel = Field(default_factory=BoundsModel)
    borrow: BoundsModel = Field(default_factory=BoundsModel)
    weight: Positive = 1
    per_user: UserCapsModel = Field(default_factory=UserCapsModel)
    budget: BudgetModel | None = None
    max_session_minutes: Positive | Literal["unlimited"] = "unlimited"
    groups: tuple[str, ...] = ()
    admin_groups: tuple[str, ...] = ()


class TeamsModel(Wire):
    """The whole tree by team id."""

    teams: dict[Name, TeamModel]


class BudgetUse(Wire):
    """What has been used of one bound of a budget, in accelerator-hours.

    `stops_at`, in Unix seconds, is when what runs on it is stopped, once it is used up.
    """

    hours: int
    used_hours: float
    left_hours: float
    stops_at: float | None = None


class BudgetView(Wire):
    """How a budget stands for the team with all below it, and for the asker; absent where it has no bound."""

    window_seconds: int
    team: BudgetUse | None = None
    asker: BudgetUse | None = None


class TeamUseView(Wire):
    """A team with what it holds now (its subtree's allocations included), and how its budget stands.

    `may_edit`: the asker is an admin, or an admin of a team above it.
    """

    id: str
    team: TeamModel
    used: ResourcesModel
    borrowed: ResourcesModel
    waiting: int
    is_member: bool
    is_admin: bool
    may_edit: bool = False
    budget: BudgetView | None = None


class TeamsView(Paged):
    """`GET /teams`: the teams the asker may see. `revision` grows with every edit."""

    revision: int
    teams: tuple[TeamUseView, ...]


class TeamChange(Wire):
    """One line of the difference that an edit makes."""

    team: str
    field: str
    before: str
    after: str


class TeamEffect(Wire):
    """One thing that an edit would do within an hour, as things stand; `at` is when, in Unix seconds.

    `kind` is `stopped`, `spared` (from a stop that would come), `starts`, `waits` (on, where it would start),
    `above-limit` or `over-committed`. `request` is absent where it is none, or not the asker's to see; `team`
    is empty where it is all of them.
    """

    kind: str
    team: str
    request: str | None
    at: float | None
    sentence: str


class TeamsEdit(Wire):
    """`PUT /teams` with `dry_run` or not answers what changes (nothing, when it is in force already).

    `effects` are told by a `dry_run` alone: what the edit would do to what waits and runs.
    """

    revision: int
    changes: tuple[TeamChange, ...]
    is_applied: bool
    effects: tuple[TeamEffect, ...] = ()


class TeamsEditView(Wire):
    """One edit of the tree that was made, at a moment in Unix seconds, as far as the asker may see it."""

    revision: int
    at: float
    who: str
    why: str
    changes: tuple[TeamChange, ...]


class TeamsEditsPage(Paged):
    """`GET /team-edits`: newest first; `revision` is the tree's now."""

    revision: int
    items: tuple[TeamsEditView, ...]


class ProfileModel(Wire):
    """A profile as written in profiles.yaml; `environment` is a Python prefix that its notebooks build on."""

    title: Text
    description: Text = ""
    resources: ResourcesModel
    teams: tuple[Name, ...] = ()  # who may use it; empty for everybody
    is_default: bool = False
    placement: PlacementModel | None = None  # on which nodes
    max_session_minutes: Positive | Literal["unlimited"] = "unlimited"
    environment: Annotated[str, StringConstraints(pattern=r"^(/[^\x00]*)?$", max_length=4096)] = ""


class ProfilesModel(Wire):
    """All profiles by name."""

    profiles: Annotated[dict[Name, ProfileModel], Field(min_length=1)]


class ProfileView(Wire):
    """A profile with what would become of a start now."""

    name: str
    profile: ProfileModel
    teams: tuple[str, ...]  # the asker's teams that may use it
    fits_now: bool


class ProfilesView(Paged):
    """`GET /profiles`."""

    profiles: tuple[ProfileView, ...]
