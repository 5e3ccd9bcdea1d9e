"""Capacity, teams and profiles."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from jupyterhub_mesos.wire.base import Count, Name, Positive, ResourcesModel, Text, Wire
from jupyterhub_mesos.wire.placement import PlacementModel


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


class TeamModel(Wire):
    """A team as written in teams.yaml and sent to `PUT /teams`; docs/reference/teams.md explains the keys."""

    title: Text = ""
    parent: Name | None = None
    guarantee: ResourcesModel = Field(default_factory=ResourcesModel)
    limit: BoundsModel = Field(default_factory=BoundsModel)
    lend: BoundsModel = Field(default_factory=BoundsModel)
    borrow: BoundsModel = Field(default_factory=BoundsModel)
    weight: Positive = 1
    groups: tuple[str, ...] = ()
    admin_groups: tuple[str, ...] = ()


class TeamsModel(Wire):
    """The whole tree by team id."""

    teams: dict[Name, TeamModel]


class TeamUseView(Wire):
    """A team with what it holds now (its subtree's allocations included)."""

    id: str
    team: TeamModel
    used: ResourcesModel
    borrowed: ResourcesModel
    waiting: int
    is_member: bool
    is_admin: bool


class TeamsView(Wire):
    """`GET /teams`: the teams the asker may see. `revision` grows with every edit."""

    revision: int
    teams: tuple[TeamUseView, ...]


class TeamChange(Wire):
    """One line of the difference that an edit makes."""

    team: str
    field: str
    before: str
    after: str


class TeamsEdit(Wire):
    """`PUT /teams` with `dry_run` or not answers what changes (nothing, when it is in force already)."""

    revision: int
    changes: tuple[TeamChange, ...]
    is_applied: bool


class ProfileModel(Wire):
    """A profile as written in profiles.yaml; `environment` is a Python prefix that its notebooks build on."""

    title: Text
    description: Text = ""
    resources: ResourcesModel
    teams: tuple[Name, ...] = ()  # who may use it; empty for everybody
    is_default: bool = False
    placement: PlacementModel | None = None  # on which nodes
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


class ProfilesView(Wire):
    """`GET /profiles`."""

    profiles: tuple[ProfileView, ...]
