"""Team tokens: how CI outside the hub asks in a team's name."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from jupyterhub_mesos.wire.base import Name, Paged, Wire

MAX_TOKEN_DAYS: Final = 365
DEFAULT_TOKEN_DAYS: Final = 90
"""A quarter: long enough not to be a chore, short enough that a forgotten one dies."""


class TeamTokenOrder(Wire):
    """`POST /teams/TEAM/tokens`: make a token; `name` says what it is for."""

    name: Name
    expires_in_days: Annotated[int, Field(ge=1, le=MAX_TOKEN_DAYS)] = DEFAULT_TOKEN_DAYS


class TeamTokenView(Wire):
    """A token as it is listed, without its secret; times in Unix seconds."""

    id: str
    team: str
    name: str
    made_by: str
    made_at: float
    expires_at: float
    last_used_at: float | None = None
    is_expired: bool = False


class TeamTokenMade(Wire):
    """A token that was made, with its secret `token`, which nobody can look up again."""

    token: Annotated[str, Field(repr=False)]
    view: TeamTokenView


class TeamTokensView(Paged):
    """`GET /teams/TEAM/tokens`: oldest first."""

    items: tuple[TeamTokenView, ...]
