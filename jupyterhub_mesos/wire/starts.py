"""When a request may start: by itself or once its owner confirms, and at which hours."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, field_validator

from jupyterhub_mesos.wire.base import Wire

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WORK_DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri")
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class WelcomeHours(Wire):
    """When a start is welcome: on `days`, from `begins` to before `ends`, on clocks of `time_zone` (IANA).

    `ends` at or before `begins` is of the next day; both alike are the whole day.
    """

    days: Annotated[tuple[Day, ...], Field(min_length=1, max_length=7)] = WORK_DAYS
    begins: TimeOfDay = "08:00"
    ends: TimeOfDay = "18:00"
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "UTC"

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, OSError, ValueError) as error:  # not found; a folder of the zones' files; a path
            raise ValueError(
                f"{name!r} is no time zone that is known here: write it as Europe/Berlin or UTC"
            ) from error
        return name


class StartWish(Wire):
    """How a request wants to start: `by-itself` in its turn, or `when-confirmed` by its owner.

    Outside `hours` nothing starts unless its owner confirms; without hours every hour is welcome.
    """

    mode: Literal["by-itself", "when-confirmed"] = "by-itself"
    hours: WelcomeHours | None = None


class Confirmation(Wire):
    """`POST /requests/ID/confirm`: its owner's word that it may start; there is nothing to say beside."""


class StartView(Wire):
    """How a request wants to start; `confirmed_until`: before it, in Unix seconds, it starts by itself."""

    wish: StartWish
    confirmed_until: float | None = None
